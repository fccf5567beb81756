"""What can be done with destinations."""

import asyncio
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.authentication import Caller
from syncline.api.errors import Conflict, NotFound
from syncline.api.paging import Page, paginate
from syncline.declarations import Configuration
from syncline.destinations.schemas import CreateDestination, DestinationResponse, ListedDestination
from syncline.destinations.setup_tests import run_setup_tests, status_after
from syncline.engine.context import home_of
from syncline.networking import HostPolicy, refuse_hosts
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Destination, Group
from syncline.store.sealing import Sealer
from syncline.store.stored_secrets import seal_into
from syncline.warehouses.base import Warehouse
from syncline.warehouses.registry import services, warehouse_for


async def create_destination(
    database: Database, sealer: Sealer, settings: Settings, caller: Caller, request: CreateDestination
) -> Destination:
    """Make the destination of a group, and test it unless the request says not to.

    Raises:
        NotFound: there is no such group or no such service.
        InvalidField: the config has an unknown field, a wrong type or value, a path of the server's own files, or an
            address that is not to be connected to. Something merely missing is no error.
        Conflict: the group has a destination.
    """
    warehouse = find_warehouse(request.service)
    config = warehouse.declaration.config.parse(request.config)
    refuse_hosts(HostPolicy.of(settings), config)
    await asyncio.to_thread(config.check_places, home_of(settings))
    async with database.session(read_only=True) as session:
        await _check_group(session, caller, request.group_id)
    tests = []
    if request.run_setup_tests:
        tests = await run_setup_tests(warehouse, config, request.networking_method, settings)
    public, secret = config.split()
    destination = Destination(
        id=request.group_id,
        account_id=caller.account_id,
        service=request.service,
        region=request.region,
        time_zone_offset=request.time_zone_offset,
        daylight_saving_time_enabled=request.daylight_saving_time_enabled,
        networking_method=request.networking_method,
        setup_status=status_after(tests),
        config=public,
        attributes=request.attributes(),
        setup_tests=[test.model_dump() for test in tests],
        created_by=caller.user_id,
    )
    seal_into(destination, sealer, secret)
    try:
        async with database.session() as session:
            session.add(destination)
    except IntegrityError:
        raise _has_destination(request.group_id) from None
    return destination


async def get_destination(session: AsyncSession, caller: Caller, identifier: str) -> Destination:
    """One destination of the account.

    Raises:
        NotFound: there is none with this identifier.
    """
    destination = await session.get(Destination, identifier)
    if destination is None or destination.account_id != caller.account_id:
        raise NotFound("Destination", identifier)
    return destination


async def list_destinations(database: Database, caller: Caller, page: Page) -> tuple[list[Destination], str | None]:
    """One page of the account's destinations, and the cursor of the next."""
    statement = select(Destination).where(Destination.account_id == caller.account_id)
    async with database.session(read_only=True) as session:
        return await paginate(session, statement, Destination.id, page)


def find_warehouse(service: str) -> Warehouse:
    """The kind of warehouse that a service names.

    Raises:
        NotFound: with the services that there are.
    """
    known = [declaration.service for declaration in services()]
    if service not in known:
        raise NotFound("Integration", service, hint=f"As `service`, use one of {', '.join(sorted(known))}.")
    return warehouse_for(service)


def stored_config(destination: Destination, sealer: Sealer) -> Configuration:
    """The whole config of a destination, secrets included.

    Raises:
        SealingError: no key opens them.
    """
    secret = sealer.open(destination.sealed_secrets) if destination.sealed_secrets else {}
    return find_warehouse(destination.service).declaration.config.restore(destination.config, secret)


def present(destination: Destination) -> DestinationResponse:
    """A destination as it is answered."""
    declared = find_warehouse(destination.service).declaration.config
    return DestinationResponse.model_validate(
        {
            **_fields(destination),
            "setup_tests": destination.setup_tests,
            "config": declared.masked_answer(destination.config, destination.secret_fields or []),
        }
    )


def present_in_list(destination: Destination) -> ListedDestination:
    """A destination as lists answer it."""
    return ListedDestination.model_validate(_fields(destination))


def _fields(destination: Destination) -> dict[str, Any]:
    return {
        "id": destination.id,
        "group_id": destination.id,
        "service": destination.service,
        "region": destination.region,
        "time_zone_offset": destination.time_zone_offset,
        "setup_status": destination.setup_status,
        "daylight_saving_time_enabled": destination.daylight_saving_time_enabled,
        "networking_method": destination.networking_method,
        **destination.attributes,
    }


async def _check_group(session: AsyncSession, caller: Caller, group_id: str) -> None:
    group = await session.get(Group, group_id)
    if group is None or group.account_id != caller.account_id:
        raise NotFound("Group", group_id, hint="Create a group first, and send its id as `group_id`.")
    if await session.get(Destination, group_id) is not None:
        raise _has_destination(group_id)


def _has_destination(group_id: str) -> Conflict:
    return Conflict(f"The group '{group_id}' has a destination already. Create another group for another destination.")
