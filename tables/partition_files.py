"""The files of one partition of a table: how they are kept, opened, and what their failures mean."""

from functools import cache
from pathlib import Path
from typing import Final

import rocksdict

from schemas.errors import StoreError, StoreFull, StoreLocked

OFFSET_KEY: Final = b"__faust\0offset__"
"""Under it Faust keeps the offset of the last changelog record applied."""

_BLOCK_CACHE_BYTES: Final = 64 << 20
_WRITE_BUFFER_BYTES: Final = 8 << 20
_BLOOM_BITS_PER_KEY: Final = 10


@cache
def _block_cache() -> rocksdict.Cache:
    """Return the one cache for all partitions of all tables: Faust's default is 2 GiB for each."""
    return rocksdict.Cache(_BLOCK_CACHE_BYTES)


def partition_options() -> rocksdict.Options:
    """Return how the files of a partition are kept."""
    tables = rocksdict.BlockBasedOptions()
    tables.set_block_cache(_block_cache())
    tables.set_bloom_filter(_BLOOM_BITS_PER_KEY, block_based=False)
    tables.set_cache_index_and_filter_blocks(True)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_max_open_files(256)
    options.set_block_based_table_factory(tables)
    return options


def open_partition(path: Path) -> rocksdict.Rdict:
    """Open the files of a partition; made where absent.

    Raises:
        StoreLocked: They are open elsewhere.
        StoreFull: The disk is full.
        StoreError: They cannot be opened for another reason.
    """
    try:
        return rocksdict.Rdict(str(path), options=partition_options())
    except Exception as error:  # rocksdict raises bare Exceptions
        raise named(error, path) from error


def index_files(sst: Path) -> list[Path]:
    """Return the files of index keys that lie beside a sorted file of rows."""
    return sorted(sst.parent.glob(f"{sst.name}.index-*"))


def ingest_rows(db: rocksdict.Rdict, path: Path, sst: Path, next_offset: int) -> None:
    """Take a sorted file of rows into an empty partition, and their index, then the offset they stand for.

    In this order: who dies in between has rows without an offset, and begins again.

    Args:
        db: The partition.
        path: Of the partition.
        sst: The file, on the same disk; it goes away, and so do those of its index.
        next_offset: The first changelog record that is not in the rows; at least 1.

    Raises:
        StoreError: It cannot be taken in.
    """
    options = rocksdict.IngestExternalFileOptions()
    options.set_move_files(True)
    files = [sst, *index_files(sst)]
    try:
        for file in files:
            db.ingest_external_file([str(file)], options)
        db.put(OFFSET_KEY, b"%d" % (next_offset - 1))
    except Exception as error:  # rocksdict raises bare Exceptions
        raise named(error, path) from error
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def named(error: Exception, path: Path) -> StoreError:
    """Return the typed error for a failure of RocksDB, which it describes in words only."""
    words = str(error)
    if "lock hold" in words or "While lock file" in words:
        return StoreLocked(
            f"The table {path} is open in another process. Stop that process, or use another data directory.",
            path=str(path),
        )
    if "No space left" in words:
        return StoreFull(
            f"The disk that holds {path} is full. Nothing was lost: free space and start again.",
            path=str(path),
        )
    return StoreError(
        f"The table {path} cannot be used: {words}. If it is a matter of rights, correct them; if its files "
        "are damaged, delete the directory: the next start rebuilds it from the changelog.",
        path=str(path),
    )
