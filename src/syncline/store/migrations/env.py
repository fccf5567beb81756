"""What Alembic runs for every command. The connection, and its transaction, belong to the caller."""

from alembic import context

from syncline.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
