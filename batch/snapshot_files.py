"""Files and folders that appear whole or not at all."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import StoreFull


@contextlib.contextmanager
def appears_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, and rename it to its own when that is done and on the disk.

    Raises:
        StoreFull: There is no space left. Nothing is left behind.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with told_when_full(path):
            yield beside
            sync(beside)
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def told_when_full(path: Path) -> Iterator[None]:
    """Turn an error about a full disk into one that says what to do.

    Raises:
        StoreFull: There is no space left.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC and "No space left" not in str(error):
            raise
        raise StoreFull(
            f"The disk that holds {path} is full. Nothing that was finished is lost: free space and run "
            "it again.",
            path=str(path),
        ) from error


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
