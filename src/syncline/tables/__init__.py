"""Which tables and columns of a connection are synced, and how."""
