from syncline.store.database import Database
from syncline.store.migrate import migrate
from syncline.store.models import Account, Connection, Group, User
from syncline.sync.checkpoints import StoreCheckpoints


def connection_id(database: Database) -> str:
    """The id of a new connection in the store."""
    with database.sync_session() as session:
        account = Account(name="a")
        session.add(account)
        session.flush()
        user = User(account_id=account.id, email="a@example.com")
        group = Group(account_id=account.id, name="g", public_key="k", sealed_private_key="s")
        session.add_all([user, group])
        session.flush()
        connection = Connection(
            account_id=account.id, group_id=group.id, service="s", schema="bus", connected_by=user.id
        )
        session.add(connection)
        session.flush()
        return connection.id


def test_positions_are_kept_for_each_stream(store_url):
    migrate(store_url)
    database = Database(store_url)
    try:
        checkpoints = StoreCheckpoints(database, connection_id(database))
        assert checkpoints.positions() == {}
        checkpoints.save("orders", {"next": 1})
        checkpoints.save("payments", {"next": 7, "partition": [1, 2]})
        checkpoints.save("orders", {"next": 2})
        assert checkpoints.positions() == {"orders": {"next": 2}, "payments": {"next": 7, "partition": [1, 2]}}
    finally:
        database.close_sync()
