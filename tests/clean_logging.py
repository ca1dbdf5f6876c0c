"""Logging as it was before, for tests of code that sets it up for the whole process."""

import contextlib
import logging
from collections.abc import Iterator

import structlog


@contextlib.contextmanager
def logging_restored() -> Iterator[None]:
    """Undo what `app.logging` sets up while the block runs."""
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        structlog.reset_defaults()
