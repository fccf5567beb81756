"""The HTTP side of the schema config."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.convertors import PathConvertor, register_url_convertor

from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentDatabase, CurrentSealer, CurrentSettings
from syncline.api.envelope import Acknowledgement, Envelope, acknowledge, success
from syncline.tables import service
from syncline.tables.reload import reload_config
from syncline.tables.schemas import (
    ColumnsResponse,
    ColumnUpdate,
    ConfigResponse,
    ConfigUpdate,
    DropRequest,
    ReloadRequest,
    SchemaUpdate,
    SetUpRequest,
    TableUpdate,
)

SchemaName = Annotated[str, Path(description="The schema's name. Upper and lower case matter.")]
TableName = Annotated[str, Path(description="The table, as the source names it. Upper and lower case matter.")]
ColumnName = Annotated[str, Path(description="The column, as the source names it. Upper and lower case matter.")]


class TableConvertor(PathConvertor):
    """A table at the end of a path: a name with slashes, unless it ends as the path of a table's columns does."""

    regex = "(?!.*/columns$).*"


register_url_convertor("table", TableConvertor())

router = APIRouter(prefix="/v1/connections/{connection_id}/schemas", tags=["Schema config"])


@router.get("")
async def get_schema_config(
    connection_id: str, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[ConfigResponse]:
    """Retrieve the schema config: all tables, and the columns that a request ever set."""
    return success(await service.get_config(database, caller, connection_id))


@router.post("")
async def set_up_schema_config(
    connection_id: str, body: SetUpRequest, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[ConfigResponse]:
    """Set up the schema config of a connection whose source was not looked at yet."""
    return success(await service.set_up(database, caller, connection_id, body), "The schema config has been set up.")


@router.patch("")
async def update_schema_config(
    connection_id: str, body: ConfigUpdate, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[ConfigResponse]:
    """Change the schema config."""
    config = await service.update_config(database, caller, connection_id, body)
    return success(config, "The schema config has been changed.")


@router.post("/reload")
async def reload_schema_config(
    connection_id: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
    body: ReloadRequest | None = None,
) -> Envelope[ConfigResponse]:
    """Ask the source which tables it has."""
    exclusion = (body or ReloadRequest()).exclude_mode
    config = await reload_config(database, sealer, settings, caller, connection_id, exclusion)
    return success(config, "The schema config has been reloaded.")


@router.post("/drop-columns")
async def drop_columns(
    connection_id: str, body: DropRequest, caller: CurrentUser, database: CurrentDatabase
) -> Acknowledgement:
    """Have the next sync drop blocked columns in the destination."""
    await service.drop_columns(database, caller, connection_id, body)
    return acknowledge("The next sync drops the columns.")


@router.patch("/{schema}")
async def update_schema(
    connection_id: str, schema: SchemaName, body: SchemaUpdate, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[ConfigResponse]:
    """Change a schema."""
    config = await service.update_schema(database, caller, connection_id, schema, body)
    return success(config, "The schema has been changed.")


# Names of topics may hold slashes, so the longer paths come first.
@router.get("/{schema}/tables/{table:path}/columns")
async def list_columns(
    connection_id: str, schema: SchemaName, table: TableName, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[ColumnsResponse]:
    """List all known columns of a table."""
    return success(await service.get_columns(database, caller, connection_id, schema, table))


@router.patch("/{schema}/tables/{table:path}/columns/{column:path}")
async def update_column(
    connection_id: str,
    schema: SchemaName,
    table: TableName,
    column: ColumnName,
    body: ColumnUpdate,
    caller: CurrentUser,
    database: CurrentDatabase,
) -> Envelope[ConfigResponse]:
    """Change a column."""
    config = await service.update_column(database, caller, connection_id, schema, table, column, body)
    return success(config, "The column has been changed.")


@router.delete("/{schema}/tables/{table:path}/columns/{column:path}")
async def drop_column(
    connection_id: str,
    schema: SchemaName,
    table: TableName,
    column: ColumnName,
    caller: CurrentUser,
    database: CurrentDatabase,
) -> Acknowledgement:
    """Have the next sync drop a blocked column in the destination."""
    await service.drop_column(database, caller, connection_id, schema, table, column)
    return acknowledge("The next sync drops the column.")


@router.patch("/{schema}/tables/{table:table}")
async def update_table(
    connection_id: str,
    schema: SchemaName,
    table: TableName,
    body: TableUpdate,
    caller: CurrentUser,
    database: CurrentDatabase,
) -> Envelope[ConfigResponse]:
    """Change a table."""
    config = await service.update_table(database, caller, connection_id, schema, table, body)
    return success(config, "The table has been changed.")
