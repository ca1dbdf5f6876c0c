"""Snapshots whose maker dies, and disks that fill up: what is visible is whole, and what was done is kept."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from batch.snapshot import open_snapshot, snapshots
from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_drafts import drafts, prune_drafts
from batch.snapshot_rows import read_chunk, write_chunk
from batch.snapshot_verify import verify_snapshot
from schemas.errors import SnapshotUnusable, StoreFull
from schemas.snapshot_row import SnapshotRow
from tests.fault.test_full_disk import SmallDisk
from tests.rows import binary
from tests.snapshots import FAILURE, origin, snapshot_row

_MOMENTS_MOST = 60


def rows(count: int, begin: int = 1) -> list[SnapshotRow]:
    """Return scores of two models, and a failure."""
    numbers = range(begin, begin + count)
    scores = [
        snapshot_row(number, binary(number / (begin + count)), model_name=name)
        for number in numbers
        for name in ("damaging", "goodfaith")
    ]
    return [*scores, snapshot_row(begin + count, FAILURE)]


def content(path: Path) -> dict[str, bytes]:
    """Return the bytes of all files of rows."""
    return {file.path: (path / file.path).read_bytes() for file in open_snapshot(path).manifest.files}


class Finisher:
    """A process that finishes a draft and dies where it is told, as often as one likes."""

    def __init__(self, folder: Path, name: str) -> None:
        program = [sys.executable, "-m", "tests.fault.finishing_process", str(folder), name]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Finisher":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def die_at(self, moment: int) -> int:
        """Return the exit code of a finish that is killed at a moment, if it lasts until then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{moment}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.mark.slow
def test_wherever_finishing_is_killed_nothing_half_written_is_visible(tmp_path: Path) -> None:
    chunks = rows(40), rows(40, 1000)
    expected: dict[str, bytes] = {}
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    for each in (whole, folder):
        with SnapshotDraft(each, "one") as draft:
            for number, chunk in enumerate(chunks):
                write_chunk(draft.chunk_path(0, number), chunk)
            expected = content(draft.finish(origin())) if each is whole else expected
    # Each death leaves behind what it was doing, and the next one has to live with it.
    with Finisher(folder, "one") as finisher:
        for moment in range(_MOMENTS_MOST):
            done = finisher.die_at(moment)
            found = snapshots(folder)
            if found:
                assert content(found[0]) == expected
                assert verify_snapshot(found[0]) == []
                break
            assert done == -signal.SIGKILL
            with pytest.raises(duckdb.IOException, match="No files found"):
                duckdb.execute(f"FROM read_parquet('{folder}/snapshot=*/wiki_id=*/model_name=*/*.parquet')")
            # Who looks into hidden folders as well finds files that are whole, or none.
            named = list(folder.rglob("*.parquet"))
            assert {pq.read_metadata(path).num_rows for path in named} <= {2, 80}
        else:
            pytest.fail("it was killed again and again")
    assert moment > 8
    # It died while it cleared the draft away, or just before.
    assert done == -signal.SIGKILL
    with pytest.raises(SnapshotUnusable, match="already"):
        SnapshotDraft(folder, "one")
    prune_drafts(folder)
    assert (snapshots(folder), drafts(folder)) == (found, [])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "disk")
    yield disk
    disk.unmount()


def test_a_chunk_that_does_not_fit_is_not_there(tmp_path: Path, disk: SmallDisk) -> None:
    disk.resize(64)
    target = tmp_path / "disk" / "one.chunk"
    write_chunk(target, rows(2))
    before = list(read_chunk(target))
    with pytest.raises(StoreFull, match="free space"):
        write_chunk(target, [snapshot_row(number, binary(1 / number)) for number in range(1, 20_000)])
    assert list(read_chunk(target)) == before
    assert [path.name for path in target.parent.iterdir()] == ["one.chunk"]


def test_with_space_a_snapshot_is_finished_from_the_chunks_that_were_kept(
    tmp_path: Path, disk: SmallDisk
) -> None:
    folder = tmp_path / "disk"
    chunks = [rows(3000, 1 + 5000 * number) for number in range(3)]
    with SnapshotDraft(folder, "one") as draft:
        for number, chunk in enumerate(chunks):
            write_chunk(draft.chunk_path(0, number), chunk)
        used = sum(path.stat().st_blocks // 2 for path in draft.path.rglob("*"))
        disk.resize(used + 100)
        with pytest.raises(StoreFull):
            draft.finish(origin(), threads=1)
        assert snapshots(folder) == []
        assert len(draft.chunks()) == 3
        disk.resize(65536)
        path = draft.finish(origin(), threads=1)
    assert verify_snapshot(path) == []
    assert open_snapshot(path).manifest.rows == sum(map(len, chunks))
