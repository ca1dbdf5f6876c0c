"""How large the files of tables are, as RocksDB tells it."""

from collections.abc import Iterable
from typing import Final

import rocksdict
from msgspec import Struct

_KEYS: Final = "rocksdb.estimate-num-keys"
_DISK: Final = "rocksdb.total-sst-files-size"
_MEMORY: Final = ("rocksdb.cur-size-all-mem-tables", "rocksdb.estimate-table-readers-mem")
_CACHE: Final = "rocksdb.block-cache-usage"
_WAITING: Final = "rocksdb.estimate-pending-compaction-bytes"


class FileStatus(Struct, frozen=True):
    """The files of one partition of a table at one moment.

    Attributes:
        keys: About how many keys there are, those that find rows included.
        disk_bytes: Of the sorted files.
        memory_bytes: Of what is not in them yet, and of their indexes.
        cache_bytes: Of blocks that were read.
        compaction_bytes: That wait to be rewritten.
    """

    keys: int
    disk_bytes: int
    memory_bytes: int
    cache_bytes: int
    compaction_bytes: int


def file_status(db: rocksdict.Rdict) -> FileStatus:
    """Return the status of some files. Reads no file."""
    return FileStatus(
        keys=_told(db, (_KEYS,)),
        disk_bytes=_told(db, (_DISK,)),
        memory_bytes=_told(db, _MEMORY),
        cache_bytes=_told(db, (_CACHE,)),
        compaction_bytes=_told(db, (_WAITING,)),
    )


def _told(db: rocksdict.Rdict, names: Iterable[str]) -> int:
    return sum(db.property_int_value(name) or 0 for name in names)
