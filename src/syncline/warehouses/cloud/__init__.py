"""Warehouses that are reached through dlt alone: cloud services, whose drivers are installed when they are needed."""
