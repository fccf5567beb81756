"""What the errors of drivers and of dlt mean for a person."""

from collections.abc import Callable, Iterable

from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.exceptions import MissingDependencyException
from dlt.destinations.exceptions import DestinationConnectionError

from syncline.networking import chain, own_words
from syncline.warehouses.errors import WarehouseError, WarehouseUnavailable, first_reason, reason
from syncline.warehouses.refusals import rows_refused


class CannotConnect(Exception):  # noqa: N818 - says it all without a suffix
    """No connection could be opened. The cause is the driver's error."""


def explainer(
    service: str, extra: str, secrets: Iterable[str], refusals: str = "", *, repeats_answers: bool = False
) -> Callable[[BaseException], WarehouseError]:
    """Makes a ``WarehouseError`` of whatever was raised while talking to `service`; `secrets` stay out of it.
    `refusals` is a regular expression for how it refuses rows, where nothing but its words tells. A driver that
    `repeats_answers` of whatever server it met is not quoted when no connection came about."""
    hidden = tuple(secrets)

    def explain(error: BaseException) -> WarehouseError:
        if (refused := rows_refused(service, error, refusals, hidden)) is not None:
            return refused
        for cause in chain(error):
            if isinstance(cause, WarehouseError):
                return cause
            if isinstance(cause, (CannotConnect, DestinationConnectionError, ConnectionError, TimeoutError)):
                inner = cause.__cause__ or cause
                if isinstance(inner, (ModuleNotFoundError, MissingDependencyException)):
                    return missing_driver(service, extra)
                return WarehouseUnavailable(
                    f"{service} cannot be reached: "
                    + (own_words(inner, "it refused the connection") if repeats_answers else reason(inner, hidden)),
                    "Check the address, the credentials, and that the service accepts connections from here.",
                )
            if isinstance(cause, (ModuleNotFoundError, MissingDependencyException)):
                return missing_driver(service, extra)
            if isinstance(cause, ConfigurationException):
                return WarehouseError(
                    f"The settings of the {service} destination cannot be used: {reason(cause, hidden)}",
                    "Correct its config.",
                )
        return WarehouseError(f"{service} refused the load: {first_reason(error, hidden)}")

    return explain


def missing_driver(service: str, extra: str) -> WarehouseError:
    """The error for a driver that is not installed."""
    return WarehouseError(
        f"The driver for {service} is not installed.",
        f"Install it where Syncline runs: pip install 'syncline[{extra}]'. Then start Syncline again.",
    )
