"""The connection string of a Service Bus namespace, as the Azure portal shows it.

The official SDK parses it too, but its errors do not name the part that is wrong. Messages here never repeat any of
the text: it holds a key.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

_KNOWN = {
    "endpoint": "Endpoint",
    "sharedaccesskeyname": "SharedAccessKeyName",
    "sharedaccesskey": "SharedAccessKey",
    "sharedaccesssignature": "SharedAccessSignature",
    "entitypath": "EntityPath",
    "usedevelopmentemulator": "UseDevelopmentEmulator",
}
_EXAMPLE = "Endpoint=sb://<namespace>.servicebus.windows.net/;SharedAccessKeyName=<name>;SharedAccessKey=<key>"
_COPY = "copy it whole from the namespace's page, under Shared access policies"


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """The parts of a connection string."""

    host: str
    port: int | None
    key_name: str | None = None
    key: str | None = field(default=None, repr=False)
    signature: str | None = field(default=None, repr=False)
    entity_path: str | None = None
    """The one entity it is limited to."""
    development_emulator: bool = False
    """Whether it leads to an emulator: plain TCP instead of TLS."""

    @property
    def signature_expires_at(self) -> datetime | None:
        """When a shared access signature ends; None for a key, or when it does not say."""
        seconds = _signature_fields(self.signature or "").get("se", "")
        try:
            return datetime.fromtimestamp(int(seconds), UTC)
        except (ValueError, OverflowError, OSError):
            return None


def parse_connection_string(text: str) -> ConnectionString:
    """The parts of a connection string. Names of parts may be in any case.

    Raises:
        ValueError: A part is missing, stands twice or is malformed; the message says which, without quoting the text.
    """
    parts = _parts(text)
    host, port = _endpoint(parts.get("endpoint"))
    key_name, key = parts.get("sharedaccesskeyname"), parts.get("sharedaccesskey")
    signature = parts.get("sharedaccesssignature")
    _check_credentials(key_name, key, signature)
    entity_path = (parts.get("entitypath") or "").strip("/") or None
    if entity_path is not None and len(entity_path) > 260:
        raise ValueError("has an EntityPath of more than 260 characters, which no entity's name has")
    return ConnectionString(
        host=host,
        port=port,
        key_name=key_name,
        key=key,
        signature=signature,
        entity_path=entity_path,
        development_emulator=parts.get("usedevelopmentemulator", "").lower() == "true",
    )


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip().split(";"):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        known = name.strip().lower()
        if not equals:
            raise ValueError(f"is not a connection string: parts have the form Name=Value; {_COPY}, such as {_EXAMPLE}")
        if known in parts:
            raise ValueError(f"has {_KNOWN.get(known, 'a part')} twice: {_COPY}")
        parts[known] = value.strip()
    return parts


def _endpoint(endpoint: str | None) -> tuple[str, int | None]:
    if not endpoint:
        raise ValueError(f"has no Endpoint: {_COPY}, such as {_EXAMPLE}")
    advice = "has a malformed Endpoint: it has the form sb://<namespace>.servicebus.windows.net/"
    try:
        address = urlsplit(endpoint)
        host, port = address.hostname, address.port
    except ValueError:
        raise ValueError(advice) from None
    if address.scheme.lower() not in ("sb", "amqp", "amqps", "https", "http") or not host or address.username:
        raise ValueError(advice)
    return host, port


def _check_credentials(key_name: str | None, key: str | None, signature: str | None) -> None:
    if key and signature:
        raise ValueError("has both SharedAccessKey and SharedAccessSignature: keep one of them")
    if signature:
        missing = [name for name in ("sr", "sig", "se") if name not in _signature_fields(signature)]
        if missing:
            raise ValueError(f"has a SharedAccessSignature without {', '.join(missing)}: make a new one")
        return
    if not key or not key_name:
        missing_part = "SharedAccessKey" if key_name else "SharedAccessKeyName" if key else "SharedAccessKeyName and"
        hint = " SharedAccessKey (or SharedAccessSignature)" if not key and not key_name else ""
        raise ValueError(f"has no {missing_part}{hint}: {_COPY}")


def _signature_fields(signature: str) -> dict[str, str]:
    _, _, fields = signature.rpartition("SharedAccessSignature ")
    return {name: values[0] for name, values in parse_qs(fields).items()}
