"""One sync of a connection at a time on this machine, whatever the database says.

The operating system drops the lock at the moment that its process ends, however it ends. So a lock that is held means
a process that lives, and a lock that is free means that nobody works on the connection: this is how a run that was
left behind is told from one that is under way.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

_POLL_SECONDS = 0.05


class ConnectionLock:
    """The exclusive lock of one connection, a file under `<home>/locks`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @classmethod
    def of(cls, home: Path, connection_id: str) -> Self:
        """The lock of a connection; not yet taken."""
        return cls(home / "locks" / f"{connection_id}.lock")

    def acquire(self, wait: float = 0.0) -> bool:
        """Take the lock, waiting for it up to `wait` seconds. False when another process still holds it then."""
        deadline = time.monotonic() + wait
        while not self._try_acquire():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back; with `remove` its file goes too (the connection is gone)."""
        if self._descriptor is None:
            return
        if remove:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def _try_acquire(self) -> bool:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        if not self._is_current(descriptor):  # removed by its last holder between our open and our lock
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.fstat(descriptor).st_ino == self._path.stat().st_ino
        except FileNotFoundError:
            return False
