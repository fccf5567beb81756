"""What DuckDB declares."""

from syncline.declarations import Configuration, ServiceDeclaration, setting


class DuckdbConfig(Configuration):
    """Where the DuckDB file is."""

    path: str | None = setting(
        title="Database file",
        description="The path of the DuckDB file on the machine that runs Syncline. It is made when it is missing.",
        required=True,
        example="/data/warehouse.duckdb",
    )


DECLARATION = ServiceDeclaration(
    service="duckdb", name="DuckDB", description="A DuckDB file on this machine.", config=DuckdbConfig
)
