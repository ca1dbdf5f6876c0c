"""The pool of scoring processes when texts, processes, models and parents fail."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from models.importer.importing import import_model
from models.pool import KillReason, PoolLimits, ScoringPool, Work
from models.work import load_work
from schemas.errors import (
    CpuLimitExceeded,
    EngineError,
    MemoryLimitExceeded,
    ModelCorrupt,
    RevstreamError,
    ScorerCrashed,
)
from schemas.prediction import Score, ScoredModel, ScoreFailure
from tests.conftest import ROOT
from tests.pool_work import (
    Listener,
    Threaded,
    corrupt,
    corrupt_in_one,
    deadly,
    endless,
    model,
    obedient,
    revision,
    running,
    undone,
    until,
)


def _failure(answers: list[ScoredModel]) -> ScoreFailure:
    [answer] = answers
    assert isinstance(answer.outcome, ScoreFailure)
    return answer.outcome


def _is_scored(answers: list[ScoredModel]) -> bool:
    return all(isinstance(answer.outcome, Score) for answer in answers)


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def _template() -> psutil.Process:
    [template] = psutil.Process().children()
    return template


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("order", ["spin 60", "regex", "wikitext"])
async def test_a_revision_that_spends_its_cpu_budget_is_ended_and_not_tried_again(
    order: str, tmp_path: Path
) -> None:
    listener = Listener()
    models = [model("enwiki-a"), model("enwiki-b")]
    async with running(partial(obedient, str(tmp_path)), cpu_seconds=0.5, observe=listener) as pool:
        answers = await pool.score(revision(order, rev_id=31), models)
        assert _is_scored(await pool.score(revision("after"), [model()]))
        status = pool.status()
    assert [answer.model for answer in answers] == [each.id for each in models]
    for answer in answers:
        assert isinstance(answer.outcome, ScoreFailure)
        assert answer.outcome.code == CpuLimitExceeded.code
        assert "enwiki revision 31 took more than 0.5 s of CPU time" in answer.outcome.message
    assert (status.killed_for_cpu, status.restarts) == (1, 1)
    assert status.cpu_seconds >= 0.5
    assert listener.kills == [KillReason.CPU]


async def test_the_cpu_budget_is_of_one_revision_and_not_of_a_process(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), cpu_seconds=0.6) as pool:
        for _ in range(4):
            assert _is_scored(await pool.score(revision("spin 0.3"), [model()]))
        assert pool.status().restarts == 0
        assert pool.status().cpu_seconds > 1.2


async def test_time_that_costs_no_cpu_spends_no_cpu_budget(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), cpu_seconds=0.2) as pool:
        assert _is_scored(await pool.score(revision("sleep 0.8"), [model()]))


async def test_a_hostile_revision_holds_up_no_other(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), processes=2, cpu_seconds=2.0) as pool:
        hostile = asyncio.create_task(pool.score(revision("wikitext"), [model()]))
        await until(lambda: pool.status().busy == 1)
        for n in range(50):
            assert _is_scored(await pool.score(revision("x", rev_id=n + 1), [model()]))
        assert not hostile.done()
        assert _failure(await hostile).code == CpuLimitExceeded.code


async def test_markup_made_to_be_slow_ends_within_the_limit_and_delays_no_other(
    shared: Path, tmp_path: Path
) -> None:
    """Score real hostile markup with a real model: 32 kB of what never closes."""
    source = shared / "data/models/revscoring/articlequality__enwiki.nettrom_wp10.gradient_boosting.model"
    imported = import_model(source, tmp_path)
    asked = [model(imported.name)]
    make_work = partial(load_work, (tmp_path,), (imported.name,))
    async with running(make_work, processes=2, cpu_seconds=1.0) as pool:
        ordinary = revision("An ''oak'' is a [[tree]].<ref>A book</ref>\n\n" * 20)
        assert _is_scored(await pool.score(ordinary, asked))
        outcomes = {}
        for markup in ("{{a|", '<div style="', "{|", "<b>"):
            text = markup * (32_768 // len(markup))
            hostile = asyncio.create_task(pool.score(revision(text, rev_id=31), asked))
            meanwhile = 0
            while not hostile.done():
                assert _is_scored(await pool.score(ordinary, asked))
                meanwhile += 1
            [answer] = await hostile
            outcomes[markup] = answer.outcome
            # What is scored in time may be done before any other is.
            assert meanwhile > 5 or _is_scored([answer])
            await until(lambda: pool.status().alive == 2)
        status = pool.status()
    failures = [outcome for outcome in outcomes.values() if isinstance(outcome, ScoreFailure)]
    # Some of it may be scored in time; nothing but the limit may end it.
    assert {failure.code for failure in failures} == {CpuLimitExceeded.code}
    assert status.killed_for_cpu == status.restarts == len(failures)
    assert status.cpu_seconds > len(failures)


async def test_a_revision_whose_process_dies_once_is_scored_on_a_fresh_one(tmp_path: Path) -> None:
    listener = Listener()
    async with running(partial(obedient, str(tmp_path)), observe=listener) as pool:
        before = pool.status().pids
        [answer] = await pool.score(revision("die_once mark"), [model()], with_features=True)
        after = pool.status()
    assert isinstance(answer.outcome, Score)
    assert answer.features is not None
    assert answer.features["pid"] not in before
    assert (after.restarts, after.alive) == (1, 1)
    assert listener.kills == [KillReason.CRASH]


@pytest.mark.parametrize(
    ("order", "death"),
    [
        (f"die {signal.SIGKILL:d}", "was ended by SIGKILL"),
        (f"die {signal.SIGSEGV:d}", "was ended by SIGSEGV"),
        ("exit", "left with exit code 3"),
        ("garble", "left with|was ended by"),
        ("close", "was ended by SIGKILL"),
    ],
)
async def test_a_revision_whose_process_dies_twice_is_recorded_as_such(
    order: str, death: str, tmp_path: Path
) -> None:
    listener = Listener()
    async with running(partial(obedient, str(tmp_path)), processes=2, observe=listener) as pool:
        failure = _failure(await pool.score(revision(order, rev_id=5), [model()]))
        await until(lambda: pool.status().alive == 2)
        assert _is_scored(await pool.score(revision("after"), [model()]))
    assert failure.code == ScorerCrashed.code
    assert re.search(death, failure.message)
    assert "enwiki revision 5" in failure.message
    assert listener.kills == [KillReason.CRASH] * 2


async def test_a_text_that_spends_the_budget_while_it_is_prepared_is_not_tried_again(tmp_path: Path) -> None:
    listener = Listener()
    async with running(
        partial(obedient, str(tmp_path)), processes=2, cpu_seconds=0.3, observe=listener
    ) as pool:
        early = pool.prepare(revision("spin 60"), [model()])
        failure = _failure(await pool.score(revision("spin 60", rev_id=31), [model()], prepared=early))
        await until(lambda: pool.status().alive == 2)
        status = pool.status()
    assert failure.code == CpuLimitExceeded.code
    assert "revision 31 took more than 0.3 s" in failure.message
    assert (status.killed_for_cpu, status.restarts) == (1, 1)


async def test_a_process_that_dies_of_a_preparation_loses_nobody(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        assert pool.prepare(revision("die_once nobody came"), [model()]) is not None
        assert _is_scored(await pool.score(revision("another"), [model()]))
        early = pool.prepare(revision("die_once somebody came"), [model()])
        assert early is not None
        assert _is_scored(await pool.score(revision("die_once somebody came"), [model()], prepared=early))
        status = pool.status()
    assert (status.restarts, status.alive) == (2, 1)


async def test_a_process_that_sleeps_is_ended_at_the_wall_limit(tmp_path: Path) -> None:
    listener = Listener()
    async with running(partial(obedient, str(tmp_path)), wall_seconds=0.3, observe=listener) as pool:
        failure = _failure(await pool.score(revision("sleep 60"), [model()]))
    assert failure.code == ScorerCrashed.code
    assert "did not answer within 0.3 s" in failure.message
    assert listener.kills == [KillReason.WALL] * 2


async def test_a_process_that_dies_idle_is_replaced(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), processes=2) as pool:
        [victim, survivor] = pool.status().pids
        os.kill(victim, signal.SIGKILL)
        await until(lambda: pool.status().restarts == 1)
        assert pool.status().alive == 2
        assert survivor in pool.status().pids
        assert victim not in pool.status().pids
        texts = [pool.score(revision("x"), [model()]) for _ in range(10)]
        assert all(_is_scored(answers) for answers in await asyncio.gather(*texts))


async def test_all_processes_dying_under_load_lose_no_revision(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), processes=2) as pool:
        calls = [
            asyncio.create_task(pool.score(revision("sleep 0.05", rev_id=n + 1), [model()]))
            for n in range(40)
        ]
        await until(lambda: pool.status().queued < 30)
        for pid in pool.status().pids:
            os.kill(pid, signal.SIGKILL)
        assert all(_is_scored(answers) for answers in await asyncio.gather(*calls))
        assert pool.status().restarts == 2


async def test_a_template_that_dies_takes_its_processes_along_and_is_replaced(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), processes=2) as pool:
        before = set(pool.status().pids)
        calls = [asyncio.create_task(pool.score(revision("sleep 0.3"), [model()])) for _ in range(4)]
        await until(lambda: pool.status().busy == 2)
        _template().kill()
        assert all(_is_scored(answers) for answers in await asyncio.gather(*calls))
        await until(lambda: pool.status().alive == 2)
        assert before.isdisjoint(pool.status().pids)
        assert all(_is_gone(pid) for pid in before)
        _template()


@pytest.mark.parametrize("order", ["fill 4000", "fill_in_c 300"])
async def test_a_revision_that_eats_memory_is_ended_and_not_tried_again(order: str, tmp_path: Path) -> None:
    listener = Listener()
    make_work = partial(obedient, str(tmp_path))
    async with running(make_work, processes=2, memory_bytes=200 << 20, observe=listener) as pool:
        hungry = asyncio.create_task(pool.score(revision(order, rev_id=31), [model()]))
        while not hungry.done():
            assert _is_scored(await pool.score(revision("meanwhile"), [model()]))
        failure = _failure(await hungry)
        await until(lambda: pool.status().alive == 2)
        assert _is_scored(await pool.score(revision("after"), [model()]))
        status = pool.status()
    assert failure.code == MemoryLimitExceeded.code
    assert "enwiki revision 31 took more than 200 MiB of memory" in failure.message
    assert (status.killed_for_memory, status.killed_for_cpu, status.restarts) == (1, 0, 1)
    assert listener.kills == [KillReason.MEMORY]


async def test_the_memory_limit_is_of_one_revision_and_not_of_a_process(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), memory_bytes=200 << 20) as pool:
        for _ in range(3):
            assert _is_scored(await pool.score(revision("fill 120"), [model()]))
        assert pool.status().killed_for_memory == 0


async def test_of_revisions_sent_ahead_only_the_one_that_is_too_costly_fails(tmp_path: Path) -> None:
    listener = Listener()
    texts = ["sleep 0.1", *["x"] * 5, "spin 60", *["y"] * 40]
    async with running(partial(obedient, str(tmp_path)), cpu_seconds=0.3, observe=listener) as pool:
        calls = [asyncio.create_task(pool.score(revision(text), [model()])) for text in texts]
        await until(lambda: pool.status().queued < 30)
        answers = await asyncio.gather(*calls)
        status = pool.status()
    assert _failure(answers.pop(6)).code == CpuLimitExceeded.code
    assert all(_is_scored(answer) for answer in answers)
    assert (status.killed_for_cpu, status.restarts) == (1, 1)
    # Each is heard of once, although those behind the costly one were handed over twice.
    assert len(listener.scores) == len(texts) - 1


async def test_models_that_do_not_load_in_a_process_are_told_with_their_fields(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    before = _children()
    pool = ScoringPool(partial(Threaded, str(tmp_path)), processes=2, limits=PoolLimits())
    with pytest.raises(ModelCorrupt, match="changed on the disk") as raised:
        await pool.start()
    assert raised.value.fields == {"path": str(tmp_path)}
    assert _children() == before


async def test_a_cancelled_call_whose_process_dies_is_not_tried_again(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        [pid] = pool.status().pids
        call = asyncio.create_task(pool.score(revision("sleep 60"), [model()]))
        await until(lambda: pool.status().busy == 1)
        call.cancel()
        await asyncio.wait([call])
        os.kill(pid, signal.SIGKILL)
        assert _is_scored(await pool.score(revision("after"), [model()]))
        assert pool.status().busy == 0


async def test_signals_of_terminals_and_service_managers_leave_processes_at_work(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        [pid] = pool.status().pids
        call = asyncio.create_task(pool.score(revision("sleep 0.5"), [model()]))
        await until(lambda: pool.status().busy == 1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        assert _is_scored(await call)
        assert pool.status().pids == (pid,)
        assert os.getpgid(pid) != os.getpgid(0)


@pytest.mark.parametrize(
    ("make_work", "kind", "words"),
    [
        (partial(corrupt, "m.npz"), ModelCorrupt, "m.npz differs from its sha512"),
        (undone, EngineError, "loading the models raised RuntimeError"),
        (deadly, EngineError, "was ended by SIGKILL while loading"),
        (endless, EngineError, "did not load its models within 1.5 s"),
    ],
)
async def test_models_that_do_not_load_are_told_at_the_start(
    make_work: Callable[[], Work], kind: type[RevstreamError], words: str
) -> None:
    before = _children()
    pool = ScoringPool(
        make_work, processes=2, limits=PoolLimits(load_seconds=1.5 if make_work is endless else 60.0)
    )
    with pytest.raises(kind, match=words) as raised:
        await pool.start()
    assert type(raised.value) is kind
    assert raised.value.fields == ({"path": "m.npz"} if kind is ModelCorrupt else {})
    assert _children() == before


async def test_a_pool_that_cannot_heal_raises_so_that_no_event_is_acked(tmp_path: Path) -> None:
    async with running(partial(corrupt_in_one, str(tmp_path))) as pool:
        dying = asyncio.create_task(pool.score(revision("sleep 60"), [model()]))
        waiting = asyncio.create_task(pool.score(revision("x"), [model()]))
        await until(lambda: pool.status().busy == 1)
        _template().kill()
        for call in (dying, waiting):
            with pytest.raises(
                EngineError, match=r"could be started in 3 tries.*changed on the disk"
            ) as raised:
                await call
            assert isinstance(raised.value.__cause__, ModelCorrupt)
        with pytest.raises(EngineError, match="could be started in 3 tries"):
            await pool.score(revision("x"), [model()])
        assert pool.status().alive == 0


async def test_stopping_ends_work_that_takes_longer_than_the_drain(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), processes=2) as pool:
        calls = [asyncio.create_task(pool.score(revision(text), [model()])) for text in ("sleep 60", "regex")]
        await until(lambda: pool.status().busy == 2)
        began = time.monotonic()
        await pool.stop(drain_seconds=0.2)
        assert time.monotonic() - began < 10
        for call in calls:
            with pytest.raises(EngineError, match="has stopped"):
                await call


async def test_stopping_while_a_process_is_replaced_leaves_none_behind(tmp_path: Path) -> None:
    before = _children()
    async with running(partial(obedient, str(tmp_path))) as pool:
        call = asyncio.create_task(pool.score(revision(f"die {signal.SIGKILL:d}"), [model()]))
        # A replacement takes a few milliseconds, so every turn of the loop is looked at.
        async with asyncio.timeout(20):
            while pool.status().alive:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0)
        await pool.stop(drain_seconds=5)
        with pytest.raises(EngineError, match="has stopped"):
            await call
    assert _children() == before


async def test_stopping_while_processes_load_ends_them_and_the_start(tmp_path: Path) -> None:
    before = _children()
    pool = ScoringPool(endless, processes=2, limits=PoolLimits())
    start = asyncio.create_task(pool.start())
    await until(lambda: len(_children() - before) == 1)
    await pool.stop(drain_seconds=5)
    with pytest.raises(EngineError):
        await start
    assert _children() == before


async def test_a_cancelled_start_leaves_no_process_behind() -> None:
    before = _children()
    start = asyncio.create_task(ScoringPool(endless, processes=2, limits=PoolLimits()).start())
    await until(lambda: len(_children() - before) == 1)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert _children() == before


async def test_no_descriptor_and_no_process_outlives_the_pool(tmp_path: Path) -> None:
    # The loop may open descriptors of its own on first use.
    async with running(partial(obedient, str(tmp_path))):
        pass
    open_before, children_before = _open_descriptors(), _children()
    async with running(partial(obedient, str(tmp_path)), processes=2, cpu_seconds=0.3) as pool:
        texts = ["x", "spin 9", f"die {signal.SIGKILL:d}", "y" * 1_000_000]
        await asyncio.gather(*(pool.score(revision(text), [model()]) for text in texts))
        hanging = asyncio.create_task(pool.score(revision("sleep 60"), [model()]))
        await until(lambda: pool.status().busy == 1)
    with pytest.raises(EngineError):
        await hanging
    assert _open_descriptors() == open_before
    assert _children() == children_before


PARENT = """
import asyncio
import sys
from functools import partial

