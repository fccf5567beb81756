"""Connections: what to read, into which schema, and when."""
