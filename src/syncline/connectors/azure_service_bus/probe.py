"""Whether a namespace answers at all: TCP, TLS and the first bytes of AMQP, within a time limit.

The SDK is no good for this question: it waits without a limit for the TLS handshake of a server that keeps silent.
"""

import asyncio
import ssl
from socket import gaierror

from syncline.connectors.azure_service_bus.connect import Address
from syncline.connectors.azure_service_bus.tls import namespace_context
from syncline.networking import HostPolicy, HostRefused

_SASL_HEADER = b"AMQP\x03\x01\x00\x00"
"""AMQP 1.0 part 5, section 5.3.2."""


async def unreachable(address: Address, hosts: HostPolicy) -> tuple[str, str] | None:
    """What is wrong with an address and what to do about it; None when AMQP answers there. Cancel it to end it."""
    try:
        reader, writer = await _connected(address, hosts)
    except HostRefused as error:
        return error.message, error.remedy
    except gaierror:
        return f"The name {address.dialled_host} is not known.", "Check the namespace's name and this machine's DNS."
    except ssl.SSLCertVerificationError as error:
        return (
            f"The certificate of {address} is not trusted for {address.host}: {error.verify_message}.",
            "Check the namespace's name; if a proxy stands between, it must not open TLS.",
        )
    except ssl.SSLError as error:
        return f"{address} does not speak TLS ({error.reason}).", "Check the port, and that it is a namespace."
    except OSError as error:
        reason = error.strerror or str(error)
        return (
            f"{address} refused the connection: {reason}.",
            "Check host and port, and that no firewall stands between.",
        )
    try:
        writer.write(_SASL_HEADER)
        await writer.drain()
        answer = await reader.readexactly(len(_SASL_HEADER))
    except (OSError, asyncio.IncompleteReadError):
        answer = b""
    finally:
        writer.transport.abort()
    if not answer.startswith(b"AMQP"):
        return f"{address} answers, but not in AMQP.", "Check host and port: it has to be a Service Bus namespace."
    return None


async def _connected(address: Address, hosts: HostPolicy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first of the host's addresses that takes one."""
    context = namespace_context(address.host) if address.tls else None
    name = address.host if context else None
    failure = OSError("no address")
    for dialled in await hosts.addresses_async(address.dialled_host, address.amqp_port):
        try:
            return await asyncio.open_connection(str(dialled), address.amqp_port, ssl=context, server_hostname=name)
        except ssl.SSLError:
            raise
        except OSError as error:
            failure = error
    raise failure
