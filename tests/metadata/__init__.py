"""Tests of connector metadata."""
