"""Whose process carries out a run: servers that share a store tell their own runs from those of others.

Connection locks are files, so they say something about processes of the same installation alone. An installation is a
home folder; its identifier stands in a file there.
"""

import os
import tempfile
from pathlib import Path

from syncline.store.models import new_id

_FILE = "installation"


def installation_of(home: Path) -> str:
    """The identifier of the installation in a home folder, made when there is none yet."""
    path = home / _FILE
    if not path.exists():
        _make(path)
    return path.read_text().strip()


def owner_name(home: Path, process_id: int) -> str:
    """What a run's `owner` says of a process."""
    return f"{installation_of(home)}/{process_id}"


def is_of(owner: str | None, installation: str) -> bool:
    """Whether an owner is a process of an installation. Without an owner it is: the run is from the time when a store
    had one server."""
    return owner is None or owner.partition("/")[0] == installation


def _make(path: Path) -> None:
    """Make the file whole or not at all; when another process was first, its file stands."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{_FILE}-") as draft:
        draft.write(f"{new_id()}\n")
        draft.flush()
        os.fsync(draft.fileno())
        try:
            os.link(draft.name, path)
        except FileExistsError:
            return
