"""A worker whose tables are gone, on the embedded engine: from the changelog, and from a checkpoint of it."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agents.embedded.log import Log, NewRecord
from app.topic_readers import changelog_topics
from schemas.keys import REVISIONS_TABLE, row_key
from schemas.prediction import Withdrawal
from tables.codec import encode_row
from tests.integration.test_run import shown
from tests.programs import LIGHT_MODELS, Program
from tests.rows import REV_DT, binary, row, stored

REVISIONS = 60
PARTITIONS = 4
# Deletions among the last events change answers.
NOTHING_LEFT = 'revstream_lag_events{topics="source"} 0.0'


class Site:
    """One data directory, and the commands over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.checkpoints = folder / "checkpoints"
        self._starts = 0

    def program(self, *arguments: str) -> Program:
        self._starts += 1
        return Program(
            self.folder / f"start-{self._starts}",
            *arguments,
            f"--data-dir={self.data_dir}",
            "--log-format=json",
        )

    def worker(self) -> Program:
        return self.program(
            "worker", LIGHT_MODELS, "--http-port=0", f"--checkpoint-folder={self.checkpoints}"
        )

    def write_checkpoint(self) -> dict[str, Any]:
        with self.program("checkpoint", "write", f"--into={self.checkpoints}") as writing:
            assert writing.process.wait(timeout=60) == 0, writing.stderr
            written: dict[str, Any] = json.loads(writing.stdout)
        return written

    def lose_disk(self) -> None:
        shutil.rmtree(self.data_dir / "worker")


def answers(program: Program, rev_ids: list[int]) -> dict[int, bytes]:
    program.until_answered("/readyz")
    return {rev_id: program.get(f"/scores/samplewiki/{rev_id}").body for rev_id in rev_ids}


def taken(program: Program) -> dict[str, Any]:
    (line,) = [line for line in program.logged if line["event"] == "partitions_taken"]
    return line


def test_a_lost_disk_is_filled_from_the_checkpoint_and_the_changelog_behind_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    flags = (LIGHT_MODELS, "--http-port=0", "--pace-events-per-second=0")
    with site.program("run", *flags) as run:
        run.until(lambda: len(shown(run)) >= REVISIONS)
        # While it runs and scores on: the rest comes from the changelog.
        first = site.write_checkpoint()
        run.until(lambda: "source has ended" in run.stderr)
        run.until(lambda: NOTHING_LEFT in run.get("/metrics").body.decode())
        run.stop()
    rev_ids = shown(run)
    with site.worker() as before:
        expected = answers(before, rev_ids)
        before.stop()
    # The sample deletes some pages as well.
    assert sum(b'"scores"' in body for body in expected.values()) > REVISIONS / 2

    site.lose_disk()
    with site.worker() as again:
        assert answers(again, rev_ids) == expected
        loaded = sum(part["rows"] for part in first["parts"])
        assert taken(again)["rows_loaded"] == loaded > 0
        again.stop()

    latest = site.write_checkpoint()
    site.lose_disk()
    with site.worker() as quick:
        assert answers(quick, rev_ids) == expected
        # Faust reads the last record applied once more.
        assert taken(quick)["rows_read"] <= 2 * 4
        assert taken(quick)["rows_loaded"] == sum(part["rows"] for part in latest["parts"])
        quick.stop()

    # A file that is damaged is told, and its partition comes from the changelog alone.
    part = next(part for part in latest["parts"] if part["rows"])
    with (Path(latest["path"]) / part["table_file"]).open("r+b") as file:
        file.seek(100)
        file.write(b"damaged")
    site.lose_disk()
    with site.worker() as warned:
        assert answers(warned, rev_ids) == expected
        told = [line for line in warned.logged if line["event"] == "checkpoint_unusable"]
        assert [line["code"] for line in told] == ["checkpoint_unusable"]
        assert taken(warned)["rows_loaded"] == taken(quick)["rows_loaded"] - part["rows"]
        warned.stop()


@pytest.mark.parametrize("missing", ["folder", "manifest"])
def test_without_a_checkpoint_the_changelog_is_enough(tmp_path: Path, missing: str) -> None:
    site = Site(tmp_path)
    if missing == "manifest":
        (site.checkpoints / "checkpoint=2026-11-22T05-00-00Z").mkdir(parents=True)
    with site.program("run", LIGHT_MODELS, "--http-port=0", "--pace-events-per-second=0") as run:
        run.until(lambda: len(shown(run)) >= REVISIONS)
        run.stop()
    site.lose_disk()
    with site.worker() as again:
        kept = answers(again, shown(run)[:REVISIONS])
        assert sum(b'"scores"' in body for body in kept.values()) > REVISIONS / 2
        assert taken(again)["rows_loaded"] == 0
        told = [line for line in again.logged if line["event"] == "checkpoint_unusable"]
        assert len(told) == (missing == "manifest")
        again.stop()


def test_a_worker_killed_while_it_reads_its_changelogs_in_bulk_goes_on_from_there(tmp_path: Path) -> None:
    rows = 3 * 20_000
    site = Site(tmp_path)
    site.data_dir.mkdir()
    log = Log(site.data_dir / "log.db")
    for topic in changelog_topics("revstream").values():
        log.create_topic(topic, PARTITIONS, is_compacted=True)
    log.transact([new_record(number) for number in range(rows)])
    # What was suppressed before the disk was lost stays so.
    log.transact([new_record(number, is_erased=True) for number in range(0, rows, 100)])
    log.close()
    with site.program("worker", LIGHT_MODELS, "--http-port=0") as killed:
        # The folder is there from the first run to the last, each of its files for a moment only.
        killed.until(lambda: list(site.data_dir.glob("worker/**/.filling-*")))
        killed.kill()
    with site.program("worker", LIGHT_MODELS, "--http-port=0") as again:
        again.until_answered("/readyz")
        assert taken(again)["rows_read"] <= rows + rows // 100 + PARTITIONS
        for number in random.sample(range(rows), 50):
            answer = again.get(f"/scores/enwiki/{number}")
            assert (answer.status == 200) == bool(number % 100), (number, answer.body)
        again.stop()
    assert not list(site.data_dir.glob("worker/**/.filling-*"))


def new_record(number: int, *, is_erased: bool = False) -> NewRecord:
    value = row(stored("damaging", binary(0.5)), page_id=number, rev_id=number)
    if is_erased:
        erased = Withdrawal(is_hidden=True, acted_dt=REV_DT, source_offset=9, erased_dt=REV_DT)
        value = replace(value, scores=(), withdrawal=erased)
    topic = changelog_topics("revstream")[REVISIONS_TABLE]
    return NewRecord(topic, number % PARTITIONS, 1000, row_key("enwiki", number), encode_row(value))
