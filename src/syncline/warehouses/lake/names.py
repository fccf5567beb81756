"""What a lake's table and its columns are called in the source, in a small file beside the data.

It also tells the kinds that the data files cannot: JSON and XML are text there.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from syncline.warehouses.lake.storage import Storage
from syncline.warehouses.types import ColumnType, Kind

FILE = "_syncline.json"
"""Readers of lakes skip what begins with an underscore."""


@dataclass(slots=True)
class Names:
    """The names of one table."""

    source: str
    columns: dict[str, str] = field(default_factory=dict)
    """The source's names by the ones in the lake, where they differ."""
    kinds: dict[str, str] = field(default_factory=dict)

    def column_type(self, name: str, stored: ColumnType) -> ColumnType:
        """The type of a column of which the data file says `stored`."""
        return ColumnType(Kind(self.kinds[name])) if stored.kind is Kind.STRING and name in self.kinds else stored


def read_names(storage: Storage, schema: str) -> dict[str, Names]:
    """The names of every table of a schema, by the table's name in the lake."""
    folder = storage.path(schema)
    if not storage.files.isdir(folder):
        return {}
    storage.files.invalidate_cache()
    found = {}
    for entry in storage.files.ls(folder, detail=False):
        table = str(entry).rstrip("/").rpartition("/")[2]
        path = storage.path(schema, table, FILE)
        if storage.files.exists(path):
            content = json.loads(storage.files.cat_file(path))
            found[table] = Names(content["source"], content["columns"], content["kinds"])
    return found


def write_names(storage: Storage, schema: str, table: str, names: Names, folder: Path) -> None:
    """Write the names of a table down; `folder` is for a file in between."""
    content = {"source": names.source, "columns": names.columns, "kinds": names.kinds}
    local = folder / "names.json"
    local.write_text(json.dumps(content))
    storage.replace(local, storage.path(schema, table, FILE))
