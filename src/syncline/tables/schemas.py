"""Request and response models of the schema config."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from syncline.api.models import RequestModel, ResponseModel

Handling = Literal["ALLOW_ALL", "ALLOW_COLUMNS", "BLOCK_ALL"]
Mode = Literal["SOFT_DELETE", "HISTORY", "LIVE"]
Exclusion = Literal["PRESERVE", "INCLUDE", "EXCLUDE"]

Name = Annotated[str, Field(min_length=1, max_length=500)]
ColumnName = Annotated[str, Field(min_length=1, max_length=10_000)]

_HANDLING = (
    "What happens with tables and columns that appear in the source after the first sync. ALLOW_ALL syncs both, "
    "ALLOW_COLUMNS columns alone, BLOCK_ALL neither; what is not allowed is known and disabled."
)


class ColumnUpdate(RequestModel):
    """What to change of a column."""

    enabled: bool | None = Field(None, description="Whether it is written. A blocked column stays, new rows lack it.")
    hashed: bool | None = Field(None, description="Whether a salted hash is written in place of its values.")
    is_primary_key: bool | None = Field(None, description="Cannot be changed: what it is already is taken.")


class TableUpdate(RequestModel):
    """What to change of a table."""

    enabled: bool | None = Field(None, description="Whether it is synced. A disabled one keeps its place.")
    sync_mode: Mode | None = Field(
        None, description="HISTORY keeps a row for each delivery of a message; the others keep its latest delivery."
    )
    columns: dict[ColumnName, ColumnUpdate] | None = Field(None, description="Columns, by the source's names.")


class SchemaUpdate(RequestModel):
    """What to change of a schema."""

    enabled: bool | None = Field(None, description="Whether any of its tables is synced.")
    tables: dict[Name, TableUpdate] | None = Field(None, description="Tables, by the source's names.")


class SetUpRequest(RequestModel):
    """A schema config for a connection whose source was not looked at yet."""

    schemas: dict[Name, SchemaUpdate] = Field(description="The schema, by its name.")
    schema_change_handling: Handling = Field("ALLOW_ALL", description=_HANDLING)


class ConfigUpdate(RequestModel):
    """What to change of a schema config."""

    schemas: dict[Name, SchemaUpdate] | None = Field(None, description="The schema, by its name.")
    schema_change_handling: Handling | None = Field(None, description=_HANDLING)
    is_type_locked: bool | None = Field(
        None,
        description="Whether columns keep their types. A column's type is the one that it has at the end of the first "
        "sync with the lock. Values that do not fit it are left empty, with a warning.",
    )


class ReloadRequest(RequestModel):
    """How to look at the source anew."""

    exclude_mode: Exclusion = Field(
        "PRESERVE", description="PRESERVE keeps what is enabled, INCLUDE enables every table, EXCLUDE disables every."
    )


class DropTable(RequestModel):
    """Columns of one table."""

    columns: list[ColumnName] = Field(min_length=1, description="Blocked columns, by the source's names.")


class DropSchema(RequestModel):
    """Tables of one schema."""

    tables: dict[Name, DropTable] = Field(description="Tables, by the source's names.")


class DropRequest(RequestModel):
    """The columns to drop in the destination."""

    schemas: dict[Name, DropSchema] = Field(description="The schema, by its name.")


class _WithoutNulls(ResponseModel):
    """Leaves out what there is nothing to say about."""

    @model_serializer(mode="wrap")
    def _without_nulls(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        return {name: value for name, value in values.items() if value is not None}


class TablePatchSettings(_WithoutNulls):
    """Whether a table can be enabled and disabled."""

    allowed: bool
    reason_code: Literal["SYSTEM_TABLE", "DELETED", "OTHER"] | None = None
    reason: str | None = None


class ColumnPatchSettings(_WithoutNulls):
    """Whether a column can be enabled and disabled."""

    allowed: bool
    reason_code: Literal["SYSTEM_COLUMN", "DELETED", "OTHER"] | None = None
    reason: str | None = None


class ColumnResponse(ResponseModel):
    """A column, as answered."""

    name_in_destination: str
    enabled: bool
    hashed: bool
    is_primary_key: bool
    enabled_patch_settings: ColumnPatchSettings


class TableResponse(ResponseModel):
    """A table, as answered, with the columns that a request ever set something of."""

    name_in_destination: str
    enabled: bool
    sync_mode: Mode
    supports_columns_config: bool = True
    supports_history_mode: bool = True
    enabled_patch_settings: TablePatchSettings
    columns: dict[str, ColumnResponse]


class SchemaResponse(ResponseModel):
    """A schema, as answered."""

    name_in_destination: str
    enabled: bool
    tables: dict[str, TableResponse]


class ConfigResponse(ResponseModel):
    """A schema config, as answered."""

    enable_new_by_default: bool
    """Whether `schema_change_handling` is ALLOW_ALL: for clients that knew no other choice."""
    schema_change_handling: Handling
    schemas: dict[str, SchemaResponse]


class ColumnsResponse(ResponseModel):
    """All columns of a table that are known."""

    columns: dict[str, ColumnResponse]
