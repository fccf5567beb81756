"""Trust: the TLS certificates and SSH host keys that somebody approved for a connection or a destination."""
