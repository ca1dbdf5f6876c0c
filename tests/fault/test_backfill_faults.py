"""What a backfill does with texts, dumps and machines that want to stop it."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from batch.backfill.backfill import begin
from batch.backfill.filters import Filters
from batch.backfill.plan import write_plan
from batch.backfill.run import Progress
from batch.snapshot import open_snapshot
from batch.snapshot_draft import SnapshotDraft
from schemas.errors import BackfillRefused, ModelNotFound, SnapshotUnusable
from tests.backfill_runs import MODELS, SCRATCH, backfill, means, outcomes, wish, write_dump

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SCRATCH, str(tmp_path))
    return tmp_path


def test_a_revision_that_takes_too_long_is_recorded_and_the_others_are_scored(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a", "wikitext", "regex", "b"], ["c"]])
    found = backfill(tmp_path / "out", wish(dump), means(cpu_seconds=0.5))
    told = outcomes(found.path)
    assert told == {11: "", 12: told[12], 13: "cpu_limit_exceeded", 14: "", 21: ""}
    # This one may be parsed in time on a fast machine; nothing but the limit may end it.
    assert told[12] in {"", "cpu_limit_exceeded"}


def test_a_revision_that_takes_too_much_memory_is_recorded(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a", "fill 800", "b"]])
    found = backfill(tmp_path / "out", wish(dump), means(memory_bytes=100 << 20))
    assert outcomes(found.path) == {11: "", 12: "memory_limit_exceeded", 13: ""}


def test_a_revision_that_sleeps_is_ended_at_the_wall_limit(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a", "sleep 60", "b"]])
    found = backfill(tmp_path / "out", wish(dump), means(wall_seconds=0.5))
    assert outcomes(found.path) == {11: "", 12: "scorer_crashed", 13: ""}


def test_a_process_that_dies_once_is_replaced_and_its_revision_scored(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a", "die_once mark", "b"]])
    found = backfill(tmp_path / "out", wish(dump))
    assert set(outcomes(found.path).values()) == {""}


def test_a_revision_that_kills_every_process_is_recorded_once_two_have_died(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a", "die 9", "die 11", "b", "exit"]])
    found = backfill(tmp_path / "out", wish(dump))
    crashed = {12: "scorer_crashed", 13: "scorer_crashed", 15: "scorer_crashed"}
    assert outcomes(found.path) == {11: "", 14: "", **crashed}


def test_errors_of_a_model_are_failures_of_the_revision_as_in_a_worker(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["raise", "feature_error", "miscount", "numpy enwiki-length", "a"]])
    found = backfill(tmp_path / "out", wish(dump))
    assert outcomes(found.path) == {**dict.fromkeys((11, 12, 13), "feature_error"), 14: "", 15: ""}
    written = b"".join(path.read_bytes() for path in found.path.rglob("*.parquet"))
    assert b"secret words" not in written


def test_an_error_of_the_set_up_ends_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a"], ["unknown_model x"]])
    with pytest.raises(ModelNotFound):
        backfill(tmp_path / "out", wish(dump))
    assert not list((tmp_path / "out").glob("snapshot=*"))


def test_a_process_that_talks_nonsense_is_taken_for_dead(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a", "garble", "b"]])
    assert outcomes(backfill(tmp_path / "out", wish(dump)).path) == {11: "", 12: "scorer_crashed", 13: ""}


def test_a_dump_that_breaks_off_keeps_what_was_complete_and_says_where(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a", "b"], ["c", "d"]])
    dump.write_bytes(dump.read_bytes()[:-200])
    found = backfill(tmp_path / "out", wish(dump))
    assert outcomes(found.path) == {11: "", 12: "", 21: ""}
    (defect,) = found.defects
    assert "line" in defect
    assert open_snapshot(found.path).manifest.origin.plan["defects"] == [defect]


def test_another_plan_of_the_same_name_is_refused_with_what_differs(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a"]])
    with SnapshotDraft(tmp_path / "out", "one") as draft:
        begin(draft, wish(dump), MODELS)
        with pytest.raises(BackfillRefused, match="filters, with_features"):
            begin(draft, wish(dump, filters=Filters(sample=0.5), with_features=True), MODELS)
        write_dump(tmp_path, [["a", "b"]])
        with pytest.raises(BackfillRefused, match="inputs"):
            begin(draft, wish(dump), MODELS)


def test_two_runs_of_one_name_at_a_time_are_refused(tmp_path: Path) -> None:
    dump = write_dump(tmp_path, [["a"]])
    with SnapshotDraft(tmp_path / "out", "one"), pytest.raises(SnapshotUnusable):
        backfill(tmp_path / "out", wish(dump))


def test_a_run_that_is_killed_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    texts = [f"{number} ".ljust(9_000, "x") for number in range(5)]
    dump = write_dump(tmp_path, [texts] * 1_000)
    out, whole = tmp_path / "out", tmp_path / "whole"
    for folder in (out, whole):
        with SnapshotDraft(folder, "one") as draft:
            # Rows tell when their plan was made.
            plan = begin(draft, wish(dump), MODELS)
            write_plan(draft.path, replace(plan, created_dt=datetime(2026, 11, 1, tzinfo=UTC)))
    command = [sys.executable, "-m", "tests.backfill_process", str(dump), str(out)]
    for _ in range(3):
        done = len(_chunks(out))
        with subprocess.Popen(command, cwd=ROOT) as process:
            try:
                _wait(lambda at=done: len(_chunks(out)) > at)  # type: ignore[misc]  # a default binds it
            finally:
                process.kill()
    progress = Progress()
    resumed = backfill(out, wish(dump), means(2), progress)
    assert progress.passed_over >= 3
    assert progress.revisions + progress.passed_revisions == 5_000
    assert _bytes(resumed.path) == _bytes(backfill(whole, wish(dump), means(2)).path)


def _chunks(out: Path) -> list[Path]:
    return list(out.glob(".undone-*/chunks/*/*.chunk"))


def _bytes(snapshot: Path) -> dict[str, str]:
    """Return the hashes of the rows' files."""
    found = snapshot.rglob("*.parquet")
    return {str(one.relative_to(snapshot)): hashlib.sha256(one.read_bytes()).hexdigest() for one in found}


def _wait(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            pytest.fail("it did not come true in time")
        time.sleep(0.002)
