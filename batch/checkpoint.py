"""Checkpoints below one folder: files of rows, and a manifest that says what they stand for.

A checkpoint is a folder ``checkpoint=2026-11-22T05-00-00Z`` with two files for each partition of each table,
and ``manifest.json``. One is Parquet, for whoever analyses rows and for replicas; the other is what RocksDB
takes in as it is, rows and all that finds them, so that a lost table is back in the time that a copy takes.
The folder is made under a name that begins with a dot, and renamed when all of it is on the disk: whatever
has the name of a checkpoint is whole.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from schemas.errors import CheckpointUnusable
from tables.partition_files import named

FORMAT_VERSION: Final = 2
"""Goes up with the version of the index of rows as well: table files hold it."""
_PREFIX: Final = "checkpoint="
_UNDONE_PREFIX: Final = ".undone-"
_MANIFEST: Final = "manifest.json"
_BLOCK_BYTES: Final = 1 << 20


class CheckpointPart(Struct, frozen=True):
    """One partition of one table.

    Attributes:
        table: ``revisions`` or ``pages``.
        partition: From 0.
        next_offset: The first record of the changelog that is not in the rows.
        rows: How many.
        file: Name of the Parquet file.
        sha256: Of the file, 64 hexadecimal digits.
        table_file: Name of the file that RocksDB takes in whole; there is none where there are no rows.
        table_sha256: Of that file.
    """

    table: str
    partition: int
    next_offset: int
    rows: int
    file: str
    sha256: str
    table_file: str
    table_sha256: str


class Manifest(Struct, frozen=True):
    """What a checkpoint stands for.

    Attributes:
        app_id: Of the application whose tables these are.
        partitions: Of each table.
        log_identity: Of the log that the offsets are of.
        created_dt: When it was begun.
        parts: One a partition.
        format_version: Of the checkpoint.
    """

    app_id: str
    partitions: int
    log_identity: str
    created_dt: datetime
    parts: Sequence[CheckpointPart]
    format_version: int = FORMAT_VERSION

    def part(self, table: str, partition: int) -> CheckpointPart | None:
        """Return a part; None where there is none."""
        for one in self.parts:
            if (one.table, one.partition) == (table, partition):
                return one
        return None


class Draft:
    """A checkpoint that is being made.

    Args:
        folder: Of checkpoints; made where absent.
        created_dt: Names it.
    """

    def __init__(self, folder: Path, created_dt: datetime) -> None:
        name = _PREFIX + created_dt.strftime("%Y-%m-%dT%H-%M-%SZ")
        self._final = folder / name
        self.path = folder / (_UNDONE_PREFIX + name)
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)

    def finish(self, manifest: Manifest) -> Path:
        """Write the manifest and give the checkpoint its name.

        Raises:
            CheckpointUnusable: One of that second is there already.
        """
        (self.path / _MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        for path in (*self.path.iterdir(), self.path):
            _sync(path)
        try:
            self.path.rename(self._final)
        except OSError as error:
            raise CheckpointUnusable(
                f"The checkpoint {self._final} cannot be given its name ({error.strerror}). Was another made "
                "in the same second? Write it again.",
                path=str(self._final),
            ) from error
        _sync(self._final.parent)
        return self._final

    def discard(self) -> None:
        """Delete what was written, unless it is finished."""
        shutil.rmtree(self.path, ignore_errors=True)


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints below a folder, the latest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if path.name.startswith(_PREFIX)), reverse=True)


def prune(folder: Path, keep: int) -> list[Path]:
    """Delete all checkpoints but the latest, and what was left of those that were never finished.

    Args:
        folder: Of checkpoints.
        keep: How many stay, at least 0.

    Returns:
        What was deleted.
    """
    undone = [path for path in folder.iterdir() if path.name.startswith(_UNDONE_PREFIX)]
    gone = [*checkpoints(folder)[keep:], *undone]
    for path in gone:
        # Under its own name it must be whole, to whoever looks meanwhile.
        dying = path.with_name(_UNDONE_PREFIX + path.name.removeprefix(_UNDONE_PREFIX))
        path.rename(dying)
        shutil.rmtree(dying)
    return gone


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a checkpoint.

    Raises:
        CheckpointUnusable: It cannot be read, or is of another format.
    """
    try:
        manifest = msgspec.json.decode((path / _MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise CheckpointUnusable(
            f"The manifest of {path} cannot be read ({error}). Write a new checkpoint.", path=str(path)
        ) from error
    if manifest.format_version != FORMAT_VERSION:
        raise CheckpointUnusable(
            f"The checkpoint {path} has format {manifest.format_version}, and this version reads "
            f"{FORMAT_VERSION}. Write a new one.",
            path=str(path),
        )
    return manifest


def require_fit(path: Path, manifest: Manifest, *, app_id: str, partitions: int, log_identity: str) -> None:
    """Raise unless a checkpoint is of these tables.

    Raises:
        CheckpointUnusable: It is of another application, number of partitions, or log.
    """
    found = (manifest.app_id, manifest.partitions, manifest.log_identity)
    wanted = (app_id, partitions, log_identity)
    for what, one, other in zip(("app_id", "partitions", "log"), found, wanted, strict=True):
        if one != other:
            raise CheckpointUnusable(
                f"The checkpoint {path} is of {what} {one}, and the tables are of {what} {other}. Set "
                "checkpoint_folder to the folder of their checkpoints, or write one.",
                path=str(path),
            )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_undamaged(path: Path, part: CheckpointPart) -> None:
    """Raise unless the file of a part is what its manifest says. Blocks for the disk.

    Raises:
        CheckpointUnusable: The file is absent or damaged.
    """
    source = path / part.file
    try:
        found = file_sha256(source)
    except OSError as error:
        raise _unreadable(source, error) from error
    _require_sha256(source, found, part.sha256)


def copy_table_file(path: Path, part: CheckpointPart, target: Path) -> None:
    """Copy the table file of a part, and make sure that it is what its manifest says. Blocks for the disk.

    Args:
        path: Of the checkpoint.
        part: Not empty.
        target: The file to write.

    Raises:
        CheckpointUnusable: The file is absent or damaged.
        StoreError: The target cannot be written.
    """
    source = path / part.table_file
    digest = hashlib.sha256()
    try:
        file = source.open("rb")
    except OSError as error:
        raise _unreadable(source, error) from error
    try:
        with file, target.open("wb") as copy:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                copy.write(block)
            copy.flush()
            os.fsync(copy.fileno())
    except OSError as error:
        raise named(error, target) from error
    _require_sha256(source, digest.hexdigest(), part.table_sha256)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(source: Path, error: OSError) -> CheckpointUnusable:
    return CheckpointUnusable(
        f"The file {source} of a checkpoint cannot be read ({error.strerror}). Write a new checkpoint.",
        path=str(source),
    )


def _require_sha256(source: Path, found: str, told: str) -> None:
    if found != told:
        raise CheckpointUnusable(
            f"The file {source} of a checkpoint has sha256 {found}, and its manifest says {told}: it was "
            "changed or damaged. Write a new checkpoint.",
            path=str(source),
        )
