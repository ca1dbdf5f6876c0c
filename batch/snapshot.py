"""Snapshots as they are read: ``FOLDER/snapshot=NAME``, a manifest, and files by wiki and model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from batch.snapshot_manifest import PREFIX, Manifest, SnapshotFile, read_manifest
from batch.snapshot_table import FeatureColumn, rows_of
from schemas.errors import SnapshotUnusable
from schemas.snapshot_row import SnapshotRow

_BATCH_ROWS = 16_384


class Snapshot(Struct, frozen=True):
    """A snapshot that is finished.

    Attributes:
        path: Its folder.
        manifest: What it says of itself.
    """

    path: Path
    manifest: Manifest

    def files(
        self, *, wiki_id: str | None = None, model_name: str | None = None, is_errors: bool | None = None
    ) -> list[SnapshotFile]:
        """Return its files, sorted by path, so that errors come first.

        Args:
            wiki_id: Those of one wiki.
            model_name: Those of one model.
            is_errors: Those of what could not be scored, or just those of scores.
        """
        return [
            one
            for one in self.manifest.files
            if wiki_id in {None, one.wiki_id}
            and model_name in {None, one.model_name}
            and is_errors in {None, one.is_errors}
        ]

    def batches(
        self, file: SnapshotFile, *, rows: int = _BATCH_ROWS, columns: Sequence[str] | None = None
    ) -> Iterator[Any]:
        """Yield one file as Arrow record batches, sorted by page and revision; one is in memory at a time.

        Args:
            file: Of this snapshot.
            rows: Of a batch at most.
            columns: Those to read; all if None.

        Raises:
            SnapshotUnusable: The file cannot be read.
        """
        with _open(self.path / file.path) as opened:
            try:
                yield from opened.iter_batches(rows, columns=columns, use_threads=False)
            except (OSError, pa.ArrowException) as error:
                raise _unreadable(self.path / file.path, error) from error

    def rows(
        self, *, wiki_id: str | None = None, model_name: str | None = None, is_errors: bool | None = None
    ) -> Iterator[SnapshotRow]:
        """Yield rows, file by file; sorted by page and revision within one wiki, model and kind.

        Args:
            wiki_id: Those of one wiki.
            model_name: Those of one model.
            is_errors: What could not be scored, or just scores.

        Raises:
            SnapshotUnusable: A file cannot be read.
        """
        for file in self.files(wiki_id=wiki_id, model_name=model_name, is_errors=is_errors):
            features = self.features(file)
            try:
                for batch in self.batches(file):
                    yield from rows_of(file.wiki_id, file.model_name, batch, features)
            except (KeyError, TypeError, ValueError) as error:
                raise _unreadable(self.path / file.path, error) from error

    def features(self, file: SnapshotFile) -> tuple[FeatureColumn, ...]:
        """Return what columns of features a file has.

        Raises:
            SnapshotUnusable: The file cannot be read.
        """
        with _open(self.path / file.path) as opened:
            told = (opened.schema_arrow.metadata or {}).get(b"revstream.features", b"[]")
        try:
            return msgspec.json.decode(told, type=tuple[FeatureColumn, ...])
        except msgspec.DecodeError as error:
            raise _unreadable(self.path / file.path, error) from error


def open_snapshot(path: Path) -> Snapshot:
    """Return a snapshot. Nothing but its manifest is read.

    Args:
        path: ``FOLDER/snapshot=NAME``.

    Raises:
        SnapshotUnusable: There is none, or it is of another format.
    """
    return Snapshot(path, read_manifest(path))


def snapshots(folder: Path) -> list[Path]:
    """Return the snapshots below a folder, sorted by name."""
    return sorted(path for path in folder.glob(f"{PREFIX}*") if path.is_dir())


def _open(path: Path) -> Any:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SnapshotUnusable:
    return SnapshotUnusable(
        f"The file {path} of a snapshot cannot be read ({error}): it is missing or damaged. Copy the "
        "snapshot again, or make it anew.",
        path=str(path),
    )
