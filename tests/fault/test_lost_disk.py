"""A worker whose tables are gone, on the embedded engine: from the changelog, and from a checkpoint of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_run import shown
from tests.programs import LIGHT_MODELS, Program

REVISIONS = 60
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
    with (Path(latest["path"]) / part["file"]).open("r+b") as file:
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
