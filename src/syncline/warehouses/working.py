"""Working folders: emptied before use, gone after it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncline.home import private_folder


@contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """`folder`, made and empty, for its owner alone. What a killed process left in it is removed at the start."""
    shutil.rmtree(folder, ignore_errors=True)
    private_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
