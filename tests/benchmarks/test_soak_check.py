"""The judge of the soak finds what is lost, doubled and changed, in every format."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from benchmarks.soak_check import Found, compare
from benchmarks.soak_messages import BAD_EVERY, Topic, topics
from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses.registry import warehouse_for
from tests.connectors.decode.batches import batch
from tests.support.schema_registry import KEY, SECRET, SchemaRegistryServer

COUNT = 2 * BAD_EVERY
NAMES = ("orders", "audit", "notes", "invoices", "readings", "positions")
Judge = Callable[..., Found]


@pytest.fixture(params=NAMES)
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Judge:
    """A warehouse with the messages of a topic; each call changes it and compares."""
    path = tmp_path / "warehouse.duckdb"
    with SchemaRegistryServer() as server:
        made = topics(lambda subject, entry: server.register(subject, dict(entry)).number)
        topic = next(each for each in made if each.name == request.param)
        registry = SchemaRegistry([server.url], KEY, SECRET, timeout=5)
        _load(path, tmp_path / "work", topic, registry)
        registry.close()

    def changed(*statements: str) -> Found:
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement.format(table=f"bus.{topic.name}", topic=topic.name))
        return compare(path, "bus", topic, COUNT)

    return changed


def _load(path: Path, folder: Path, topic: Topic, registry: SchemaRegistry) -> None:
    bodies = [topic.message_body(number, COUNT) for number in range(COUNT)]
    messages = batch(bodies)
    place = messages.schema.get_field_index("message_id")
    ids = pa.array([topic.message_id(number) for number in range(COUNT)])
    messages = messages.set_column(place, messages.schema.field(place), ids)
    rows, rejects = decode_batch(messages, topic.message_type, topic.sync_type, registry)
    warehouse = warehouse_for("duckdb")
    with warehouse.open(warehouse.declaration.config.parse({"path": str(path)}), "bus", folder) as loader:
        loader.load(topic.name, rows)
        if rejects.num_rows:
            loader.load(f"{topic.name}__rejected", rejects, key=("sequence_num",))


def test_it_finds_nothing_where_all_is_well(judge: Judge) -> None:
    found = judge()
    assert (found.rows + found.rejected, found.lost, found.duplicated, found.changed) == (COUNT, 0, 0, 0)
    assert found.is_complete


def test_it_finds_what_is_lost_doubled_and_changed(judge: Judge) -> None:
    assert judge("DELETE FROM {table} WHERE message_id = '{topic}-3'").lost == 1
    assert judge("INSERT INTO {table} SELECT * FROM {table} WHERE message_id = '{topic}-4'").duplicated == 1
    swapped = "UPDATE {table} SET message_id = '{topic}-3' WHERE message_id = '{topic}-5'"
    found = judge(swapped)
    assert (found.lost, found.changed) == (1, 1)
    assert not found.is_complete
