"""What kinds of sources there are and what their settings are, read from the connectors' declarations."""
