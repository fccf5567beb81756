"""A sync from a source in memory into DuckDB."""

from pathlib import Path

import pytest

from tests.sync.test_run import Sync


@pytest.fixture
def sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sync:
    return Sync(tmp_path, monkeypatch)
