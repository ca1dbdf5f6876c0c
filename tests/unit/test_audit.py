"""The audit of the crash tests finds each kind of fault: an audit that cannot fail proves nothing."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from rocksdict import Options, Rdict

from agents.embedded.log import Log, NewRecord
from app.settings import Settings
from batch.local_source import DumpRevisionSource
from schemas.keys import DEAD_LETTER_TOPIC, PAGE_CHANGE_TOPIC, PAGES_TABLE, REVISIONS_TABLE
from schemas.prediction import ScoreFailure, StoredScore
from schemas.revision_score import STREAM_PREFIX
from tables.codec import decode_row, encode_row
from tests.audit import Audit, ServedModels, audit, newest_of_changelog, records, table_rows
from tests.bench.crash import APP_ID, CrashPlan, crash

OUTPUTS = f"{STREAM_PREFIX}reverted"
CHANGELOG = f"{APP_ID}-{REVISIONS_TABLE}-changelog"


class Finished(NamedTuple):
    """What a worker left that scored a small wiki to its end, and what it was to do."""

    folder: Path
    lines: list[bytes]
    models: ServedModels


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    report = crash(CrashPlan(kills=0, wipes=0, revisions=60), folder)
    assert report.found.faults == 0
    (events,) = (folder / "wiki").glob("*.page_change.jsonl.gz")
    lines = gzip.decompress(events.read_bytes()).splitlines()
    return Finished(folder, lines, ServedModels.of(Settings()))


class Left:
    """A copy of what the worker left, to tamper with."""

    def __init__(self, finished: Finished, folder: Path) -> None:
        self._finished = finished
        self.data_dir = folder / "data"
        shutil.copytree(finished.folder / "data", self.data_dir)
        self.log = Log(self.data_dir / "log.db")

    async def audited(
        self, *, is_at_least_once: bool = False, give_up_seconds: float | None = None
    ) -> dict[str, int]:
        """Return the faults found, by name."""
        self.log.close()
        found = await audit(
            data_dir=self.data_dir,
            app_id=APP_ID,
            lines=self._finished.lines,
            models=self._finished.models,
            content=DumpRevisionSource(
                next((self._finished.folder / "wiki").glob("*.xml*")),
                cache_dir=self._finished.folder / "scratch",
            ),
            is_at_least_once=is_at_least_once,
            give_up_seconds=give_up_seconds,
        )
        counts = msgspec.structs.asdict(found)
        assert found.faults == sum(counts.values()) - found.events - found.scored_events - found.given_up
        return {name: number for name, number in counts.items() if number and not name.endswith("events")}

    def drop_first(self, topic: str) -> None:
        partition, record = next(records(self.log, topic))
        assert self.log.trim(topic, partition, before_offset=record.offset + 1) == 1

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        self.log.transact([NewRecord(topic, partition, 0, key, value)])

    def repeat_first(self, topic: str, change: Callable[[bytes], bytes] = bytes) -> None:
        partition, record = next(records(self.log, topic))
        self.append(topic, partition, record.key, change(record.value or b""))

    def write_older_page(self) -> tuple[bytes, bytes]:
        """Append the first row of a page behind its last to the changelog; return its key and the row."""
        pages = f"{APP_ID}-{PAGES_TABLE}-changelog"
        by_key: dict[bytes, list[tuple[int, bytes]]] = {}
        for partition, record in records(self.log, pages):
            by_key.setdefault(record.key or b"", []).append((partition, record.value or b""))
        key, [(partition, older), *_] = next((key, rows) for key, rows in by_key.items() if len(rows) > 1)
        self.append(pages, partition, key, older)
        return key, older

    def write_row(self, table: str, key: bytes, row: bytes | None) -> None:
        """Put or delete a row behind the worker's back."""
        for path in (self.data_dir / "worker").glob(f"v*/tables/{table}-*.db"):
            db = Rdict(str(path), options=Options(raw_mode=True))
            if db.get(key) is not None:
                if row is None:
                    db.delete(key)
                else:
                    db.put(key, row)
            db.close()


@pytest.fixture
def left(finished: Finished, tmp_path: Path) -> Left:
    return Left(finished, tmp_path)


def with_another_outcome(row: bytes, code: str = "feature_error") -> bytes:
    decoded = decode_row(row)
    scores = tuple(
        StoredScore(one.model, ScoreFailure(code, "made up"), one.provenance) for one in decoded.scores
    )
    return encode_row(msgspec.structs.replace(decoded, scores=scores))


def test_faults_are_summed_and_counts_are_not() -> None:
    assert Audit(events=9, scored_events=8).faults == 0
    assert Audit(events=9, scored_events=8, not_taken=1, duplicate_outputs=2).faults == 3


async def test_nothing_is_found_where_nothing_was_tampered_with(left: Left) -> None:
    assert await left.audited() == {}


