"""The models of a worker: their processes load while the worker is composed."""

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.scorers import Scorers
from app.settings import Settings, WikiSettings

HEAVY = {"aiohttp", "aiokafka", "faust", "rocksdict", "starlette", "uvicorn", "revscoring"}


def settings(**models: str) -> Settings:
    """Return settings of one wiki."""
    # Other tests want the cores as well.
    return Settings(wikis={"samplewiki": WikiSettings(models)}, scorer_niceness=0)


def children() -> list[psutil.Process]:
    """Return the processes that this one has started."""
    return psutil.Process().children(recursive=True)


def imported_by(module: str, names: set[str]) -> list[str]:
    """Return which of these modules a fresh process has imported with one of ours."""
    program = f"import sys, {module}; print(*({names!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_processes_are_started_before_the_worker_imports_what_it_runs_on() -> None:
    assert imported_by("app.run", HEAVY) == []


def test_a_worker_does_not_import_the_generator_of_the_sample() -> None:
    assert imported_by("app.worker", {"batch.sample_wiki"}) == []


async def test_the_models_load_while_this_process_does_something_else() -> None:
    before = len(children())
    scorers = Scorers(settings(reverted="enwiki-reverted"))
    await scorers.begin()
    try:
        assert len(children()) > before
        states = [scorers.is_ready]
        await scorers.ready()
        assert [*states, scorers.is_ready] == [False, True]
    finally:
        await scorers.stop(drain_seconds=0)
    assert len(children()) == before


async def test_processes_that_still_load_are_ended_with_the_others() -> None:
    before = len(children())
    scorers = Scorers(settings(reverted="enwiki-reverted"))
    await scorers.begin()
    await scorers.stop(drain_seconds=0)
    assert len(children()) == before


async def test_what_keeps_a_process_from_loading_is_raised_where_scores_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scorers = Scorers(settings(reverted="enwiki-reverted"))
    # A library of one name with NumPy's, found first, stands for an installation gone wrong.
    (tmp_path / "numpy.py").write_text("raise ImportError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    await scorers.begin()
    with pytest.raises(Exception, match="loading"):
        await scorers.ready()
    await scorers.stop(drain_seconds=0)


async def test_scores_cannot_be_waited_for_before_the_processes_are_started() -> None:
    scorers = Scorers(settings(revid="testwiki-revid"))
    with pytest.raises(RuntimeError, match="before"):
        await scorers.ready()
    await asyncio.wait_for(scorers.stop(drain_seconds=0), 5)


def test_a_model_that_reads_no_text_is_loaded_here() -> None:
    scorers = Scorers(settings(revid="testwiki-revid"))
    assert [name.partition("@")[0] for name in scorers.inline] == ["testwiki-revid"]
