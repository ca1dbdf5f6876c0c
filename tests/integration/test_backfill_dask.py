"""The parts of a plan on a Dask cluster of several processes, one of which is killed."""

import hashlib
import os
import signal
import threading
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from batch.backfill.backfill import begin
from batch.backfill.on_dask import run_on_dask, run_part
from batch.backfill.plan import write_plan
from batch.backfill.planning import Wish
from batch.backfill.run import Progress
from batch.snapshot_draft import SnapshotDraft
from schemas.errors import BackfillRefused
from tests.backfill_runs import MODELS, SCRATCH, backfill, means, outcomes
from tests.dump_documents import document, page


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SCRATCH, str(tmp_path))


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    """Ask for four dumps, which are four parts."""
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    for part in range(4):
        pages = [page(10 * part + 1, ["a", "die 9", "b"]), page(10 * part + 2, ["sleep 0.1", "c"])]
        (dumps / f"testwiki-{part}.xml").write_text(document(pages))
    return Wish(snapshot="one", sources=(str(dumps),))


def begun(folder: Path, wish: Wish) -> None:
    """Begin a backfill with a plan that tells a fixed time."""
    with SnapshotDraft(folder, "one") as draft:
        write_plan(
            draft.path, replace(begin(draft, wish, MODELS), created_dt=datetime(2026, 11, 1, tzinfo=UTC))
        )


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_writes_the_same_snapshot(tmp_path: Path, wish: Wish) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    begun(here, wish)
    begun(there, wish)
    expected = backfill(here, wish)
    progress = Progress()
    distributed: Any = import_module("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        SnapshotDraft(there, "one") as draft,
    ):
        pids = sorted(client.run(os.getpid).values())
        assert len(set(pids)) == 2

        def kill_one() -> None:
            while not list(draft.path.glob("chunks/*/*.chunk")):
                time.sleep(0.01)
            os.kill(pids[0], signal.SIGKILL)

        killing = threading.Thread(target=kill_one)
        killing.start()
        plan = begin(draft, wish, MODELS)
        found = run_on_dask(cluster.scheduler_address, plan, draft, means(), progress)
        killing.join()
        assert pids[0] not in client.run(os.getpid).values()
    assert len(progress.parts) == 4
    assert _hashes(found.path) == _hashes(expected.path)
    told = outcomes(found.path)
    assert len(told) == 20
    assert list(told.values()).count("scorer_crashed") == 4


def test_a_machine_without_the_plan_says_so(tmp_path: Path) -> None:
    with pytest.raises(BackfillRefused, match="no plan"):
        run_part(str(tmp_path), 0, means())


def _hashes(snapshot: Path) -> dict[str, str]:
    found = snapshot.rglob("*.parquet")
    return {str(one.relative_to(snapshot)): hashlib.sha256(one.read_bytes()).hexdigest() for one in found}
