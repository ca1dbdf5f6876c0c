"""A snapshot that is being made: chunk files in any order, and the files they become at the end.

All of it lies in ``FOLDER/.undone-snapshot=NAME`` until one rename gives the snapshot its name: no reader
sees half of one. What was written stays there when a process dies, and whoever opens the draft again
carries on.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import msgspec

from batch.arrow_start import start_without_pandas
from batch.snapshot_files import sync, told_when_full
from batch.snapshot_manifest import (
    FORMAT_VERSION,
    MANIFEST,
    PREFIX,
    DoubledRows,
    Manifest,
    SnapshotFile,
    SnapshotOrigin,
)
from batch.snapshot_merge import ChunkMerge, MergedGroup
from batch.snapshot_rows import OutcomeCount
from batch.snapshot_writer import PartitionWriter
from schemas.errors import SnapshotUnusable, StoreError
from schemas.prediction import ModelId
from schemas.snapshot_columns import SCHEMA_VERSION

UNDONE_PREFIX: Final = ".undone-"
# DuckDB's `**` looks into folders that are hidden, so no file there may be taken for one of a snapshot.
_ENDING: Final = ".undone"
MEMORY_BYTES: Final = 512 << 20
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class SnapshotDraft:
    """A snapshot that is being made. One process at a time holds it; close it, or use it in ``with``.

    Args:
        folder: Of snapshots; made where absent.
        name: Of the snapshot: letters, digits, dots, hyphens and underscores. What a draft of that name holds
            already is kept.

    Attributes:
        path: Of the draft. Whoever makes it may keep files of its own there, under names that begin with
            ``plan``.

    Raises:
        SnapshotUnusable: The name is none, there is such a snapshot, or another process makes it.
        StoreFull: The disk is full.
    """

    def __init__(self, folder: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise SnapshotUnusable(
                f"{name!r} is no name of a snapshot. Use letters, digits, dots, hyphens and underscores, "
                "and begin with a letter or digit: 2026-11-01.",
                name=name,
            )
        self.name = name
        self._final = folder / (PREFIX + name)
        self.path = folder / (UNDONE_PREFIX + PREFIX + name)
        if self._final.exists():
            raise _taken(self._final)
        with told_when_full(self.path):
            (self.path / "chunks").mkdir(parents=True, exist_ok=True)
            self._lock: int | None = locked(self.path)

    def __enter__(self) -> "SnapshotDraft":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the draft. Idempotent; what was written stays."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def discard(self) -> None:
        """Delete the draft with all that was written."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def chunk_path(self, part: int, number: int) -> Path:
        """Return where the rows of a chunk are to be written, by `batch.snapshot_rows.write_chunk`.

        Args:
            part: Of the input, from 0.
            number: Of the chunk in its part, from 0.
        """
        return chunk_path_of(self.path, part, number)

    def chunks(self) -> list[Path]:
        """Return the chunk files that are there, sorted."""
        return sorted((self.path / "chunks").glob("*/*.chunk"))

    def finish(
        self,
        origin: SnapshotOrigin,
        *,
        chunks: Iterable[Path] | None = None,
        memory_bytes: int = MEMORY_BYTES,
        threads: int | None = None,
    ) -> Path:
        """Make the snapshot of the chunks, and give it its name. The draft goes away.

        1. Sort the rows of each wiki and model, and write them as files that are on the disk.
        2. Write the manifest, give the files their names, sync all folders.
        3. Give it its name, which is the moment that readers see it.
        4. Delete the draft.

        Who dies in between begins again with 1.

        Args:
            origin: Where the rows come from.
            chunks: Files to take; all that are there where not said.
            memory_bytes: What sorting may take; the process takes about 400 MB more, however many rows.
            threads: How many sort; None for all cores.

        Returns:
            Where the snapshot lies.

        Raises:
            SnapshotUnusable: A chunk file cannot be read, or the name was taken meanwhile.
            StoreFull: The disk is full. All chunks are kept.
        """
        start_without_pandas()
        result, scratch = self.path / "result", self.path / "scratch"
        for folder in (result, scratch):
            shutil.rmtree(folder, ignore_errors=True)
        files = sorted(self.chunks() if chunks is None else chunks)
        with told_when_full(self.path), _told_by_duckdb(self.path):
            for folder in (result, scratch):
                folder.mkdir()
            written: list[SnapshotFile] = []
            counts: Counter[tuple[str, ModelId, str]] = Counter()
            doubled = []
            with ChunkMerge(files, scratch, memory_bytes=memory_bytes, threads=threads) as merge:
                for group in merge.groups:
                    left_out = merge.settle(group)
                    if left_out:
                        doubled.append(DoubledRows(group.wiki_id, group.model_name, left_out))
                    for is_errors in (False, True):  # 1
                        writer = self._writer(result, group, origin, is_errors=is_errors)
                        written += writer.write(merge.stream(group, is_errors=is_errors))
                        counts.update(writer.counts)
            manifest = Manifest(
                self.name,
                datetime.now(UTC),
                origin,
                tuple(sorted(OutcomeCount(*key, rows=rows) for key, rows in counts.items())),
                tuple(doubled),
                tuple(sorted(written, key=lambda one: one.path)),
            )
            target = result / MANIFEST  # 2
            target.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
            sync(target)
            for file in written:
                (result / (file.path + _ENDING)).rename(result / file.path)
            for parent, _, _ in os.walk(result):
                sync(Path(parent))
        try:
            result.rename(self._final)  # 3
        except OSError as error:
            raise _taken(self._final) from error
        sync(self._final.parent)
        self.discard()  # 4
        return self._final

    def _writer(
        self, root: Path, group: MergedGroup, origin: SnapshotOrigin, *, is_errors: bool
    ) -> PartitionWriter:
        features = () if is_errors else group.features
        told = {
            "snapshot": self.name,
            "wiki_id": group.wiki_id,
            "model_name": group.model_name,
            "format_version": str(FORMAT_VERSION),
            "schema_version": str(SCHEMA_VERSION),
            "source": origin.source,
            "code_version": origin.code_version,
            "models": msgspec.json.encode(
                [
                    one.model
                    for one in origin.models
                    if (one.wiki_id, one.model.model_name) == (group.wiki_id, group.model_name)
                ]
            ).decode(),
            "inputs": msgspec.json.encode(origin.inputs).decode(),
            "features": msgspec.json.encode(features).decode(),
        }
        metadata = {f"revstream.{name}".encode(): value.encode() for name, value in told.items()}
        return PartitionWriter(
            root,
            group.wiki_id,
            group.model_name,
            is_errors=is_errors,
            features=features,
            metadata=metadata,
            ending=_ENDING,
        )


