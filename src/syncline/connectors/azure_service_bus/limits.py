"""What can be declared and stored already, but not be used yet."""

from dataclasses import dataclass

from syncline.connectors.azure_service_bus.config import AzureServiceBusConfig


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Something that this version cannot do."""

    message: str
    remedy: str


def unavailable_method(config: AzureServiceBusConfig) -> Unavailable | None:
    """Why the connection method cannot be used; None when it can."""
    names = {
        "SSH_TUNNEL": "Reaching a namespace through an SSH tunnel",
        "PRIVATE_LINK": "Reaching a namespace over a private link",
    }
    name = names.get(config.connection_method)
    if name is None:
        return None
    return Unavailable(
        f"{name} is not available yet.",
        "Set config.connection_method to DIRECT, and let this machine reach the namespace itself.",
    )
