"""Working folders: emptied before use, gone after it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """`folder`, made and empty. What a killed process left in it is removed at the start."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
