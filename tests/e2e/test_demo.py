"""`syncline demo` tells the truth about 6,000 messages."""

import subprocess
import sys
from pathlib import Path

import pytest

from syncline.cli.demo.compare import compare
from syncline.cli.demo.messages import demo_messages


@pytest.mark.timeout(180)
def test_the_demo_ends_with_its_count(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    finished = subprocess.run(
        [sys.executable, "-m", "syncline", "demo", "--folder", str(folder)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.splitlines()[-1] == "demo: 6000 messages in 3 tables, 0 lost, 0 duplicated"
    assert "SharedAccessKey=SAS_KEY_VALUE" not in finished.stdout

    # The comparison is not of a kind that cannot fail: one message more than was published is found lost.
    messages = [*demo_messages(0, 5000, 5000), *demo_messages(5000, 1001, 5000)]
    comparison = compare(folder / "warehouse.duckdb", "service_bus", messages)
    assert comparison.lost == 1
    # And one fewer leaves a row that nobody published.
    comparison = compare(folder / "warehouse.duckdb", "service_bus", messages[:-2])
    assert (comparison.lost, comparison.duplicated) == (0, 1)


def test_the_demo_leaves_a_folder_alone_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    finished = subprocess.run(
        [sys.executable, "-m", "syncline", "demo", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "--folder" in finished.stderr
    assert (tmp_path / "thesis.txt").read_text() == "the only copy"
