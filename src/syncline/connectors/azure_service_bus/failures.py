"""Errors of the SDK, as errors of a source: what happened, and what to do about it."""

from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusCommunicationError,
    ServiceBusConnectionError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.errors import (
    SourceConfigurationError,
    SourceError,
    SourceThrottled,
    SourceUnavailable,
    refused_host,
)
from syncline.networking import HostRefused, own_words

THROTTLED_SECONDS = 10.0
"""How long Service Bus wants to be left alone after it said that it is busy."""

CREDENTIALS_REMEDY = (
    "Check that the connection string is complete and current, that its policy still exists with that key, and that "
    "this machine's clock is right."
)
_CHECK_ADDRESS = "Check the namespace's name, that it exists, and that a firewall lets this machine reach it."


def source_error(error: Exception, namespace: Namespace, subject: str) -> SourceError:
    """The error of a source for an error that was raised while doing something with `subject`, such as "the
    subscription s of the topic t"."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, HostRefused):
        return refused_host(error)
    if isinstance(error, AzureError) and isinstance(error.inner_exception, SourceError):
        return error.inner_exception  # a credential's own error, which the SDK wrapped
    text = namespace.scrub(_one_line(str(error)))
    if requires_session(error):
        return SourceConfigurationError(
            f"{subject} requires sessions, which cannot be browsed.",
            "Set config.read_mode to Drain, or read through a subscription that does not require sessions.",
        )
    if isinstance(error, HttpResponseError):
        return _from_http(error, subject)
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        reason = own_words(error, "it does not answer as the administration API does")
        return SourceUnavailable(f"{namespace.address.dialled_host} could not be reached: {reason}.", _CHECK_ADDRESS)
    if isinstance(error, ServiceBusError):
        return _from_service_bus(error, namespace, subject, text)
    if isinstance(error, AzureError | OSError | TimeoutError):
        return SourceUnavailable(f"{subject} could not be read: {text}", _CHECK_ADDRESS)
    return SourceError(f"{subject} could not be read: {type(error).__name__}: {text}", "Please report it.")


def _from_service_bus(error: ServiceBusError, namespace: Namespace, subject: str, text: str) -> SourceError:
    match error:
        case ServiceBusServerBusyError():
            return SourceThrottled(
                f"Service Bus is busy and refused to read {subject}.",
                "The sync goes on by itself in a moment; if this repeats, use a larger namespace.",
                retry_after_seconds=THROTTLED_SECONDS,
            )
        case ServiceBusAuthenticationError() | ServiceBusAuthorizationError():
            return SourceConfigurationError(
                f"Service Bus refused the credentials for {subject}: {text}",
                f"They need the Listen claim. {CREDENTIALS_REMEDY}",
            )
        case MessagingEntityNotFoundError():
            return SourceConfigurationError(
                f"Service Bus does not know {subject}.",
                "Create it, or correct config.topics, config.queues and config.subscriber_name.",
            )
        case MessagingEntityDisabledError():
            return SourceConfigurationError(
                f"{subject} is disabled: {text}", "Set its status to Active in the Azure portal."
            )
        case ServiceBusQuotaExceededError():
            return SourceUnavailable(f"Service Bus refused to read {subject}: {text}", "Close other connections to it.")
        case ServiceBusConnectionError() | ServiceBusCommunicationError() | OperationTimeoutError():
            return SourceUnavailable(f"The connection to {namespace.address} failed: {text}", _CHECK_ADDRESS)
    return SourceUnavailable(f"Service Bus could not read {subject}: {text}", "If this repeats, please report it.")


def _from_http(error: HttpResponseError, subject: str) -> SourceError:
    match error.status_code:
        case 401 | 403:
            return SourceConfigurationError(
                f"The administration API of the namespace refused the credentials for {subject}.",
                "They need the Manage claim: use a policy that has it, or set config.has_manage_permissions to false "
                f"and name topics and subscription. {CREDENTIALS_REMEDY}",
            )
        case 404:
            return SourceConfigurationError(
                f"Service Bus does not know {subject}.",
                "Create it, or correct config.topics, config.queues and config.subscriber_name.",
            )
        case 429 | 503:
            return SourceThrottled(
                f"The administration API of the namespace is busy and refused {subject}.",
                "The sync goes on by itself in a moment.",
                retry_after_seconds=THROTTLED_SECONDS,
            )
    return SourceUnavailable(
        f"The administration API of the namespace failed for {subject} (status {error.status_code or 'unknown'}).",
        "If this repeats, see that the address is that of a namespace.",
    )


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 500 else f"{line[:500]}..."


def requires_session(error: Exception) -> bool:
    """Whether an error of the SDK means that messages can only be received by session."""
    return isinstance(error, ServiceBusError) and "requires sessions" in str(error)


def is_refusal(error: Exception) -> bool:
    """Whether an error of the SDK means that the credentials were refused."""
    return isinstance(error, ServiceBusAuthenticationError | ServiceBusAuthorizationError)
