"""What the server tells a worker process: lines of JSON on its standard input.

First the settings, then one job; later perhaps a request to stop. The settings travel here and not in the environment
or in arguments, where other processes could read the secrets among them. The end of the input means that the server
is gone.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import SecretStr

from syncline.settings import Settings
from syncline.store.models import RunState


@dataclass(frozen=True, slots=True)
class Job:
    """Carry out this run."""

    run_id: str
    connection_id: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End the run at the next safe point, in this state: cancelled or interrupted."""

    state: RunState


Message = Settings | Job | Stop


def encode(message: Message) -> bytes:
    """The line of a message, with its line feed."""
    if isinstance(message, Settings):
        body: dict[str, Any] = {"settings": _revealed(message)}
    elif isinstance(message, Job):
        body = {"job": asdict(message)}
    else:
        body = {"stop": message.state.value}
    return json.dumps(body).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line."""
    body = json.loads(line)
    if "settings" in body:
        return Settings(**body["settings"])
    if "job" in body:
        return Job(**body["job"])
    return Stop(RunState(body["stop"]))


def _revealed(settings: Settings) -> dict[str, Any]:
    """The settings as JSON values, secrets included."""
    values = settings.model_dump(mode="json")
    secrets = {name: value for name, value in settings if isinstance(value, SecretStr)}
    return values | {name: secret.get_secret_value() for name, secret in secrets.items()}
