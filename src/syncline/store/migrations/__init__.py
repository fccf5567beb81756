"""The Alembic migrations of the store, run by :func:`syncline.store.migrate.migrate`."""
