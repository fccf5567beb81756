"""The lock that fences a connection."""

import subprocess
import sys
from pathlib import Path

from syncline.engine.locks import ConnectionLock

HOLDER = """
import sys, time
from pathlib import Path
from syncline.engine.locks import ConnectionLock
assert ConnectionLock.of(Path(sys.argv[1]), "one").acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_is_exclusive_until_it_is_given_back(tmp_path: Path) -> None:
    first, second = ConnectionLock.of(tmp_path, "one"), ConnectionLock.of(tmp_path, "one")
    assert first.acquire()
    assert not second.acquire()
    assert ConnectionLock.of(tmp_path, "two").acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = ConnectionLock.of(tmp_path, "one")
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert not lock.acquire()
        process.kill()
        assert lock.acquire(wait=5)
    lock.release()


def test_a_removed_lock_file_is_no_way_around(tmp_path: Path) -> None:
    lock = ConnectionLock.of(tmp_path, "one")
    assert lock.acquire()
    lock.release(remove=True)
    assert list((tmp_path / "locks").iterdir()) == []
    again = ConnectionLock.of(tmp_path, "one")
    assert again.acquire()
    assert not lock.acquire()
    again.release()
