"""One line of JSON for each event, ours and the libraries', without secrets."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from syncline.logs import bind, configure_logging
from syncline.settings import Settings


@pytest.fixture
def output(settings: Settings) -> Iterator[io.StringIO]:
    before = (logging.getLogger().handlers, logging.getLogger().level)
    stream = io.StringIO()
    configure_logging(settings, stream)
    yield stream
    logging.getLogger().handlers, logging.getLogger().level = before


def _lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_ours_and_the_libraries_lines_look_alike(output: io.StringIO) -> None:
    with bind(connection_id="c1", run_id="r1"):
        structlog.get_logger("syncline.sync").info("sync finished", rows=3)
        logging.getLogger("uvicorn.error").info("Started %s", "well")
    ours, theirs = _lines(output)
    assert (ours["event"], ours["rows"], ours["logger"], ours["level"]) == ("sync finished", 3, "syncline.sync", "info")
    assert theirs["event"] == "Started well"
    assert all(
        line["connection_id"] == "c1" and line["run_id"] == "r1" and line["timestamp"] for line in (ours, theirs)
    )


def test_chatty_libraries_are_heard_from_warnings_on(output: io.StringIO) -> None:
    logging.getLogger("azure.servicebus._pyamqp.link").info("a frame")
    logging.getLogger("azure.servicebus._pyamqp.link").warning("a problem")
    assert [line["event"] for line in _lines(output)] == ["a problem"]


def test_secrets_are_redacted_by_name_and_by_shape(output: io.StringIO) -> None:
    log = structlog.get_logger("test")
    log.info(
        "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=HIDDEN;EntityPath=e",
        password="HIDDEN",
        connection_string="HIDDEN",
        config={"host": "h", "schema_registry_secret": "HIDDEN", "deep": [{"client_secret": "HIDDEN"}]},
        url="postgresql://user:HIDDEN@host/db",
        header="Basic HIDDEN=",
        rows=5,
    )
    logging.getLogger("library").warning("failed with SharedAccessSignature sr=x&sig=HIDDEN&se=1")
    try:
        raise ValueError("postgresql://user:HIDDEN@host/db")
    except ValueError:
        log.exception("failed")
    assert "HIDDEN" not in output.getvalue()
    first = _lines(output)[0]
    assert first["rows"] == 5
    assert first["config"]["host"] == "h"  # type: ignore[index]
    assert "EntityPath=e" in str(first["event"])


def test_text_for_people(settings: Settings) -> None:
    before = logging.getLogger().handlers
    stream = io.StringIO()
    configure_logging(settings.model_copy(update={"log_format": "text"}), stream)
    structlog.get_logger("test").info("sync finished", rows=3)
    logging.getLogger().handlers = before
    assert "sync finished" in stream.getvalue()
    assert "rows=3" in stream.getvalue()
