"""What setup tests look at. Tests take their time; what they found counts only for the setup that they saw."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect

from syncline.store.models import Connection


@dataclass(frozen=True, slots=True)
class Setup:
    """The part of a connection that its setup tests depend on."""

    config: dict[str, Any]
    sealed_secrets: str | None
    """Sealed anew only when they change, so the same text means the same secrets."""
    networking: tuple[str | None, ...]

    @classmethod
    def of(cls, connection: Connection) -> "Setup":
        """The present setup of a connection."""
        return cls(
            connection.config,
            connection.sealed_secrets,
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
