"""The files of one partition of a table: how they are kept, opened, and what their failures mean."""

from collections.abc import Iterable
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


def write_sorted(path: Path, pairs: Iterable[tuple[bytes, bytes | None]]) -> None:
    """Write a file that RocksDB takes in whole. Blocks for the disk.

    Args:
        path: Of the file.
        pairs: Keys, sorted, each once, and what lies under them; None deletes.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        writer = rocksdict.SstFileWriter(partition_options())
        writer.open(str(path))
        for key, value in pairs:
            if value is None:
                del writer[key]
            else:
                writer[key] = value
        writer.finish()
    except Exception as error:  # rocksdict raises bare Exceptions
        raise error if isinstance(error, StoreError) else named(error, path) from error


def ingest_file(db: rocksdict.Rdict, path: Path, file: Path) -> None:
    """Take a sorted file over what a partition holds, all or nothing.

    Args:
        db: The partition.
        path: Of the partition.
        file: Of `write_sorted`, on the same disk; it goes away.

    Raises:
        StoreError: It cannot be taken in.
    """
    options = rocksdict.IngestExternalFileOptions()
    options.set_move_files(True)
    try:
        db.ingest_external_file([str(file)], options)
    except Exception as error:  # rocksdict raises bare Exceptions
        raise named(error, path) from error
    finally:
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
