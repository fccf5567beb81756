"""Every setting of Syncline, its default and its environment variable.

Each field is read from ``SYNCLINE_<FIELD NAME>``; nothing else in the code reads the environment.
"""

import ipaddress
import re
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*(?=[A-Za-z0-9_-]*[A-Za-z_]){_LABEL}\.?")
"""A name, perhaps after ``*.``. The last label of one is never a number."""


class Settings(BaseSettings):
    """The settings of one Syncline process. Sizes are in bytes, times in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="SYNCLINE_", extra="ignore")

    home: Path = Field(
        default_factory=lambda: Path.home() / ".syncline",
        description="Folder of everything Syncline keeps on this machine.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL of the store, `postgresql://...` for more than one machine. "
        "Unset: the SQLite file `syncline.db` in the home folder.",
    )
    sealing_keys: SecretStr | None = Field(
        default=None,
        description="Comma-separated Fernet keys; the first seals, all open. Unset: the file `sealing.key` in the "
        "home folder, made at the first start.",
    )

    host: str = Field(default="127.0.0.1", description="Address that the server listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that the server listens on; 0 picks a free one.")
    public_url: str | None = Field(
        default=None, description="Base URL that people reach this server at, for Connect Card links."
    )

    request_head_timeout: float = Field(
        default=10.0, gt=0, description="How long the first line and the headers of a request may take to arrive."
    )
    request_body_timeout: float = Field(
        default=30.0, gt=0, description="How long the body of a request may take to arrive."
    )
    keep_alive_timeout: float = Field(
        default=5.0, gt=0, description="How long a connection of a client may be idle between two requests."
    )
    most_connections: int = Field(
        default=1_000,
        ge=1,
        description="Open connections of all clients together; never more than half of the files that the process may "
        "open.",
    )

    allowed_hosts: str | None = Field(
        default=None,
        description="Comma-separated names, names after `*.`, addresses and networks: the only hosts that sources and "
        "destinations may have. Unset: any, as `private_hosts` says.",
    )
    private_hosts: bool = Field(
        default=True,
        description="Whether sources and destinations may be on this machine and its private networks without being "
        "named in `allowed_hosts`. Turn it off where users are not the operators.",
    )

    concurrent_syncs: int = Field(default=2, ge=1, le=64, description="Syncs that run at the same time.")
    trial_days: int = Field(
        default=14, ge=0, description="Days until a connection with `pause_after_trial` is paused; 0: it never is."
    )
    scheduler_interval: float = Field(default=1.0, gt=0, description="Pause between two looks for due connections.")
    stop_grace: float = Field(
        default=10.0,
        ge=0,
        description="How long a running sync may take to stop by itself before it is killed.",
    )

    batch_rows: int = Field(default=20_000, ge=1, description="Most messages in one load.")
    batch_bytes: int = Field(default=32 * 1024 * 1024, ge=1024, description="Most bytes of message bodies in one load.")
    maximum_columns: int | None = Field(
        default=None,
        ge=20,
        description="Columns of a table beyond which fields share the column value_other; unset: the destination's.",
    )
    concurrent_streams: int = Field(default=2, ge=1, le=64, description="Topics of one connection read side by side.")

    setup_test_timeout: float = Field(default=15.0, gt=0, description="Limit of one setup test.")
    setup_tests_timeout: float = Field(default=60.0, gt=0, description="Limit of all setup tests of a connection.")

    requests_per_hour: int = Field(default=20_000, ge=0, description="Most requests of an account an hour; 0: any.")
    setup_test_requests_per_minute: int = Field(
        default=250, ge=0, description="Most requests of an account a minute that run setup tests; 0: any."
    )
    setup_test_requests_per_hour: int = Field(
        default=2_500, ge=0, description="Most requests of an account an hour that run setup tests; 0: any."
    )
    source_requests_per_minute: int = Field(
        default=500, ge=0, description="Most requests of an account a minute that talk to a source; 0: any."
    )
    source_requests_per_hour: int = Field(
        default=5_000, ge=0, description="Most requests of an account an hour that talk to a source; 0: any."
    )

    log_format: Literal["auto", "json", "text"] = Field(
        default="auto",
        description="`json` for one object a line, `text` for people; `auto` is text on a terminal.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO")

    @field_validator("allowed_hosts")
    @classmethod
    def _check_allowed_hosts(cls, text: str | None) -> str | None:
        for entry in _entries(text):
            if not _HOST_NAME.fullmatch(entry):
                try:
                    ipaddress.ip_network(entry)
                except ValueError as error:
                    raise ValueError(
                        f"{entry!r} is no name such as bus.example.com or *.example.com, and no address or network "
                        f"such as 10.1.0.0/16: {error}"
                    ) from None
        if text is not None and not _entries(text):
            raise ValueError("it names no host: leave it unset to allow any")
        return text

    @property
    def listed_hosts(self) -> list[str]:
        """The entries of `allowed_hosts`."""
        return _entries(self.allowed_hosts)

    @cached_property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store, without a driver name for PostgreSQL and SQLite alike."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'syncline.db'}"


def _entries(text: str | None) -> list[str]:
    return [entry.strip() for entry in (text or "").split(",") if entry.strip()]
