"""`revstream snapshot load` into workers that run, on both engines, with either side killed in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from batch.sample_wiki import BUNDLED
from tests.kafka_broker import KafkaBroker
from tests.loads import scored, write_snapshot
from tests.programs import Program

ENGINES = ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)]
TOKEN = "moss-on-a-stone"
MODELS = '--wikis={"mosswiki":{"models":{"damaging":"testwiki-revid"}}}'
REVISIONS = 4_000


class System(Struct, frozen=True):
    """Where a worker of a test keeps its rows.

    Attributes:
        folder: For its files.
        app_id: Of the worker.
        broker: None on the embedded engine.
    """

    folder: Path
    app_id: str
    broker: KafkaBroker | None

    @property
    def engine(self) -> list[str]:
        return [] if self.broker is None else [f"--broker=kafka://{self.broker.bootstrap}"]

    @contextmanager
    def worker(self, *options: str, port: int = 0) -> Iterator[Program]:
        flags = [
            f"--app-id={self.app_id}",
            f"--data-dir={self.folder / 'data'}",
            f"--content={BUNDLED.dump}",
            f"--http-port={port}",
            "--log-format=json",
            "--intake=token",
            "--partitions=4",
            "--broker-session-timeout-seconds=3",
            *self.engine,
        ]
        environment = {"REVSTREAM_INTAKE_TOKEN": TOKEN}
        with Program(self.folder, "worker", MODELS, *flags, *options, environment=environment) as program:
            program.until_answered("/readyz")
            yield program

    @contextmanager
    def loading(self, address: str, snapshot: Path, *options: str, token: str = TOKEN) -> Iterator[Program]:
        arguments = ("snapshot", "load", str(snapshot), f"--into={address}", *options)
        environment = {"REVSTREAM_INTAKE_TOKEN": token} if token else {}
        with Program(self.folder / "loading", *arguments, environment=environment) as program:
            yield program

    def load(self, address: str, snapshot: Path) -> None:
        with self.loading(address, snapshot) as loading:
            assert loading.process.wait(timeout=120) == 0, loading.stderr


@pytest.fixture(params=ENGINES)
def system(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    is_kafka = request.param == "kafka"
    broker = request.getfixturevalue("kafka_apart") if is_kafka else None
    return System(tmp_path, f"load-{request.node.name.partition('[')[0]}"[:60], broker)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = (scored(rev_id, page_id=rev_id // 20) for rev_id in range(1, REVISIONS + 1))
    return write_snapshot(tmp_path_factory.mktemp("snapshots"), "2026-11-01", rows)


def missing(worker: Program) -> list[int]:
    """Return which of some revisions are not stored as the snapshot has them."""
    asked = range(1, REVISIONS + 1, 37)
    answers = {rev_id: worker.get(f"/scores/mosswiki/{rev_id}?provenance=1") for rev_id in asked}
    return [rev_id for rev_id, answer in answers.items() if b"snapshot:2026-11-01" not in answer.body]


def counted(worker: Program, outcome: str) -> int:
    (line,) = [
        line
        for line in worker.get("/metrics").body.decode().splitlines()
        if line.startswith(f'revstream_loaded_rows_total{{outcome="{outcome}"}}')
    ]
    return int(float(line.rpartition(" ")[2]))


@pytest.mark.slow
def test_a_snapshot_is_loaded_once_and_who_has_no_token_loads_nothing(system: System, snapshot: Path) -> None:
    with system.worker() as worker:
        with system.loading(worker.address, snapshot, token="") as refused:
            assert refused.process.wait(timeout=60) == 1
            assert "access_denied" in refused.stderr
        system.load(worker.address, snapshot)
        assert missing(worker) == []
        assert counted(worker, "written") == REVISIONS
        system.load(worker.address, snapshot)
        assert counted(worker, "written") == REVISIONS
        assert counted(worker, "unchanged") == REVISIONS
    with system.worker() as worker:
        assert missing(worker) == []


@pytest.mark.slow
def test_a_load_outlives_a_worker_that_is_killed_and_one_that_is_killed_itself_is_done_again(
    system: System, snapshot: Path
) -> None:
    with system.worker() as worker:
        address, port = worker.address, int(worker.address.rpartition(":")[2])
        with system.loading(address, snapshot) as loading:
            worker.until(lambda: counted(worker, "written") > 0)
            loading.kill()
        with system.loading(address, snapshot) as loading:
            worker.until(lambda: counted(worker, "unchanged") > 0)
            worker.kill()
            with system.worker(port=port) as again:
                assert loading.process.wait(timeout=120) == 0, loading.stderr
                assert missing(again) == []
