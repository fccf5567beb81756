"""Groups: one destination and the connections that load into it, with an SSH key pair for tunnels."""
