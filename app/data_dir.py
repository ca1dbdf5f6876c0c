"""The data directory, which one worker holds at a time."""

import contextlib
import errno
import fcntl
from collections.abc import Iterator

from app.settings import Settings
from schemas.errors import EngineError, StoreFull, StoreLocked


@contextlib.contextmanager
def locked_data_dir(settings: Settings) -> Iterator[None]:
    """Hold the data directory for this process.

    Raises:
        StoreLocked: Another worker holds it.
        StoreFull: The disk is full.
        EngineError: It cannot be made or written.
    """
    path = settings.lock_path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+")
    except OSError as error:
        kind = StoreFull if error.errno == errno.ENOSPC else EngineError
        raise kind(
            f"The data directory {path.parent} cannot be used: {error.strerror}. "
            "Choose another with data_dir, or correct its rights.",
            path=str(path.parent),
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreLocked(
                f"Another worker runs on the data directory {path.parent}. Stop it, or choose another "
                "directory with data_dir.",
                path=str(path.parent),
            ) from None
        yield
