"""Withdrawal by a real worker with a real replica behind it: what they answer, how soon, and what is left."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.embedded.log import Log
from tests.fault.test_suppression import NAME, child, event, found, secret, suppression
from tests.input_events import encoded
from tests.integration.test_serve import free_port
from tests.log_events import append_events
from tests.programs import LIGHT_MODELS, Program

WIKI = "samplewiki"
PAGES = range(1, 6)


class Running:
    """A worker and a replica of it, on one data directory each."""

    def __init__(self, folder: Path, worker: Program, replica: Program) -> None:
        self.folder = folder
        self.worker = worker
        self.replica = replica

    def give(self, *events: bytes) -> None:
        """Put events of our wiki into the worker's log, from another process than its own."""
        told = [encoded(json.loads(each) | {"wiki_id": WIKI}) for each in events]
        log = Log(self.folder / "data" / "log.db")
        append_events(log, told, partitions=4)
        log.close()

    def until(self, program: Program, path: str, status: int) -> tuple[float, Any]:
        """Return after how many seconds a status came, and the document."""
        began = time.monotonic()
        while (answer := program.get(path)).status != status:
            assert time.monotonic() < began + 30, answer
            time.sleep(0.01)
        return time.monotonic() - began, answer.document


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    data = f"--data-dir={tmp_path / 'data'}"
    worker_port, replica_port = free_port(), free_port()
    with (
        Program(
            tmp_path / "worker", "worker", LIGHT_MODELS, data, f"--http-port={worker_port}", port=worker_port
        ) as worker,
        Program(
            tmp_path / "replica",
            "serve",
            LIGHT_MODELS,
            data,
            f"--http-port={replica_port}",
            port=replica_port,
        ) as replica,
    ):
        worker.until_answered("/readyz")
        yield Running(tmp_path, worker, replica)


def test_within_a_second_of_the_event_look_ups_say_so_and_soon_after_no_file_tells(running: Running) -> None:
    for page_id in PAGES:
        rev_id = 1000 * page_id
        running.give(encoded(event(rev_id, page_id=page_id)))
        running.give(secret(rev_id + 1, page_id=page_id, has_title=True), child(rev_id + 2, page_id=page_id))
    for page_id in PAGES:
        for program in (running.worker, running.replica):
            running.until(program, f"/pages/{WIKI}/{page_id}", 200)
            running.until(program, f"/scores/{WIKI}/{1000 * page_id + 2}", 200)
    data = running.folder / "data"
    assert NAME in found(data)
    took = []
    for page_id in PAGES:
        rev_id = 1000 * page_id
        running.give(suppression(rev_id + 2, page_id=page_id, kind="delete"))
        seconds, document = running.until(running.worker, f"/scores/{WIKI}/{rev_id + 1}", 410)
        assert document["error"]["code"] == "prediction_withdrawn"
        took.append(seconds)
        running.until(running.replica, f"/pages/{WIKI}/{page_id}", 410)
    print(f"withdrawn after {[round(seconds, 3) for seconds in took]} s")
    assert statistics.median(took) < 1
    deadline = time.monotonic() + 30
    while left := found(data):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    for program in (running.worker, running.replica):
        assert program.stop() == 0
        assert "Traceback" not in program.stderr
    # What programs say of themselves tells no names either.
    assert found(running.folder) == {}
