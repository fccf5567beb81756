"""The HTTP side of trust. Connections and destinations have the same operations, so each is written once."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentDatabase
from syncline.api.envelope import Acknowledgement, Envelope, Items, acknowledge, success
from syncline.api.errors import InvalidInput
from syncline.api.paging import RequestedPage
from syncline.store.models import TrustedCertificate, TrustedFingerprint
from syncline.trust import service
from syncline.trust.schemas import (
    ApproveCertificate,
    ApproveFingerprint,
    CertificateResponse,
    FingerprintResponse,
    TrustCertificate,
)
from syncline.trust.service import Owner

Kind = Literal["Connection", "Destination"]
RecordId = Annotated[str, Path(alias="hash", description="The identifier: base64url of the hash. Or the hash itself.")]

router = APIRouter(tags=["Trust"])


def _add_certificates(kind: Kind) -> None:
    word = kind.lower()
    path = f"/v1/{word}s/{{{word}_id}}/certificates"
    OwnerId = Annotated[str, Path(alias=f"{word}_id")]  # noqa: N806 - a type

    @router.get(path, name=f"list_{word}_certificates")
    async def list_certificates(
        owner_id: OwnerId, page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
    ) -> Envelope[Items[CertificateResponse]]:
        """List the certificates that were approved."""
        owner = Owner(kind, owner_id)
        found, cursor = await service.list_trusted(database, caller, owner, TrustedCertificate, page)
        items = [CertificateResponse.of(record) for record in found]
        return success(Items[CertificateResponse](items=items, next_cursor=cursor))

    @router.post(path, status_code=201, name=f"approve_{word}_certificate")
    async def approve_certificate(
        owner_id: OwnerId, body: ApproveCertificate, caller: CurrentUser, database: CurrentDatabase
    ) -> Envelope[CertificateResponse]:
        """Approve a certificate."""
        record = await service.approve_certificate(database, caller, Owner(kind, owner_id), body)
        return success(CertificateResponse.of(record), "The certificate has been approved.")

    @router.get(f"{path}/{{hash:path}}", name=f"get_{word}_certificate")
    async def get_certificate(
        owner_id: OwnerId, record_id: RecordId, caller: CurrentUser, database: CurrentDatabase
    ) -> Envelope[CertificateResponse]:
        """Retrieve an approved certificate."""
        owner = Owner(kind, owner_id)
        return success(
            CertificateResponse.of(await service.get_trusted(database, caller, owner, TrustedCertificate, record_id))
        )

    @router.delete(f"{path}/{{hash:path}}", name=f"revoke_{word}_certificate")
    async def revoke_certificate(
        owner_id: OwnerId, record_id: RecordId, caller: CurrentUser, database: CurrentDatabase
    ) -> Acknowledgement:
        """Revoke a certificate: it is trusted no longer."""
        await service.revoke(database, caller, Owner(kind, owner_id), TrustedCertificate, record_id)
        return acknowledge(f"Certificate '{record_id}' has been revoked for {word} '{owner_id}'")


def _add_fingerprints(kind: Kind) -> None:
    word = kind.lower()
    path = f"/v1/{word}s/{{{word}_id}}/fingerprints"
    OwnerId = Annotated[str, Path(alias=f"{word}_id")]  # noqa: N806 - a type

    @router.get(path, name=f"list_{word}_fingerprints")
    async def list_fingerprints(
        owner_id: OwnerId, page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
    ) -> Envelope[Items[FingerprintResponse]]:
        """List the SSH host keys that were approved."""
        owner = Owner(kind, owner_id)
        found, cursor = await service.list_trusted(database, caller, owner, TrustedFingerprint, page)
        items = [FingerprintResponse.of(record) for record in found]
        return success(Items[FingerprintResponse](items=items, next_cursor=cursor))

    @router.post(path, status_code=201, name=f"approve_{word}_fingerprint")
    async def approve_fingerprint(
        owner_id: OwnerId, body: ApproveFingerprint, caller: CurrentUser, database: CurrentDatabase
    ) -> Envelope[FingerprintResponse]:
        """Approve an SSH host key."""
        record = await service.approve_fingerprint(database, caller, Owner(kind, owner_id), body)
        return success(FingerprintResponse.of(record), "The fingerprint has been approved.")

    @router.get(f"{path}/{{hash:path}}", name=f"get_{word}_fingerprint")
    async def get_fingerprint(
        owner_id: OwnerId, record_id: RecordId, caller: CurrentUser, database: CurrentDatabase
    ) -> Envelope[FingerprintResponse]:
        """Retrieve an approved SSH host key."""
        owner = Owner(kind, owner_id)
        return success(
            FingerprintResponse.of(await service.get_trusted(database, caller, owner, TrustedFingerprint, record_id))
        )

    @router.delete(f"{path}/{{hash:path}}", name=f"revoke_{word}_fingerprint")
    async def revoke_fingerprint(
        owner_id: OwnerId, record_id: RecordId, caller: CurrentUser, database: CurrentDatabase
    ) -> Acknowledgement:
        """Revoke an SSH host key: it is trusted no longer."""
        await service.revoke(database, caller, Owner(kind, owner_id), TrustedFingerprint, record_id)
        return acknowledge(f"Fingerprint with hash '{record_id}' has been revoked for {word} with id '{owner_id}'")


_KINDS: tuple[Kind, ...] = ("Connection", "Destination")
for _kind in _KINDS:
    _add_certificates(_kind)
    _add_fingerprints(_kind)


@router.post("/v1/certificates", deprecated=True)
async def approve_certificate(
    body: TrustCertificate, caller: CurrentUser, database: CurrentDatabase
) -> Acknowledgement:
    """Approve a certificate. Use the operations of the connection or the destination instead."""
    if (body.connection_id is None) == (body.destination_id is None):
        raise InvalidInput("Send either `connection_id` or `destination_id`: whose certificate it is.")
    owner = (
        Owner("Connection", body.connection_id)
        if body.connection_id is not None
        else Owner("Destination", body.destination_id or "")
    )
    request = ApproveCertificate(hash=body.hash, encoded_cert=body.encoded_cert)
    await service.approve_certificate(database, caller, owner, request)
    return acknowledge("The certificate has been approved.")
