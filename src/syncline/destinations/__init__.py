"""Destinations: where the connections of a group load into."""
