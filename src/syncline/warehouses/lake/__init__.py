"""A data lake: tables as files in a folder or in object storage."""
