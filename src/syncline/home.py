"""The files that Syncline keeps on this machine: its home folder and, where the store is SQLite, the store's files.

They are private, and nobody is let write to them by another way: a destination whose path is one of them, by whatever
name, would destroy the store. So files are compared by what they are (device and inode), not by their names alone.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

STORE_FILE = "syncline.db"
"""The store's file in a home folder, where no other store is set."""
_BESIDE_THE_STORE = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to a file's name for the files it keeps beside it."""
_OWN_NAMES = (
    f"{STORE_FILE}*",
    "sealing.key*",
    ".sealing.key.*",
    "api-key.json",
    ".api-key.json.*",
    "installation",
    ".installation-*",
    "locks",
    "work",
)
"""Everything that is put into a home folder, drafts of files included, and copies that people make beside them."""

_Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Home:
    """Where this installation keeps its files.

    Args:
        folder: The home folder. It may hold other things; those are neither looked at nor changed.
        store_file: The file of a SQLite store, wherever it is; None where the store is a server.
    """

    folder: Path
    store_file: Path | None = None

    def holds(self, path: Path) -> bool:
        """Whether a path leads to a file of this installation, to the inside of its home folder, or to where one of
        the store's files will be. Links are followed, and other names of the same file are found. Nothing is opened."""
        real = Path(os.path.realpath(path))
        own = {identity for own in self._files() if (identity := _identity(own)) is not None}
        if any(_identity(place) in own for place in (real, *real.parents)):
            return True
        if real.is_relative_to(os.path.realpath(self.folder)):  # where neither exists yet
            return True
        return any(
            real.name == store.name and (real.parent == store.parent or _same(real.parent, store.parent))
            for store in self._store_files()
        )

    def lies_in(self, folder: Path) -> bool:
        """Whether a folder has the home folder, or the store's file, somewhere inside."""
        outer = _identity(folder)
        real = Path(os.path.realpath(folder))
        inner = [Path(os.path.realpath(self.folder)), *list(self._store_files())[:1]]
        return any(
            path.is_relative_to(real) or (outer is not None and outer in map(_identity, path.parents)) for path in inner
        )

    def make_private(self) -> list[Path]:
        """Let nobody but the owner read what is there. Returns what is left as it was: what belongs to another user,
        and a home folder that is not this installation's alone."""
        left = [path for path in self._files() if path != self.folder and not _make_private(path)]
        folder = self.folder.resolve()
        if folder.is_dir() and (self._is_shared(folder) or not _make_private(folder)):
            left.insert(0, folder)
        return left

    def _files(self) -> Iterator[Path]:
        """The home folder, what is known in it with all that it holds, and the store's files."""
        yield self.folder
        with suppress(OSError):
            for entry in sorted(os.scandir(self.folder), key=lambda entry: entry.name):
                if not _is_own_name(entry.name):
                    continue
                yield Path(entry.path)
                for folder, folders, files in os.walk(entry.path):
                    yield from (Path(folder, name) for name in (*folders, *files))
        yield from self._store_files()

    def _store_files(self) -> Iterator[Path]:
        if self.store_file is not None:
            real = os.path.realpath(self.store_file)  # SQLite follows links before it names the files beside
            yield from (Path(f"{real}{suffix}") for suffix in _BESIDE_THE_STORE)

    def _is_shared(self, folder: Path) -> bool:
        """Whether the home folder serves others too, so that its mode is theirs to choose."""
        about = folder.stat()
        return (
            about.st_uid != os.geteuid()
            or bool(about.st_mode & stat.S_ISVTX)
            or folder in (Path(folder.anchor), Path.home().resolve())
            or any(not _is_own_name(path.name) for path in folder.iterdir())
        )


def private_folder(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for the owner alone."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    return folder


def private_file(path: Path) -> None:
    """Make an empty file for the owner alone, when it is missing."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))


def _make_private(path: Path) -> bool:
    """Whether nobody but the owner may read it now. What is gone meanwhile, or a link, needs nothing."""
    try:
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode) or not about.st_mode & 0o077:
            return True
        path.chmod(PRIVATE_FOLDER if stat.S_ISDIR(about.st_mode) else PRIVATE_FILE)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _is_own_name(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _OWN_NAMES)


def _same(one: Path, other: Path) -> bool:
    identity = _identity(one)
    return identity is not None and identity == _identity(other)


def _identity(path: Path) -> _Identity | None:
    """What tells a file from every other on this machine, links followed; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino
