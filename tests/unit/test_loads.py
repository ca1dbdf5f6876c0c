"""What a worker says to rows of snapshots before they are in its log."""

from pathlib import Path

import pytest

from agents.embedded.transport import partition_of
from app.api.loading import LoadPlace
from app.loads import PARTITIONERS, WorkerLoads
from batch.loaded_records import load_records
from batch.snapshot import open_snapshot
from schemas.errors import NotReady, RequestInvalid, SnapshotUnusable
from schemas.keys import page_topic_key
from schemas.loaded import LoadedRows, decode_loaded
from schemas.prediction import ScoreFailure
from tests.loads import scored, write_snapshot
from tests.pipelines import RunningPipeline, pipeline
from tests.until import until

FAILURE = ScoreFailure("parent_not_found", "There is none.")


def loads(given: RunningPipeline, *, partitions: int = 1, reasons: tuple[str, ...] = ()) -> WorkerLoads:
    return WorkerLoads(given.app, partitions=partitions, is_embedded=True, not_ready=lambda: reasons)


def record(folder: Path) -> tuple[LoadedRows, bytes]:
    path = write_snapshot(folder, "2026-11-01", [scored(1), scored(2, page_id=32)])
    (one,) = load_records(open_snapshot(path), lambda *_: 0)
    return decode_loaded(one.record), one.record


async def test_a_record_is_done_once_its_rows_are_in_the_tables(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await until(given.is_recovered)
        taking = loads(given)
        taking.check()
        rows, data = record(tmp_path / "snapshots")
        assert (await taking.plan()).done == {0: 0}
        assert await taking.take(0, rows, data) == LoadPlace(0, 0)
        await until(lambda: given.row(2) is not None)
        plan = await taking.plan()
        assert (plan.done, plan.partitioner) == ({0: 1}, "crc32")


async def test_rows_of_another_partition_are_refused(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await until(given.is_recovered)
        rows, data = record(tmp_path / "snapshots")
        homes = {partition_of(page_topic_key("mosswiki", page_id), 7) for page_id in (31, 32)}
        for partition in range(7):
            if homes != {partition}:
                with pytest.raises(RequestInvalid, match="is of partition"):
                    await loads(given, partitions=7).take(partition, rows, data)


async def test_a_worker_that_is_not_ready_takes_no_rows_and_says_why(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        with pytest.raises(NotReady, match="models_loading"):
            loads(given, reasons=("models_loading",)).check()
        with pytest.raises(NotReady, match="begin anew"):
            await loads(given).begin_anew()


@pytest.mark.parametrize("cut", PARTITIONERS.values(), ids=PARTITIONERS)
def test_records_hold_what_is_of_their_partition_and_no_failure_unless_asked_for(
    tmp_path: Path, cut: object
) -> None:
    assert callable(cut)
    several = [
        scored(rev_id, page_id=rev_id // 3, wiki_id=wiki_id, model_name=name)
        for wiki_id in ("fernwiki", "mosswiki")
        for rev_id in range(1, 601)
        for name in ("damaging", "goodfaith")
    ]
    path = write_snapshot(tmp_path, "2026-11-01", [*several, scored(700, FAILURE)])

    def home(wiki_id: str, page_id: int) -> int:
        partition = cut(page_topic_key(wiki_id, page_id), 4)
        assert isinstance(partition, int)
        return partition

    for with_errors in (False, True):
        found = []
        for one in load_records(open_snapshot(path), home, with_errors=with_errors):
            rows = decode_loaded(one.record)
            assert {home(rows.wiki_id, row.page_id) for row in rows.rows} == {one.partition}
            assert one.rows == len(rows.rows) <= 256
            found += [(rows.wiki_id, row.rev_id, len(row.scores)) for row in rows.rows]
        expected = [(wiki_id, rev_id, 2) for wiki_id in ("fernwiki", "mosswiki") for rev_id in range(1, 601)]
        assert sorted(found) == sorted([*expected, *([("mosswiki", 700, 1)] * with_errors)])


def test_a_file_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, "2026-11-01", [scored(1)])
    snapshot = open_snapshot(path)
    (path / snapshot.manifest.files[0].path).write_bytes(b"PAR1")
    with pytest.raises(SnapshotUnusable):
        list(load_records(snapshot, lambda *_: 0))
