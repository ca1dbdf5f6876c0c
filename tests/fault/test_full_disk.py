"""The disk fills up under a worker: it says so and stops, and with space goes on as if nothing had been."""

import asyncio
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.embedded.log import Log
from app.settings import load_settings
from batch.local_source import DumpRevisionSource
from tests.audit import ServedModels, audit, backlog, taken
from tests.input_events import encoded
from tests.programs import LIGHT_MODELS, Program
from tests.small_wiki import creation, write_dump

APP_ID = "revstream"
_EVENTS = 2000


class SmallDisk:
    """A file system of its own in memory.

    Args:
        path: Where it is mounted; made where absent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting a small disk is not allowed here")

    def resize(self, kibibytes: int) -> None:
        """Change its size, which must hold what is on it."""
        subprocess.run(["mount", "-o", f"remount,size={kibibytes}k", str(self._path)], check=True)

    def unmount(self) -> None:
        """Take it away, with all that it holds."""
        subprocess.run(["umount", str(self._path)], check=True)


@pytest.fixture(autouse=True)
def wiki(tmp_path: Path) -> None:
    """The wiki whose edits are scored."""
    rev_ids = range(1, _EVENTS + 1)
    events = [encoded(creation(rev_id)) for rev_id in rev_ids]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(events) + b"\n")
    write_dump(tmp_path / "dump.xml", dict.fromkeys(rev_ids, "A stone lies in the garden."))


@pytest.fixture
def data_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that holds the whole data directory."""
    disk = SmallDisk(tmp_path / "data")
    yield disk
    disk.unmount()


@pytest.fixture
def table_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that holds the tables, and not the log."""
    disk = SmallDisk(tmp_path / "data" / "worker")
    yield disk
    disk.unmount()


def _worker(folder: Path) -> Program:
    fast = ("--pace-events-per-second=0", "--commit-interval-seconds=0.02", "--log-level=warning")
    wiki = (f"--source={folder / 'events.jsonl'}", f"--content={folder / 'dump.xml'}", LIGHT_MODELS)
    # A folder of its own, since each tells its address in a file there.
    own = Path(tempfile.mkdtemp(dir=folder))
    return Program(own, "run", "--http-port=0", f"--data-dir={folder / 'data'}", *wiki, *fast)


def _say_full_and_stop(folder: Path, what: str) -> None:
    """Run a worker, and assert that it ends by itself and tells that the disk is full."""
    with _worker(folder) as worker:
        assert worker.process.wait(timeout=60) == 1
        assert "Traceback" not in worker.stderr
        *_, line = worker.stderr.splitlines()
        said = rf"revstream: store_full: The disk that holds .*{what}.* is full.*Nothing was lost: free space"
        assert re.match(said, line), worker.stderr


def _run_to_the_end(folder: Path) -> None:
    with _worker(folder) as worker:
        worker.until_answered("/readyz")
        log = Log(folder / "data" / "log.db")
        worker.until(lambda: taken(log) == _EVENTS and backlog(log, APP_ID) == 0)
        log.close()
        assert worker.stop() == 0


def _assert_whole(folder: Path) -> None:
    settings = load_settings(flags={"wikis": LIGHT_MODELS.partition("=")[2]}, environ={}, cwd=folder)
    found = asyncio.run(
        audit(
            data_dir=folder / "data",
            app_id=APP_ID,
            lines=(folder / "events.jsonl").read_bytes().splitlines(),
            models=ServedModels.of(settings),
            content=DumpRevisionSource(folder / "dump.xml", cache_dir=folder / "scratch"),
        )
    )
    assert found.scored_events == _EVENTS
    assert not found.faults, found


@pytest.mark.parametrize("kibibytes", [2 << 10, 7 << 10])
def test_a_log_that_fills_its_disk_loses_nothing(
    kibibytes: int, data_disk: SmallDisk, tmp_path: Path
) -> None:
    data_disk.resize(kibibytes)
    _say_full_and_stop(tmp_path, "data")
    data_disk.resize(64 << 10)
    _run_to_the_end(tmp_path)
    _assert_whole(tmp_path)


def test_tables_that_fill_their_disk_lose_nothing_though_the_log_has_room(
    table_disk: SmallDisk, tmp_path: Path
) -> None:
    table_disk.resize(900)
    _say_full_and_stop(tmp_path, r"worker/v1/tables/\w+-\d\.db")
    table_disk.resize(64 << 10)
    _run_to_the_end(tmp_path)
    _assert_whole(tmp_path)


def test_tables_that_cannot_be_rebuilt_on_a_full_disk_stop_the_worker_instead_of_waiting_for_ever(
    table_disk: SmallDisk, tmp_path: Path
) -> None:
    _run_to_the_end(tmp_path)
    for path in (tmp_path / "data" / "worker").iterdir():
        shutil.rmtree(path)
    table_disk.resize(900)
    _say_full_and_stop(tmp_path, r"worker/v1/tables/\w+-\d\.db")
    table_disk.resize(64 << 10)
    _run_to_the_end(tmp_path)
    _assert_whole(tmp_path)
