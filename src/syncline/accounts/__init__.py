"""The account, its users and their API keys."""
