"""Partitions that are opened with an index of their rows."""

from pathlib import Path

import rocksdict
import structlog

from schemas.keys import PAGES_TABLE
from tables.partition_files import OFFSET_KEY, named, open_partition
from tables.row_index import Indexer, build, has_index, keeps_arrivals, rows_of, unindexed

_log = structlog.get_logger(__name__)


def open_indexed(path: Path, table: str, partition: int) -> rocksdict.Rdict:
    """Open a partition as `tables.partition_files.open_partition` does, and index it where it is not.

    Args:
        path: Of the partition.
        table: That it belongs to; only those of predictions have an index.
        partition: Its number.

    Raises:
        StoreError: It cannot be opened, or not be written.
    """
    db = open_partition(path)
    if has_index(table) and unindexed(db, [table]):
        try:
            stored = db.get(OFFSET_KEY)
            if not keeps_arrivals(db):
                begin_arrivals(db, table, partition, -1 if stored is None else int(stored))
            rows = (pair for pair in rows_of(db) if pair[0] != OFFSET_KEY)
            count = build(db, [(Indexer(table, db.get), rows)], has_pages=table == PAGES_TABLE)
        except Exception as error:  # rocksdict raises bare Exceptions
            db.close()
            raise named(error, path) from error
        if count:
            _log.info("rows_indexed", path=str(path), rows=count)
    return db


def begin_arrivals(db: rocksdict.Rdict, table: str, partition: int, offset: int) -> None:
    """Note that the order of arrival of a partition's rows is not known up to an offset."""
    if has_index(table) and offset >= 0:
        batch = rocksdict.WriteBatch(raw_mode=True)
        Indexer(table, db.get).set_floor(batch, partition, offset)
        db.write(batch)
