"""Rows of a replica that another process follows: its files, opened by any number of readers."""

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
import structlog
from msgspec import Struct
from numpy.typing import NDArray
from rocksdict import AccessType, Rdict

from schemas.errors import StoreError
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables import row_index
from tables.changelog import row_of
from tables.hidden_pages import HiddenPages
from tables.reader import Freshness
from tables.replica import named, replica_options
from tables.row_index import Arrival, Stream

_LOOK_SECONDS: Final = 0.02
_PREFIXES: Final = {table: table.encode() + b"\0" for table in (REVISIONS_TABLE, PAGES_TABLE)}

_log = structlog.get_logger(__name__)


class ReplicaStatus(Struct, frozen=True):
    """What a follower tells those who read its files.

    Attributes:
        path: Of the generation that answers; None until one is whole.
        batches: Another number whenever rows were written.
        reasons: Names of what is wrong, see `tables.reader.Freshness`.
        caught_up: When all that the log held was last known to be applied, on the machine's monotonic
            clock; None until it was.
    """

    path: str | None = None
    batches: int = 0
    reasons: tuple[str, ...] = ("recovering",)
    caught_up: float | None = None


class ReplicaReader:
    """A `tables.reader.RowSource` over the files that a follower in another process writes.

    RocksDB calls it a secondary: it reads what the owner of the files has written to its log and tables,
    and nothing of it is on the disk twice. What the owner deletes stays readable until a reader has moved on.

    Args:
        status: Returns what the follower told last.
        name: Of the folder for RocksDB's notes, beside the files; of this reader alone.
        monotonic: Seconds, by the clock of `ReplicaStatus.caught_up`.

    Attributes:
        rows_changed: Called after other rows were read.
    """

    def __init__(
        self,
        status: Callable[[], ReplicaStatus],
        *,
        name: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._status = status
        self._name = name
        self._monotonic = monotonic
        self._seen = ReplicaStatus()
        self._db: Rdict | None = None
        self._get: Callable[[bytes], bytes | None] = _get_nothing
        self._opened = 0
        # None where the files do not tell.
        self._hidden: HiddenPages | None = None
        self._next_hidden = 0
        self.rows_changed: Callable[[], None] = _nobody

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the row under a key; None where there is none."""
        held = self._get(_PREFIXES[table] + key)
        return None if held is None else row_of(held)

    def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the row under each key; None where there is none."""
        if self._db is None:
            return [None] * len(keys)
        prefix = _PREFIXES[table]
        held = cast(list[bytes | None], self._db.get([prefix + key for key in keys]))
        return [None if one is None else row_of(one) for one in held]

    def hidden_among(self, wiki_id: str, page_ids: NDArray[np.int64]) -> list[int]:
        """Return what `tables.reader.HiddenPagesSource.hidden_among` does."""
        if self._hidden is None:
            return list(range(len(page_ids)))
        return self._hidden.among(wiki_id, page_ids)

    def listed(self, prefix: bytes, after: bytes, limit: int) -> list[bytes]:
        """Return what `tables.row_index.RowIndex.listed` does."""
        return [] if self._db is None else row_index.listed(self._db, prefix, after, limit)

    def heads(self) -> Mapping[Stream, int]:
        """Return what `tables.row_index.RowIndex.heads` does."""
        return {} if self._db is None else row_index.heads(self._db)

    def floor(self, stream: Stream) -> int:
        """Return what `tables.row_index.RowIndex.floor` does."""
        return -1 if self._db is None else row_index.floor(self._db, stream)

    def arrived(self, stream: Stream, after: int, limit: int) -> list[Arrival]:
        """Return what `tables.row_index.RowIndex.arrived` does."""
        return [] if self._db is None else row_index.arrived(self._db, stream, after, limit)

    def freshness(self) -> Freshness:
        """Return whether the rows are complete, what is wrong, and how old they may be."""
        # What is wrong now counts; what is in the rows is of when they were read last.
        reasons = self._status().reasons
        caught_up = self._seen.caught_up
        if self._db is None or caught_up is None:
            return Freshness(False, reasons or ("recovering",), None)
        return Freshness(True, reasons, max(0.0, self._monotonic() - caught_up))

    async def run(self) -> None:
        """Keep up with the follower until cancelled."""
        while True:
            try:
                self.refresh()
            except StoreError as error:
                _log.warning("replica_unreadable", code=error.code, error=error.message)
                await asyncio.sleep(1.0)
            await asyncio.sleep(_LOOK_SECONDS)

    def refresh(self) -> None:
        """Read what the follower has written since the last time.

        1. Look at what it tells before the files: they hold all of it, or more.
        2. Open the generation that answers, where that is another one than before.
        3. Read on in the one that is open; where that cannot be, open it anew.

        Raises:
            StoreError: The files cannot be opened.
        """
        status = self._status()  # 1
        if status.path is None:
            return
        if status.path != self._seen.path or self._db is None:  # 2
            self._open(status.path)
        elif status.batches != self._seen.batches:  # 3
            try:
                self._read_on(self._db)
            except Exception as error:  # rocksdict raises bare Exceptions
                _log.info("replica_opened_anew", error=str(error))
                self._open(status.path)
        is_changed = status.batches != self._seen.batches or status.path != self._seen.path
        self._seen = status
        if is_changed:
            self.rows_changed()

    def close(self) -> None:
        """Close the files. Idempotent."""
        self._get = _get_nothing
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self, path: str) -> None:
        notes = Path(path).parent / self._name / str(self._opened % 2)
        self._opened += 1
        shutil.rmtree(notes, ignore_errors=True)
        notes.mkdir(parents=True)
        options = replica_options()
        # A file that the owner deletes can be read only by who has it open.
        options.set_max_open_files(-1)
        try:
            db = Rdict(path, options, access_type=AccessType.secondary(str(notes)))
            hidden = HiddenPages()
            next_hidden = hidden.load(db)
            lists_hidden = row_index.has_hidden_pages(db)
        except Exception as error:  # rocksdict raises bare Exceptions
            raise named(error, Path(path)) from error
        former, self._db = self._db, db
        self._get = db.get
        self._hidden, self._next_hidden = hidden if lists_hidden else None, next_hidden
        if former is not None:
            former.close()

    def _read_on(self, db: Rdict) -> None:
        """Read what was written since, and what it may hide; without the second, nothing is known of that."""
        hidden, self._hidden = self._hidden, None
        db.try_catch_up_with_primary()
        if hidden is not None and row_index.has_hidden_pages(db):
            self._next_hidden = hidden.load(db, self._next_hidden)
            self._hidden = hidden


def _nobody() -> None:
    pass


def _get_nothing(_: bytes) -> None:
    return None
