"""Structured logs: one event a line, ours and the libraries' alike, with the connection and run in it.

``log = structlog.get_logger(__name__)`` and ``log.info("sync finished", rows=10)`` is all that other modules need.
What :func:`bind` adds stands on every line that the same task or thread writes inside its block.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

from syncline.settings import Settings

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"secret|password|passwd|token|authorization|connection_string|private_key|access_key|sealing_key|credential|"
    r"refresh|^sig$|^auth$|cookie",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"(?P<kept>SharedAccessKey=|SharedAccessSignature=?\s*|[?&;\s]sig=|\bBasic\s+|\bBearer\s+|://[^/\s:@]+:)"
    r"(?P<secret>[^\s;,\"'@]+)",
    re.IGNORECASE,
)
_QUIET_LIBRARIES = ("azure", "dlt", "sqlalchemy", "alembic", "aiosqlite", "httpx", "httpcore", "asyncio", "msal")
_DEEPEST = 6


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Route every log line of this process to one stream (standard error by default), in the format of the settings.

    May be called again: the latest call holds.
    """
    output = stream if stream is not None else sys.stderr
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and output.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
    ]
    if as_text:
        last.append(structlog.dev.ConsoleRenderer(colors=output.isatty()))
    else:
        last += [structlog.processors.EventRenamer("event"), structlog.processors.JSONRenderer(default=str)]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
    # Every request is logged by our own middleware, with its duration and identifier.
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)


@contextmanager
def bind(**values: Any) -> Iterator[None]:
    """Add values (``connection_id``, ``run_id``, ...) to every log line written inside the block."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out what looks like a secret, by the name of its key or by its shape. A last net, not a licence."""
    for key, value in event.items():
        event[key] = _redacted(key, value, depth=0)
    return event


def _redacted(key: str, value: Any, depth: int) -> Any:
    if _SECRET_KEY.search(key) and value is not None and not isinstance(value, bool):
        return REDACTED
    if isinstance(value, str):
        return _SECRET_TEXT.sub(rf"\g<kept>{REDACTED}", value)
    if depth >= _DEEPEST:
        return REDACTED
    if isinstance(value, Mapping):
        return {name: _redacted(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item, depth + 1) for item in value]
    return value
