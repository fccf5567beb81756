"""Schemas, and how messages name them."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SchemaId:
    """A schema by its number in a registry."""

    number: int

    @property
    def path(self) -> str:
        """Where the registry has it."""
        return f"/schemas/ids/{self.number}"

    def __str__(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class SchemaGuid:
    """A schema by its GUID, which stays the same in all registries that it was copied to."""

    guid: UUID

    @property
    def path(self) -> str:
        """Where the registry has it."""
        return f"/schemas/guids/{self.guid}"

    def __str__(self) -> str:
        return str(self.guid)


@dataclass(frozen=True, slots=True)
class AzureSchemaId:
    """A schema of Azure Schema Registry: 32 hexadecimal digits."""

    hexadecimal: str

    @property
    def path(self) -> str:
        """Where the registry has it. It answers with the schema itself."""
        return f"/$schemaGroups/$schemas/{self.hexadecimal}?api-version=2023-07-01"

    def __str__(self) -> str:
        return self.hexadecimal


SchemaIdentifier = SchemaId | SchemaGuid | AzureSchemaId


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema as a registry has it, with all schemas that it refers to."""

    text: str
    kind: str
    """AVRO, PROTOBUF or JSON."""
    references: dict[str, str] = field(default_factory=dict)
    """The text of each schema that this one needs, itself or through another, by the name it is referred to (a type's
    in Avro, a file's in Protobuf). What a schema needs comes before it."""


class UnknownSchema(LookupError):  # noqa: N818 - says it all without a suffix
    """No registry knows this schema. The text says which, and who was asked."""


class UnusableSchema(ValueError):  # noqa: N818 - says it all without a suffix
    """The registry has this schema, but messages cannot be decoded with it. The text says why."""
