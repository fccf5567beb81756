"""Request and response models of trust."""

from typing import Annotated

from pydantic import Field

from syncline.api.models import RequestModel, ResponseModel, Timestamp
from syncline.store.models import TrustedCertificate, TrustedFingerprint
from syncline.trust.certificates import read_stored

Hash = Annotated[str, Field(min_length=1, max_length=200, description="SHA-256, in base64 or hexadecimal.")]
EncodedCertificate = Annotated[
    str, Field(min_length=1, max_length=100_000, description="The certificate's DER form in base64.")
]
PublicKey = Annotated[str, Field(min_length=1, max_length=20_000, description="One line in OpenSSH form.")]


class ApproveCertificate(RequestModel):
    """The body of a request that approves a certificate."""

    hash: Hash
    encoded_cert: EncodedCertificate


class ApproveFingerprint(RequestModel):
    """The body of a request that approves an SSH host key."""

    hash: Hash
    public_key: PublicKey


class TrustCertificate(ApproveCertificate):
    """The body of the older request, which names the connection or the destination in it."""

    connection_id: str | None = None
    destination_id: str | None = None


class CertificateResponse(ResponseModel):
    """An approved certificate, as answered."""

    id: str
    name: str
    hash: str
    type: str
    sha1: str
    sha256: str
    public_key: str
    validated_date: Timestamp
    validated_by: str

    @classmethod
    def of(cls, stored: TrustedCertificate) -> "CertificateResponse":
        """Answer a certificate of the store."""
        certificate = read_stored(stored.encoded_cert)
        return cls(
            id=stored.identifier,
            name=certificate.name,
            hash=stored.hash,
            type="TLS",
            sha1=certificate.sha1,
            sha256=certificate.sha256,
            public_key=certificate.public_key,
            validated_date=stored.validated_at,
            validated_by=stored.validated_by,
        )


class FingerprintResponse(ResponseModel):
    """An approved SSH host key, as answered."""

    id: str
    hash: str
    public_key: str
    validated_date: Timestamp
    validated_by: str

    @classmethod
    def of(cls, stored: TrustedFingerprint) -> "FingerprintResponse":
        """Answer a host key of the store."""
        return cls(
            id=stored.identifier,
            hash=stored.hash,
            public_key=stored.public_key,
            validated_date=stored.validated_at,
            validated_by=stored.validated_by,
        )
