"""The database: models, sessions, migrations and the sealing of secrets."""
