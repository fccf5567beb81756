"""Processes that the server starts: what they see of it, and how they end with it.

What they are told comes through their standard input, where no other process can read it. While that stays open, the
server lives.
"""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence

_PASSED_ON = re.compile(
    r"(HOME|USER|LOGNAME|PATH|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|NO_COLOR|VIRTUAL_ENV|PYTHONPATH|LD_LIBRARY_PATH|"
    r"SSL_CERT_DIR|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|(?i:https?_proxy|no_proxy))"
)
"""Environment variables of a child: what it needs to find libraries, time zone and certificates, and no more."""
_CHUNK = 65_536


async def start_child(command: Sequence[str], *, answers: bool = False) -> asyncio.subprocess.Process:
    """Start a process with a pipe to its standard input, and with `answers` one from its standard output. It has a
    session of its own, so Ctrl-C in a terminal reaches the server alone.

    Raises:
        OSError: It cannot be started.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE if answers else None,
        env={name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)},
        start_new_session=True,
    )


def lines(descriptor: int) -> Iterator[bytes]:
    """The lines of a pipe, in a child. Not through `sys.stdin`, whose lock would be held when the interpreter ends."""
    rest = b""
    while chunk := os.read(descriptor, _CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
