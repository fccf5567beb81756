"""What setup tests look at. Tests take their time; what they found counts only for the setup that they saw."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect

from syncline.engine.context import open_secrets
from syncline.store.models import Connection
from syncline.store.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Setup:
    """The part of a connection that its setup tests depend on."""

    config: dict[str, Any]
    secrets: dict[str, Any]
    networking: tuple[str | None, ...]

    @classmethod
    def of(cls, connection: Connection, sealer: Sealer) -> "Setup":
        """The present setup of a connection.

        Raises:
            SealingError: its secrets cannot be opened with the present keys.
        """
        return cls(
            connection.config,
            open_secrets(sealer, connection.sealed_secrets),
            (
                connection.networking_method,
                connection.private_link_id,
                connection.proxy_agent_id,
                connection.hybrid_deployment_agent_id,
                connection.local_processing_agent_id,
            ),
        )

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Setup(networking={self.networking})"


def copy_of(connection: Connection) -> Connection:
    """A copy that belongs to no session, to try changes on."""
    columns = inspect(Connection).column_attrs
    return Connection(**{column.key: getattr(connection, column.key) for column in columns})
