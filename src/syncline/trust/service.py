"""Approving, listing and revoking what a connection or a destination may trust.

Approving twice is harmless: the record of the first time is answered. Revoking affects what is dialled from then on.
"""

from dataclasses import dataclass
from typing import Literal, TypeVar

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from syncline.api.authentication import Caller
from syncline.api.errors import NotFound
from syncline.api.paging import Page, paginate
from syncline.store.database import Database
from syncline.store.models import Connection, Destination, TrustedCertificate, TrustedFingerprint
from syncline.trust.certificates import approve_certificate as read_certificate
from syncline.trust.fingerprints import approve_host_key
from syncline.trust.hashes import identifier_of
from syncline.trust.schemas import ApproveCertificate, ApproveFingerprint

Record = TypeVar("Record", TrustedCertificate, TrustedFingerprint)

_NAMES = {TrustedCertificate: "Certificate", TrustedFingerprint: "Fingerprint"}


@dataclass(frozen=True, slots=True)
class Owner:
    """The connection or destination that trusts something."""

    kind: Literal["Connection", "Destination"]
    identifier: str

    @property
    def columns(self) -> dict[str, str]:
        """The column of a record that names this owner, and its value."""
        return {f"{self.kind.lower()}_id": self.identifier}

    def column(self, model: type[Record]) -> InstrumentedAttribute[str | None]:
        """The same as an attribute of the record's model."""
        return model.connection_id if self.kind == "Connection" else model.destination_id


async def approve_certificate(
    database: Database, caller: Caller, owner: Owner, request: ApproveCertificate
) -> TrustedCertificate:
    """Trust a certificate.

    Raises:
        NotFound: there is no such connection or destination.
        InvalidInput: it is no certificate, or the hash is another one's.
    """
    certificate = read_certificate(request.encoded_cert, request.hash)
    record = TrustedCertificate(
        **owner.columns,
        identifier=identifier_of(request.hash),
        hash=request.hash,
        sha256=certificate.sha256,
        encoded_cert=certificate.encoded,
        validated_by=caller.user_id,
    )
    return await _approve(database, caller, owner, TrustedCertificate, record)


async def approve_fingerprint(
    database: Database, caller: Caller, owner: Owner, request: ApproveFingerprint
) -> TrustedFingerprint:
    """Trust an SSH host key.

    Raises:
        NotFound: there is no such connection or destination.
        InvalidInput: it is no key, or the hash is another one's.
    """
    key = approve_host_key(request.public_key, request.hash)
    record = TrustedFingerprint(
        **owner.columns,
        identifier=identifier_of(request.hash),
        hash=request.hash,
        sha256=key.sha256,
        public_key=key.public_key,
        validated_by=caller.user_id,
    )
    return await _approve(database, caller, owner, TrustedFingerprint, record)


async def list_trusted(
    database: Database, caller: Caller, owner: Owner, model: type[Record], page: Page
) -> tuple[list[Record], str | None]:
    """One page of what was approved, and the cursor of the next.

    Raises:
        NotFound: there is no such connection or destination.
    """
    async with database.session(read_only=True) as session:
        await _check_owner(session, caller, owner)
        statement = select(model).where(owner.column(model) == owner.identifier)
        return await paginate(session, statement, model.row_id, page)


async def get_trusted(database: Database, caller: Caller, owner: Owner, model: type[Record], identifier: str) -> Record:
    """One record, by its identifier or by its hash.

    Raises:
        NotFound: there is no such connection, destination or record.
    """
    async with database.session(read_only=True) as session:
        return await _find(session, caller, owner, model, identifier)


async def revoke(database: Database, caller: Caller, owner: Owner, model: type[Record], identifier: str) -> None:
    """Trust something no longer.

    Raises:
        NotFound: there is no such connection, destination or record.
    """
    async with database.session() as session:
        await session.delete(await _find(session, caller, owner, model, identifier))


async def _approve(database: Database, caller: Caller, owner: Owner, model: type[Record], record: Record) -> Record:
    known = select(model).where(owner.column(model) == owner.identifier, model.sha256 == record.sha256)
    try:
        async with database.session() as session:
            await _check_owner(session, caller, owner)
            found = await session.scalar(known)
            if found is None:
                session.add(record)
            return found or record
    except IntegrityError:  # approved, or its owner deleted, by another request at the same time
        async with database.session(read_only=True) as session:
            await _check_owner(session, caller, owner)
            return (await session.scalars(known)).one()


async def _find(session: AsyncSession, caller: Caller, owner: Owner, model: type[Record], identifier: str) -> Record:
    await _check_owner(session, caller, owner)
    statement = select(model).where(
        owner.column(model) == owner.identifier, or_(model.identifier == identifier, model.hash == identifier)
    )
    found = await session.scalar(statement)
    if found is None:
        listing = f"/v1/{owner.kind.lower()}s/{owner.identifier}/{_NAMES[model].lower()}s"
        raise NotFound(_NAMES[model], identifier, hint=f"GET {listing} lists those that were approved.")
    return found


async def _check_owner(session: AsyncSession, caller: Caller, owner: Owner) -> None:
    found: Connection | Destination | None = await session.get(
        Connection if owner.kind == "Connection" else Destination, owner.identifier
    )
    if found is None or found.account_id != caller.account_id:
        raise NotFound(owner.kind, owner.identifier)
