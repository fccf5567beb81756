"""X.509 certificates: reading one that a client sent, and telling what it holds."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from syncline.api.errors import InvalidInput
from syncline.trust.hashes import read_sha256

_PEM = re.compile(r"-----(BEGIN|END) CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and what an answer tells of it."""

    name: str
    """The subject, as RFC 4514 writes it."""
    public_key: str
    """The public key, readable."""
    sha1: str
    sha256: str
    """Hashes of the DER form, in hexadecimal."""
    encoded: str
    """The DER form in base64."""


def approve_certificate(encoded: str, written_hash: str) -> Certificate:
    """The certificate that a client approves.

    Args:
        encoded: Its DER form in base64, or PEM.
        written_hash: The SHA-256 of its DER form.

    Raises:
        InvalidInput: it is no certificate, or not the one that the hash belongs to.
    """
    try:
        der = base64.b64decode("".join(_PEM.sub("", encoded).split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(
            "`encoded_cert` is not base64. Send the certificate's DER form in base64, as the failed setup test has it."
        ) from None
    certificate = _parse(der)
    digest = read_sha256(written_hash)
    if digest is None:
        raise InvalidInput(
            "`hash` is not a SHA-256 hash in base64 or hexadecimal. Send the one that the failed setup test has."
        )
    if digest != hashlib.sha256(der).digest():
        raise InvalidInput(
            "`hash` is not the SHA-256 hash of `encoded_cert`. Send the two as the failed setup test has them."
        )
    return certificate


def read_stored(encoded: str) -> Certificate:
    """A certificate that was approved earlier."""
    return _parse(base64.b64decode(encoded))


def _parse(der: bytes) -> Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        name = certificate.subject.rfc4514_string()
        public_key = _describe(certificate)
    except (ValueError, UnsupportedAlgorithm) as error:
        reason = str(error).partition("\n")[0][:200]
        raise InvalidInput(f"`encoded_cert` is not an X.509 certificate: {reason}.") from None
    return Certificate(
        name=name,
        public_key=public_key,
        sha1=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(der).hexdigest(),
        encoded=base64.b64encode(der).decode(),
    )


def _describe(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return f"RSA public key, {key.key_size} bits, modulus: {numbers.n}, public exponent: {numbers.e}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        return f"EC public key, {key.key_size} bits, curve: {key.curve.name}, x: {point.x}, y: {point.y}"
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
