"""From stored connections to answers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.connections.connect_card import make_connect_card
from syncline.connections.schemas import ConnectCardConfigResponse, ConnectionResponse, SetupTest, SyncDetails
from syncline.connections.status import derive_status
from syncline.connectors.registry import connector_for
from syncline.engine.schedule import DAILY
from syncline.store.models import Connection, Destination, Group, Notice, Run, utc_now
from syncline.store.sealing import Sealer


@dataclass(slots=True)
class _Related:
    """What an answer needs besides the connection itself."""

    group: Group
    destination: Destination | None = None
    latest_run: Run | None = None
    notices: list[Notice] = field(default_factory=list)


async def answer(session: AsyncSession, sealer: Sealer, base_url: str, connection: Connection) -> ConnectionResponse:
    """The answer for one connection."""
    (response,) = await answers(session, sealer, base_url, [connection])
    return response


async def answers(
    session: AsyncSession, sealer: Sealer, base_url: str, connections: Sequence[Connection]
) -> list[ConnectionResponse]:
    """The answers for connections, with as many queries for a thousand as for one.

    `base_url` is where people reach this server, for Connect Card links.
    """
    related = await _load_related(session, connections)
    now = utc_now()
    return [_response(connection, related[connection.id], sealer, base_url, now) for connection in connections]


async def _load_related(session: AsyncSession, connections: Sequence[Connection]) -> dict[str, _Related]:
    ids = [connection.id for connection in connections]
    groups_wanted = {connection.group_id for connection in connections}
    groups = {group.id: group for group in await session.scalars(select(Group).where(Group.id.in_(groups_wanted)))}
    destinations = {found.id: found for found in await session.scalars(_destinations(groups_wanted))}
    related = {
        connection.id: _Related(groups[connection.group_id], destinations.get(connection.group_id))
        for connection in connections
    }
    for run in await session.scalars(select(Run).where(Run.id.in_(_latest_runs(ids)))):
        related[run.connection_id].latest_run = run
    for notice in await session.scalars(select(Notice).where(Notice.connection_id.in_(ids))):
        related[notice.connection_id].notices.append(notice)
    return related


def _destinations(group_ids: Collection[str]) -> Select[Destination]:
    return select(Destination).where(Destination.id.in_(group_ids))


def _latest_runs(connection_ids: Sequence[str]) -> Select[str]:
    """The latest run of each connection, looked up in the index: a connection may have a great many."""
    latest = (
        select(Run.id)
        .where(Run.connection_id == Connection.id)
        .order_by(Run.queued_at.desc(), Run.id.desc())
        .limit(1)
        .correlate(Connection)
        .scalar_subquery()
    )
    return select(latest).where(Connection.id.in_(connection_ids))


def _response(
    connection: Connection, related: _Related, sealer: Sealer, base_url: str, now: datetime
) -> ConnectionResponse:
    card = connection.connect_card_config
    return ConnectionResponse(
        id=connection.id,
        service=connection.service,
        schema_name=connection.schema,
        paused=connection.paused,
        status=derive_status(connection, related.destination, related.latest_run, related.notices, now),
        daily_sync_time=connection.daily_sync_time if connection.sync_frequency == DAILY else None,
        succeeded_at=connection.succeeded_at,
        sync_frequency=connection.sync_frequency,
        group_id=connection.group_id,
        connected_by=connection.connected_by,
        setup_tests=[SetupTest(**test) for test in connection.setup_tests],
        source_sync_details=_sync_details(related.latest_run),
        service_version=connection.service_version,
        created_at=connection.created_at,
        failed_at=connection.failed_at,
        private_link_id=connection.private_link_id,
        proxy_agent_id=connection.proxy_agent_id,
        networking_method=connection.networking_method,
        connect_card=make_connect_card(connection, card, sealer, base_url, now) if card is not None else None,
        pause_after_trial=connection.pause_after_trial,
        data_delay_threshold=connection.data_delay_threshold,
        data_delay_sensitivity=connection.data_delay_sensitivity,
        schedule_type=connection.schedule_type,
        schedule=connection.schedule,
        local_processing_agent_id=connection.local_processing_agent_id,
        connect_card_config=ConnectCardConfigResponse(**card) if card is not None else None,
        hybrid_deployment_agent_id=connection.hybrid_deployment_agent_id,
        destination_schema_names=connection.destination_schema_names,
        config=_masked_config(connection) | {"public_key": related.group.public_key},
    )


def _masked_config(connection: Connection) -> dict[str, object]:
    paths = (path.split(".") for path in connection.secret_fields or [])
    secrets = {path[1] for path in paths if path[0] == "config"}
    return connector_for(connection.service).declaration.config.masked_answer(connection.config, secrets)


def _sync_details(run: Run | None) -> SyncDetails | dict[str, object]:
    if run is None:
        return {}
    return SyncDetails(
        run_id=run.id,
        state=run.state,
        trigger=run.trigger,
        queued_at=run.queued_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        rows=run.rows,
        bytes=run.bytes,
        batches=run.batches,
        rejected=run.rejected,
        error=run.error,
    )