async def test_an_event_that_was_not_taken_is_found(left: Left) -> None:
    left.drop_first(PAGE_CHANGE_TOPIC)
    assert await left.audited() == {"not_taken": 1}


async def test_an_event_that_was_taken_twice_is_found(left: Left) -> None:
    left.repeat_first(PAGE_CHANGE_TOPIC)
    assert await left.audited() == {"taken_twice": 1, "not_consumed": 1}


async def test_an_event_that_was_not_consumed_is_found(left: Left) -> None:
    partition, _ = next(records(left.log, PAGE_CHANGE_TOPIC))
    place = (PAGE_CHANGE_TOPIC, partition)
    left.log.transact(group_id=APP_ID, offsets={place: left.log.end(*place) - 3})
    assert await left.audited() == {"not_consumed": 3}


async def test_a_row_that_is_missing_is_found(left: Left) -> None:
    key = next(iter(table_rows(left.data_dir, REVISIONS_TABLE)))
    left.write_row(REVISIONS_TABLE, key, None)
    assert await left.audited() == {"without_outcome": 1, "table_differs_from_changelog": 1}


async def test_a_row_that_the_changelog_does_not_have_is_found(left: Left) -> None:
    key = next(iter(newest_of_changelog(left.log, CHANGELOG)))
    (partition,) = {number for number, record in records(left.log, CHANGELOG) if record.key == key}
    left.append(CHANGELOG, partition, key, None)
    assert await left.audited() == {"table_differs_from_changelog": 1}


async def test_a_row_that_scoring_again_does_not_give_is_found(left: Left) -> None:
    key, row = next(iter(newest_of_changelog(left.log, CHANGELOG).items()))
    (partition,) = {number for number, record in records(left.log, CHANGELOG) if record.key == key}
    wrong = with_another_outcome(row)
    left.append(CHANGELOG, partition, key, wrong)
    left.write_row(REVISIONS_TABLE, key, wrong)
    assert (await left.audited())["table_differs_from_source"] >= 1


@pytest.mark.parametrize(
    ("give_up_seconds", "found"), [(0.0, "given_up"), (3600.0, "table_differs_from_source")]
)
async def test_a_wiki_that_did_not_answer_is_an_outcome_once_it_was_asked_for_long_enough(
    left: Left, give_up_seconds: float, found: str
) -> None:
    # Of its page's latest revision nothing is told here.
    rows = table_rows(left.data_dir, REVISIONS_TABLE)
    latest = set(table_rows(left.data_dir, PAGES_TABLE).values())
    key, row = next((key, row) for key, row in rows.items() if row not in latest)
    (partition,) = {number for number, record in records(left.log, CHANGELOG) if record.key == key}
    failed = with_another_outcome(row, "content_unavailable")
    left.append(CHANGELOG, partition, key, failed)
    left.write_row(REVISIONS_TABLE, key, failed)
    assert await left.audited(give_up_seconds=give_up_seconds) == {found: 1}


async def test_a_worker_that_wrote_over_its_follower_is_found_though_readers_see_the_follower(
    left: Left,
) -> None:
    left.write_older_page()
    assert await left.audited(is_at_least_once=True) == {"overwritten": 1}


async def test_a_page_that_does_not_show_its_latest_revision_is_found(left: Left) -> None:
    key, older = left.write_older_page()
    left.write_row(PAGES_TABLE, key, older)
    assert await left.audited() == {"table_differs_from_source": 1}


async def test_an_output_that_is_missing_is_found(left: Left) -> None:
    left.drop_first(OUTPUTS)
    assert await left.audited() == {"without_output": 1}


async def test_an_output_that_was_sent_twice_is_found_unless_that_is_allowed(left: Left) -> None:
    left.repeat_first(OUTPUTS)
    assert await left.audited(is_at_least_once=True) == {}
    left.log = Log(left.data_dir / "log.db")
    assert await left.audited() == {"duplicate_outputs": 1}


async def test_a_repetition_that_says_something_else_is_never_allowed(left: Left) -> None:
    left.repeat_first(OUTPUTS, lambda value: value.replace(b'"rev_id":', b'"rev_id":9'))
    assert await left.audited(is_at_least_once=True) == {"duplicate_outputs": 1}


async def test_an_output_of_another_id_is_found(left: Left) -> None:
    left.repeat_first(OUTPUTS, lambda value: value.replace(b'"id":"', b'"id":"0'))
    assert await left.audited() == {"unasked_outputs": 1}


async def test_a_dead_letter_that_is_missing_or_doubled_is_found(left: Left) -> None:
    left.repeat_first(DEAD_LETTER_TOPIC)
    assert await left.audited() == {"without_letter": 1}
    left.log = Log(left.data_dir / "log.db")
    left.drop_first(DEAD_LETTER_TOPIC)
    left.drop_first(DEAD_LETTER_TOPIC)
    assert (await left.audited())["without_letter"] >= 1
