"""Changing, testing and deleting a destination.

Setup tests take their time, so they run outside any transaction. What they found is stored only if what they looked at
is still what is stored: of two changes at once, the first that ends wins and the other is told so.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.authentication import Caller
from syncline.api.errors import Conflict
from syncline.declarations import MASK, Configuration
from syncline.destinations.schemas import SetupTest, UpdateDestination
from syncline.destinations.service import find_warehouse, get_destination, stored_config
from syncline.destinations.setup_tests import run_setup_tests, status_after
from syncline.engine.context import home_of
from syncline.engine.runs import schedule_of
from syncline.engine.schedule import next_sync_at
from syncline.networking import HostPolicy, refuse_hosts
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Destination, Group, utc_now
from syncline.store.sealing import Sealer
from syncline.store.stored_secrets import open_or_replace, seal_into


async def update_destination(
    database: Database,
    sealer: Sealer,
    settings: Settings,
    caller: Caller,
    identifier: str,
    request: UpdateDestination,
) -> Destination:
    """Change what the request names, and test the destination when that needs it and the request does not forbid it.

    A change of `config` or `networking_method` needs a test; without one the destination is incomplete again.

    Raises:
        NotFound: there is no such destination.
        InvalidField: the config is wrong, has a path of the server's own files or an address that is not to be
            connected to, or changes where a stored secret goes
            without sending it again.
        Conflict: the destination was changed meanwhile.
        SealingError: the stored secrets are needed, and no key opens them.
    """
    async with database.session(read_only=True) as session:
        destination = await get_destination(session, caller, identifier)
    seen = _Tested.of(destination)
    changed = _changed_config(destination, sealer, request.config) if request.config is not None else None
    if changed is not None:
        refuse_hosts(HostPolicy.of(settings), changed, (request.config or {}).keys())
        await asyncio.to_thread(changed.check_places, home_of(settings))
    method = request.networking_method or destination.networking_method
    needs_test = changed is not None or method != destination.networking_method
    tests: list[SetupTest] | None = [] if needs_test else None
    if request.run_setup_tests or (needs_test and request.run_setup_tests is None):
        tests = await _test(destination, changed or stored_config(destination, sealer), method, settings)
    async with database.session() as session:
        destination = await _locked(session, caller, identifier, seen if tests is not None else None)
        for name, value in request.columns().items():
            setattr(destination, name, value)
        attributes = {**destination.attributes, **request.attributes()}
        destination.attributes = {name: value for name, value in attributes.items() if value is not None}
        if changed is not None:
            destination.config, secret = changed.split()
            seal_into(destination, sealer, secret)
        if tests is not None:
            _store_tests(destination, tests)
        if request.time_zone_offset is not None or request.daylight_saving_time_enabled is not None:
            await session.flush()
            await _reschedule(session, identifier)
    return destination


def _changed_config(destination: Destination, sealer: Sealer, update: dict[str, Any]) -> Configuration | None:
    """The config with an update laid over it; None when it stays the same."""
    declaration = find_warehouse(destination.service).declaration
    secret = open_or_replace(destination, sealer, update, masked=MASK, path="config.")
    config = declaration.config.restore(destination.config, secret)
    changed, _ = declaration.merge(config, None, update)
    return changed if changed.values() != config.values() else None


async def test_destination(
    database: Database, sealer: Sealer, settings: Settings, caller: Caller, identifier: str
) -> Destination:
    """Run the setup tests of a destination and store what they found.

    Raises:
        NotFound: there is no such destination.
        Conflict: it was changed while it was tested.
    """
    async with database.session(read_only=True) as session:
        destination = await get_destination(session, caller, identifier)
    seen = _Tested.of(destination)
    tests = await _test(destination, stored_config(destination, sealer), destination.networking_method, settings)
    async with database.session() as session:
        destination = await _locked(session, caller, identifier, seen)
        _store_tests(destination, tests)
    return destination


async def delete_destination(database: Database, caller: Caller, identifier: str) -> None:
    """Delete a destination with the certificates and fingerprints that were approved for it.

    Raises:
        NotFound: there is no such destination.
        Conflict: its group has connections.
    """
    async with database.session() as session:
        # Whoever makes a connection locks the group too, so none slips in between the look and the deletion.
        await session.get(Group, identifier, with_for_update=True)
        destination = await get_destination(session, caller, identifier)
        count = await session.scalar(
            select(func.count()).select_from(Connection).where(Connection.group_id == identifier)
        )
        if count:
            raise Conflict(
                f"Destination '{identifier}' has {count} connection{'s' if count > 1 else ''} loading into it. "
                f"Delete what GET /v1/groups/{identifier}/connections lists first."
            )
        await session.delete(destination)


@dataclass(frozen=True, slots=True)
class _Tested:
    """What setup tests depend on, as it was stored."""

    config: object
    sealed_secrets: str | None
    networking_method: str

    @classmethod
    def of(cls, destination: Destination) -> "_Tested":
        return cls(destination.config, destination.sealed_secrets, destination.networking_method)


async def _test(destination: Destination, config: Configuration, method: str, settings: Settings) -> list[SetupTest]:
    warehouse = find_warehouse(destination.service)
    return await run_setup_tests(warehouse, config, method, settings)


async def _locked(session: AsyncSession, caller: Caller, identifier: str, seen: _Tested | None) -> Destination:
    """The destination, locked until the end of the transaction and unchanged since it was seen."""
    await session.get(Destination, identifier, with_for_update=True)
    destination = await get_destination(session, caller, identifier)
    if seen is not None and seen != _Tested.of(destination):
        raise Conflict(
            f"Destination '{identifier}' was changed by another request meanwhile. Look at what it is now, and send "
            "the request again if it is still wanted."
        )
    return destination


def _store_tests(destination: Destination, tests: Sequence[SetupTest]) -> None:
    destination.setup_tests = [test.model_dump() for test in tests]
    destination.setup_status = status_after(tests, destination.setup_status)


async def _reschedule(session: AsyncSession, group_id: str) -> None:
    """Move the next syncs of the group's connections to where the destination's time zone puts them now."""
    waiting = select(Connection).where(
        Connection.group_id == group_id, Connection.next_sync_at > utc_now(), Connection.rescheduled_for.is_(None)
    )
    for connection in await session.scalars(waiting):
        schedule = await session.run_sync(schedule_of, connection)
        connection.next_sync_at = next_sync_at(schedule, utc_now())
