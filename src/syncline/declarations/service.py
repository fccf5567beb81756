"""What a service (a source or a destination) declares about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from syncline.declarations.configuration import Configuration
from syncline.declarations.errors import MissingField
from syncline.declarations.moves import moved_addresses, refuse_moved_secrets

ServiceType = Literal["Events", "Warehouse"]
"""What kind of service it is: a stream of messages to read, or a destination."""
Feature = Literal["API_CONFIGURABLE", "AUTHORIZATION_VIA_API", "COLUMN_HASHING", "DATA_BLOCKING", "RE_SYNC"]


@dataclass(frozen=True, slots=True)
class ServiceDeclaration:
    """A service: its identifier in the API, its name for people, and the shape of its settings."""

    service: str
    """The identifier, such as ``azure_service_bus``."""
    name: str
    description: str
    config: type[Configuration]
    auth: type[Configuration] | None = None
    """The shape of `auth`, for a service that has one. All of it is secret and never answered."""
    type: ServiceType = "Warehouse"
    features: Mapping[Feature, str] = field(default_factory=dict)
    """What a source supports, with a sentence on how."""

    def parse_auth(self, values: Mapping[str, Any] | None) -> Configuration | None:
        """`auth` of a request; None for a service without one.

        Raises:
            InvalidField: A field is unknown or wrong. `auth` of a service that has none may only be absent or empty.
        """
        if self.auth is None and values is None:
            return None
        return (self.auth or _NoAuth).parse({} if values is None else values, path="auth")

    def merge(
        self,
        config: Configuration,
        auth: Configuration | None,
        config_update: Mapping[str, Any] | None,
        auth_update: Mapping[str, Any] | None = None,
    ) -> tuple[Configuration, Configuration | None]:
        """`config` and `auth` with updates laid over them; an update that is None changes nothing.

        Raises:
            InvalidField: An update is wrong, or changes where a stored secret goes without sending it again.
        """
        merged = config if config_update is None else config.merge(config_update)
        merged_auth = auth
        if auth_update is not None:
            merged_auth = auth.merge(auth_update, path="auth") if auth is not None else self.parse_auth(auth_update)
        moved = moved_addresses(config, merged, path="config")
        if moved:
            refuse_moved_secrets(config, merged, config_update or {}, path="config", moved=moved)
        if moved and auth is not None and merged_auth is not None:
            refuse_moved_secrets(auth, merged_auth, auth_update or {}, path="auth", moved=moved)
        return merged, merged_auth

    def missing(self, config: Configuration, auth: Configuration | None = None) -> list[MissingField]:
        """What `config` and `auth` lack, taken together, in the order of their declaration."""
        missing = config.missing()
        if self.auth is not None:
            missing += (auth or self.auth()).missing(path="auth", given=config.effective())
        return missing


class _NoAuth(Configuration):
    """The `auth` of a service that has none."""