def chunk_path_of(draft: Path, part: int, number: int) -> Path:
    """Return where the rows of a chunk of a draft are to be written, for those who do not hold it."""
    folder = draft / "chunks" / f"{part:06d}"
    folder.mkdir(exist_ok=True)
    return folder / f"{number:08d}.chunk"


def locked(path: Path) -> int:
    """Hold a draft, until the descriptor that this returns is closed or the process ends.

    Raises:
        SnapshotUnusable: Another process holds it.
    """
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SnapshotUnusable(
            f"Another process makes the snapshot of {path}. Wait for it, or choose another name.",
            path=str(path),
        ) from error
    return descriptor


def _taken(path: Path) -> SnapshotUnusable:
    return SnapshotUnusable(
        f"There is a snapshot {path} already, and none is ever overwritten. Choose another name, or "
        "delete that folder.",
        path=str(path),
    )


@contextlib.contextmanager
def _told_by_duckdb(path: Path) -> Iterator[None]:
    """Turn DuckDB's error about a full disk, which it describes in words only, into ours."""
    try:
        yield
    except duckdb.Error as error:
        words = str(error)
        if "No space left" in words or "max_temp_directory_size" in words:
            raise OSError(errno.ENOSPC, words) from error
        raise StoreError(
            f"The chunks of {path} cannot be sorted: {words}. Run it again with more memory, or on another "
            "disk; all chunks are kept.",
            path=str(path),
        ) from error
