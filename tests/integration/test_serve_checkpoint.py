"""`revstream serve` with a checkpoint: a new replica is filled from it, and from the log behind it."""

import json
from pathlib import Path

import pytest

from agents.embedded.log import Log
from app.checkpoints import write_checkpoint
from app.settings import Settings
from app.topic_readers import changelog_topics
from tests.integration.test_serve import PARTITIONS, settings_for, write
from tests.programs import Program


class Site:
    """A log, a checkpoint of its first rows, and rows behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints = folder / "checkpoints"
        self.settings: Settings = settings_for(folder, 0)
        self.log = Log(self.settings.log_path)
        write(self.log, self.settings, *range(1, 101))

    async def write_checkpoint(self) -> Path:
        path, _ = await write_checkpoint(self.settings, self.checkpoints)
        return path

    def trim(self, *, ahead: int = 0) -> None:
        """Have the log forget what the checkpoint holds, and some of what came after it."""
        for topic in changelog_topics(self.settings.app_id).values():
            for partition in range(PARTITIONS):
                self.log.trim(topic, partition, before_offset=50 + ahead)

    def program(self, *options: str) -> Program:
        arguments = (f"--data-dir={self.folder}", f"--checkpoint-folder={self.checkpoints}", "--http-port=0")
        return Program(self.folder / "program", "serve", *arguments, "--log-format=json", *options)


def statuses(program: Program, *rev_ids: int) -> set[int]:
    return {program.get(f"/scores/enwiki/{rev_id}").status for rev_id in rev_ids}


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_new_replica_has_the_rows_of_the_checkpoint_and_of_the_log_behind_it(
    tmp_path: Path, workers: int
) -> None:
    site = Site(tmp_path)
    await site.write_checkpoint()
    write(site.log, site.settings, *range(201, 211))
    # Nothing but the checkpoint has them any more.
    site.trim()
    with site.program(f"--workers={workers}") as program:
        program.until_answered("/readyz")
        assert statuses(program, *range(1, 101), *range(201, 211)) == {200}
        (filled,) = [line for line in program.logged if line["event"] == "replica_filled"]
        assert filled["rows"] == 200
        assert program.stop() == 0
    # What is there is not filled again.
    write(site.log, site.settings, 300)
    with site.program() as program:
        program.until_answered("/scores/enwiki/300")
        assert statuses(program, *range(1, 101)) == {200}
        assert "replica_filled" not in program.stderr
        assert program.stop() == 0
    site.log.close()


async def test_what_a_checkpoint_cannot_give_comes_from_the_log(tmp_path: Path) -> None:
    site = Site(tmp_path)
    path = await site.write_checkpoint()
    manifest = json.loads((path / "manifest.json").read_bytes())
    with (path / manifest["parts"][0]["file"]).open("r+b") as file:
        file.seek(100)
        file.write(b"damaged")
    with site.program() as program:
        program.until_answered("/readyz")
        assert statuses(program, *range(1, 101)) == {200}
        assert [line["event"] for line in program.logged].count("checkpoint_unusable") == 1
        assert program.stop() == 0
    site.log.close()


async def test_a_checkpoint_that_the_log_does_not_carry_on_is_not_used(tmp_path: Path) -> None:
    site = Site(tmp_path)
    await site.write_checkpoint()
    write(site.log, site.settings, *range(201, 221))
    site.trim(ahead=5)
    with site.program() as program:
        program.until_answered("/readyz")
        # Old rows without what was told of them since would be wrong.
        assert statuses(program, 1, 201) == {404}
        assert statuses(program, 220) == {200}
        assert program.stop() == 0
    site.log.close()


async def test_a_replica_that_is_filled_once_the_log_can_be_reached_is_not_ready_before(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    await site.write_checkpoint()
    site.log.close()
    away = site.settings.log_path.with_name("away")
    site.settings.log_path.rename(away)
    with site.program() as program:
        program.until(lambda: "log_unreachable" in program.get("/readyz").body.decode())
        assert program.get("/readyz").status == 503
        assert program.get("/scores/enwiki/1").status == 503
        away.rename(site.settings.log_path)
        program.until_answered("/readyz")
        assert statuses(program, *range(1, 101)) == {200}
