"""What the server tells its workers."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from syncline.engine.messages import Job, Message, Stop, decode, encode
from syncline.settings import Settings
from syncline.store.models import RunState


@pytest.mark.parametrize(
    "message",
    [
        Job("run", "connection"),
        Stop(RunState.CANCELLED),
        Stop(RunState.INTERRUPTED),
        Settings(home=Path("/somewhere"), batch_rows=7, stop_grace=0.5),
        Settings(
            home=Path("/somewhere"),
            database_url=SecretStr("postgresql://u:p@h/d"),
            sealing_keys=SecretStr("one,two"),
        ),
    ],
)
def test_what_is_sent_is_what_arrives(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message
