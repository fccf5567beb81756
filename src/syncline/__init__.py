"""Syncline: self-hosted data movement."""
