"""Paths of destinations on this machine: what may stand in a configuration, and what may be opened.

Looking at a path never opens anything: opening a FIFO waits for whoever is at its other end, and closing a file drops
the locks that the process has on it.
"""

import re
import stat
from pathlib import Path

from syncline.home import Home

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|:")
"""`s3:`, `file:`, `md:`, and `:memory:`, which all mean something else than a path to DuckDB or to file systems."""
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a file",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_absolute(value: str, example: str) -> None:
    """Refuse what is no absolute path, in the one spelling in which it says what it means.

    Raises:
        ValueError: With what is wrong and what to send, such as `example`.
    """
    if _SCHEME.match(value):
        raise ValueError(f"is no path of a file system: send an absolute path such as {example}")
    if not value.startswith("/"):
        raise ValueError(f"is no absolute path: send one that begins with /, such as {example}")
    if ".." in value.split("/"):
        raise ValueError("holds `..`: send the path that is meant, without it")
    if value != value.strip() or not value.isprintable():
        raise ValueError("ends with a space or holds a character that cannot be seen: remove it")


def check_is_file(path: Path) -> None:
    """Refuse what is there and is no regular file, links followed.

    Raises:
        ValueError: With what is wrong and what to send.
    """
    if (kind := _kind(path)) not in (None, "a file"):
        raise ValueError(f"is {kind}: send the path of a regular file, or of one that is yet to be made")


def check_is_folder(path: Path) -> None:
    """Refuse what is there and is no folder, links followed.

    Raises:
        ValueError: With what is wrong and what to send.
    """
    if (kind := _kind(path)) not in (None, "a directory"):
        raise ValueError(f"is {kind}: send the path of a folder, or of one that is yet to be made")


def check_is_foreign(path: Path, home: Home | None) -> None:
    """Refuse what is a file of this installation, or would become one.

    Raises:
        ValueError: With what to send.
    """
    if home is not None and home.holds(path):
        raise ValueError(
            "leads to a file of Syncline's own, or into its home folder: send a path outside of that folder"
        )


def check_is_foreign_folder(path: Path, home: Home | None) -> None:
    """Refuse a folder in which, or around which, this installation keeps its files.

    Raises:
        ValueError: With what to send.
    """
    check_is_foreign(path, home)
    if home is not None and home.lies_in(path):
        raise ValueError("has Syncline's home folder, or its store, inside: send a path beside that folder")


def _kind(path: Path) -> str | None:
    """What is at a path; None where there is nothing, or where it cannot be told, which opening it will."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        raise ValueError(f"cannot be looked at ({error.strerror}): send another path") from None
    return _KINDS.get(stat.S_IFMT(mode), "no file")