from models.pool import PoolLimits, ScoringPool
from tests.pool_work import model, obedient, revision

print("main module runs", file=sys.stderr)


async def main():
    pool = ScoringPool(partial(obedient, sys.argv[1]), processes=2, limits=PoolLimits())
    await pool.start()
    calls = [asyncio.create_task(pool.score(revision(text), [model()])) for text in sys.argv[2:]]
    await asyncio.sleep(0.1)
    print(*pool.status().pids, flush=True)
    await asyncio.gather(*calls)
    await pool.stop(drain_seconds=5)


asyncio.run(main())
"""


def _parent(tmp_path: Path, *texts: str) -> "subprocess.Popen[str]":
    """Start a script that has a pool, from a folder with a trap in place of our packages."""
    (tmp_path / "script").mkdir()
    script = tmp_path / "script" / "parent.py"
    script.write_text(textwrap.dedent(PARENT))
    trap = tmp_path / "elsewhere" / "models"
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("raise SystemExit('took the package of the working directory')")
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(script), str(tmp_path), *texts],
        cwd=trap.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_do_not_run_the_main_module_nor_import_from_the_working_directory(tmp_path: Path) -> None:
    with _parent(tmp_path, "x", "y", "z") as parent:
        out, err = parent.communicate(timeout=60)
    assert parent.returncode == 0
    assert len(out.split()) == 2
    assert err == "main module runs\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent at once")
def test_processes_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    # One is inside C code that does not come back, and one waits for its next revision.
    with _parent(tmp_path, "regex") as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(_is_gone(pid) for pid in pids)
        parent.kill()
        parent.communicate(timeout=60)
        ends = time.monotonic() + 20
        while not all(_is_gone(pid) for pid in pids):
            assert time.monotonic() < ends, f"of {pids} some live on"
            time.sleep(0.01)
