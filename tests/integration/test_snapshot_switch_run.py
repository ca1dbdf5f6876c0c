"""A new version of a model: backfilled, loaded and switched to by one command, while clients ask."""

import threading
from pathlib import Path

import pytest

from batch.sample_wiki import BUNDLED
from models.staging import admit_artefact
from models.store import ModelStore
from tests.artefacts import write_artefact
from tests.loads import scored, write_snapshot
from tests.programs import Program

WIKIS = '--wikis={"mosswiki":{"models":{"revid":"tiny-revid"}}}'


def version_shown(worker: Program, rev_id: int) -> str:
    """Return the version of the model whose score a look-up shows."""
    answer = worker.get(f"/scores/mosswiki/{rev_id}")
    assert answer.status == 200, answer
    version: str = answer.document["scores"]["revid"]["model_version"]
    return version


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a folder with a version in production, and one that came in since."""
    folder = tmp_path / "models"
    write_artefact(folder)
    write_artefact(folder, version="2.0.0")
    admit_artefact(folder, "tiny-revid", "2.0.0")
    return folder


@pytest.mark.slow
def test_a_version_is_loaded_and_switched_to_by_one_command_and_old_rows_stay(
    tmp_path: Path, models: Path
) -> None:
    store = ModelStore([models])
    old, new = (store.info(f"tiny-revid@{version}").id for version in ("1.0.0", "2.0.0"))
    before = write_snapshot(tmp_path / "snapshots", "old", [scored(7, model=old), scored(500, model=old)])
    rows = (scored(rev_id, model=new) for rev_id in range(1, 201))
    snapshot = write_snapshot(tmp_path / "snapshots", "2026-11-01", rows)
    shared = (WIKIS, f"--model-folders={models}", "--log-format=json")
    flags = (f"--data-dir={tmp_path / 'data'}", f"--content={BUNDLED.dump}", "--http-port=0")
    with Program(tmp_path / "worker", "worker", *shared, *flags, "--intake=open") as worker:
        worker.until_answered("/readyz")
        with Program(
            tmp_path / "first", "snapshot", "load", str(before), f"--into={worker.address}"
        ) as first:
            assert first.process.wait(timeout=60) == 0, first.stderr
        assert {version_shown(worker, rev_id) for rev_id in (7, 500)} == {"1.0.0"}
        arguments = ("snapshot", "load", str(snapshot), f"--into={worker.address}", *shared)
        refused = Program(tmp_path / "refused", *arguments, "--promote=tiny-revid@1.0.0")
        with refused:
            assert refused.process.wait(timeout=60) == 1
            assert "snapshot_unusable" in refused.stderr
        failures: list[int] = []
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                status = worker.get("/scores/mosswiki/7").status
                if status != 200:
                    failures.append(status)

        asking = threading.Thread(target=ask)
        asking.start()
        with Program(tmp_path / "loading", *arguments, "--promote=tiny-revid@2.0.0") as loading:
            assert loading.process.wait(timeout=120) == 0, loading.stderr
            assert "tiny-revid@2.0.0" in loading.stdout
        is_over.set()
        asking.join(timeout=60)
        assert version_shown(worker, 7) == "2.0.0"
        assert version_shown(worker, 500) == "1.0.0"
        # Who connected in the moment at which the process ended was cut off, and nobody was told wrongly.
        assert set(failures) <= {0}
        assert worker.stop() == 0
