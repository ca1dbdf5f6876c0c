"""The pool of scoring processes on an ordinary day."""

import asyncio
import os
from functools import partial
from pathlib import Path

import psutil
import pytest
import uvloop
from msgspec.structs import replace

from models.pool import PoolLimits, ScoringPool, Work
from models.priority import Priority
from models.process_memory import memory_bytes
from models.work import load_work
from schemas.errors import EngineError, FeatureError, ModelNotFound
from schemas.prediction import Score, ScoredModel, ScoreFailure
from tests.kinds import REVISIONS, is_installed, write_kind
from tests.pool_work import (
    Listener,
    Threaded,
    bystander,
    counted,
    lengths,
    model,
    obedient,
    revision,
    running,
    until,
)


def _length(answers: list[ScoredModel]) -> int:
    [answer] = answers
    assert isinstance(answer.outcome, Score)
    return int(answer.outcome.probability["true"])


def _oom_score_adjustment(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def _open_files(pid: int) -> list[str]:
    return [link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()]


async def test_each_model_asked_gives_one_answer_in_the_order_asked() -> None:
    artefacts = [model("enwiki-reverted"), model("enwiki-damaging"), model("enwiki-a")]
    async with running(lengths) as pool:
        answers = await pool.score(revision("four"), artefacts)
    assert [answer.model for answer in answers] == [artefact.id for artefact in artefacts]
    assert all(isinstance(answer.outcome, Score) for answer in answers)


async def test_no_cpu_time_is_left_out_of_what_is_told(tmp_path: Path) -> None:
    listener = Listener()
    async with running(partial(obedient, str(tmp_path)), observe=listener) as pool:
        for _ in range(20):
            await pool.score(revision("spin 0.003"), [model()])
        await pool.score(revision("cycles 400000"), [model()])
        await pool.score(revision("the garbage of the one before is collected first"), [model()])
    told = [seconds for _, seconds, _ in listener.scores]
    assert min(told[:20]) >= 0.003
    assert told[-1] >= 0.003


async def test_features_come_where_asked_with_their_types() -> None:
    async with running(lengths) as pool:
        [plain] = await pool.score(revision("four"), [model()])
        [full] = await pool.score(revision("four"), [model()], with_features=True)
    assert plain.features is None
    assert full.features is not None
    assert full.features["pid"] != psutil.Process().pid
    del full.features["pid"]
    assert full.features == {"length": 4, "is_long": False, "language": "en"}
    assert type(full.features["is_long"]) is bool


async def test_no_models_need_no_process() -> None:
    listener = Listener()
    async with running(lengths, observe=listener) as pool:
        assert await pool.score(revision("x"), []) == []
    assert listener.scores == []


async def test_more_calls_than_processes_each_get_their_own_answer() -> None:
    async with running(lengths, processes=3) as pool:
        calls = [pool.score(revision("x" * n, rev_id=n + 1), [model()]) for n in range(200)]
        answers = await asyncio.gather(*calls)
        assert pool.status().busy == pool.status().queued == 0
    assert [_length(answer) for answer in answers] == list(range(200))


async def test_revisions_are_taken_in_the_order_of_their_calls(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        calls = [pool.score(revision(f"mark {n}"), [model()]) for n in range(30)]
        await asyncio.gather(*calls)
    assert (tmp_path / "marks").read_text().split() == [str(n) for n in range(30)]


async def test_every_process_gets_work(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), processes=3) as pool:
        calls = [pool.score(revision("sleep 0.3"), [model()], with_features=True) for _ in range(3)]
        answers = await asyncio.gather(*calls)
        pids = {answer.features["pid"] for [answer] in answers if answer.features}
        assert pids == set(pool.status().pids)
    assert len(pids) == 3


@pytest.mark.parametrize("characters", [1_000_000, 10_000_000])
async def test_a_large_text_and_its_parent_arrive_whole(characters: int) -> None:
    text = "Ærø—\n" * (characters // 5)
    async with running(lengths) as pool:
        answers = await asyncio.gather(
            *(pool.score(revision(text, parent_text=text), [model()]) for _ in range(3))
        )
    assert [_length(answer) for answer in answers] == [2 * characters] * 3


async def test_numbers_of_numpy_arrive_as_numbers(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        [answer] = await pool.score(revision("numpy enwiki-a"), [model()])
    assert isinstance(answer.outcome, Score)
    assert answer.outcome.probability == {"true": 0.5}


async def test_a_cancelled_call_that_waits_is_never_scored(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        first = asyncio.create_task(pool.score(revision("sleep 0.3"), [model()]))
        waiting = asyncio.create_task(pool.score(revision("mark dropped"), [model()]))
        last = asyncio.create_task(pool.score(revision("mark kept"), [model()]))
        await until(lambda: pool.status().queued == 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert pool.status().queued == 1
        await asyncio.gather(first, last)
    assert (tmp_path / "marks").read_text().split() == ["kept"]


async def test_what_waits_is_scored_by_priority_whatever_came_first(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        first = asyncio.create_task(pool.score(revision("sleep 0.3"), [model()]))
        others = [
            asyncio.create_task(pool.score(revision(f"mark {one.name.lower()}"), [model()], priority=one))
            for one in reversed(Priority)
        ]
        await until(lambda: pool.status().queued == len(others))
        assert pool.status().queued_by_priority == {one.name.lower(): 1 for one in Priority}
        await asyncio.gather(first, *others)
    assert (tmp_path / "marks").read_text().split() == ["on_demand", "stream", "retry", "backfill"]


async def test_a_cancelled_call_that_runs_leaves_its_process_in_order(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        pids = pool.status().pids
        runs = asyncio.create_task(pool.score(revision("sleep 0.3"), [model()]))
        await until(lambda: pool.status().busy == 1)
        runs.cancel()
        with pytest.raises(asyncio.CancelledError):
            await runs
        assert _length(await pool.score(revision("after"), [model()])) == 5
        assert pool.status().pids == pids


async def test_stopping_lets_running_work_finish(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        runs = asyncio.create_task(pool.score(revision("sleep 0.5"), [model()]))
        await until(lambda: pool.status().busy == 1)
        await pool.stop(drain_seconds=20)
        assert _length(await runs) == len("sleep 0.5")


async def test_stopping_refuses_what_waits_and_what_comes(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        runs = asyncio.create_task(pool.score(revision("sleep 0.5"), [model()]))
        waits = asyncio.create_task(pool.score(revision("mark never"), [model()]))
        await until(lambda: pool.status().queued == 1)
        await pool.stop(drain_seconds=20)
        with pytest.raises(EngineError, match="has stopped"):
            await waits
        with pytest.raises(EngineError, match="has stopped"):
            await pool.score(revision("x"), [model()])
        await runs
    assert not (tmp_path / "marks").exists()


async def test_stopping_twice_and_at_once_is_the_same_as_once() -> None:
    async with running(lengths, processes=2) as pool:
        await asyncio.gather(pool.stop(drain_seconds=1), pool.stop(drain_seconds=1))
        await pool.stop(drain_seconds=1)
        status = pool.status()
    assert (status.alive, status.pids) == (0, ())


async def test_scoring_before_the_start_is_refused() -> None:
    pool = ScoringPool(lengths, processes=1, limits=PoolLimits())
    with pytest.raises(EngineError, match="not started"):
        await pool.score(revision("x"), [model()])
    await pool.stop(drain_seconds=0)


async def test_the_models_are_loaded_once_for_all_processes(tmp_path: Path) -> None:
    # Of a whole run of the tests, a broker may be a child too.
    before = set(psutil.Process().children())
    async with running(partial(counted, str(tmp_path)), processes=3) as pool:
        [template] = set(psutil.Process().children()) - before
        assert {child.pid for child in template.children()} == set(pool.status().pids)
        assert (tmp_path / "marks").read_text().split() == [str(template.pid)]


async def test_models_that_start_threads_are_loaded_in_each_process(tmp_path: Path) -> None:
    async with running(partial(Threaded, str(tmp_path)), processes=2) as pool:
        assert _length(await pool.score(revision("four"), [model()])) == 4


@pytest.mark.parametrize("kind", ["linear", "skops", "lightgbm", "xgboost", "onnx"])
async def test_models_of_each_kind_score_in_forked_processes_without_threads_at_the_fork(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if not is_installed(kind):
        pytest.skip(f"the extra `kinds`, which runs {kind}, is not installed")
    artefact = write_kind(tmp_path, kind).parent.name
    async with running(partial(load_work, (tmp_path,), (artefact,)), processes=2) as pool:
        calls = (pool.score(each, [model(artefact)]) for each in REVISIONS[:2])
        answers = [answer for [answer] in await asyncio.gather(*calls)]
    assert all(isinstance(answer.outcome, Score) for answer in answers), answers
    assert capfd.readouterr().err == ""


async def test_a_thread_that_loading_started_is_told_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(partial(bystander, str(tmp_path))) as pool:
        assert _length(await pool.score(revision("four"), [model()])) == 4
    assert "loading the models started 1 threads" in capfd.readouterr().err


async def test_small_revisions_that_wait_are_answered_one_by_one_in_their_order(tmp_path: Path) -> None:
    listener = Listener()
    answered: list[int] = []

    async def score(n: int) -> None:
        [answer] = await pool.score(revision(f"mark {n}"), [model()])
        assert isinstance(answer.outcome, Score)
        answered.append(n)

    async with running(partial(obedient, str(tmp_path)), observe=listener) as pool:
        await asyncio.gather(*(score(n) for n in range(60)))
    assert answered == list(range(60))
    assert (tmp_path / "marks").read_text().split() == [str(n) for n in range(60)]
    assert len(listener.scores) == 60


async def test_revisions_sent_ahead_to_a_process_that_turns_out_slow_go_to_others(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), processes=2) as pool:
        texts = ["sleep 0.1", "sleep 0.1", "sleep 5", *(f"text {n}" for n in range(20))]
        calls = [asyncio.create_task(pool.score(revision(text), [model()])) for text in texts]
        slow = calls.pop(2)
        answers = await asyncio.gather(*calls)
        assert not slow.done()
        assert [_length(answer) for answer in answers] == [len(text) for text in texts if text != "sleep 5"]


async def test_a_page_goes_to_the_process_that_had_it_last(tmp_path: Path) -> None:
    async def pid_of(text: str) -> object:
        [answer] = await pool.score(revision(text), [model()], with_features=True)
        return answer.features and answer.features["pid"]

    async with running(partial(obedient, str(tmp_path)), processes=2) as pool:
        first = await pid_of("a page")
        other = replace(revision("sleep 0.2"), page_id=99)
        busy = asyncio.create_task(pool.score(other, [model()], with_features=True))
        await until(lambda: pool.status().busy == 1)
        # The process that has the page is busy: nobody waits for it.
        second = await pid_of("the page again")
        await busy
        assert second != first
        assert await pid_of("the page once more") == second


async def test_what_was_prepared_is_scored_by_the_process_that_has_it(tmp_path: Path) -> None:
    listener = Listener()
    async with running(partial(obedient, str(tmp_path)), processes=2, observe=listener) as pool:
        early = pool.prepare(revision("spin 0.2"), [model()])
        assert early is not None
        # The other process is idle, and yet this one waits for what is prepared.
        [answer] = await pool.score(
            revision("spin 0.2", parent_text="before"), [model()], with_features=True, prepared=early
        )
        assert await early.future == []
        assert isinstance(answer.outcome, Score)
        assert answer.outcome.probability["true"] == len("spin 0.2before")
        again = pool.prepare(revision("later"), [model()])
        assert again is not None
        await again.future
        [later] = await pool.score(revision("later"), [model()], with_features=True, prepared=again)
        assert answer.features is not None
        assert later.features is not None
        assert later.features["pid"] == answer.features["pid"]
        cpu_seconds = pool.status().cpu_seconds
    # A preparation is heard of with what it was for.
    assert [models for _, _, models in listener.scores] == [1, 1]
    assert cpu_seconds == pytest.approx(sum(seconds for _, seconds, _ in listener.scores))
    assert listener.scores[0][1] >= 0.4


async def test_a_work_that_keeps_nothing_prepares_nothing() -> None:
    async with running(lengths) as pool:
        early = pool.prepare(revision("four"), [model()])
        assert early is not None
        assert await early.future == []
        assert _length(await pool.score(revision("four"), [model()], prepared=early)) == len("four")


async def test_nothing_is_prepared_while_half_of_the_processes_are_busy(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path)), processes=2) as pool:
        call = asyncio.create_task(pool.score(revision("sleep 0.2"), [model()]))
        await until(lambda: pool.status().busy == 1)
        assert pool.prepare(revision("text"), [model()]) is None
        await call
        assert pool.prepare(revision("text"), [model()]) is not None


async def test_nothing_is_prepared_while_every_process_is_busy_or_none_runs(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        call = asyncio.create_task(pool.score(revision("sleep 0.2"), [model()]))
        await until(lambda: pool.status().busy == 1)
        assert pool.prepare(revision("text"), [model()]) is None
        await call
        assert pool.prepare(revision("text"), []) is None
        early = pool.prepare(revision("sleep 0.1"), [model()])
        assert _length(await pool.score(revision("another"), [model()])) == len("another")
    assert early is not None
    assert early.future.done()
    assert pool.prepare(revision("text"), [model()]) is None


async def test_a_process_that_keeps_much_memory_is_replaced_between_revisions(tmp_path: Path) -> None:
    listener = Listener()
    limit = 64 << 20
    async with running(partial(obedient, str(tmp_path)), memory_bytes=limit, observe=listener) as pool:
        [before] = pool.status().pids
        for _ in range(2):
            assert _length(await pool.score(revision("keep 20"), [model()])) == len("keep 20")
        await until(lambda: pool.status().alive == 1)
        [after] = pool.status().pids
        assert after != before
        assert pool.status().restarts == 0
    assert listener.kills == []


async def test_garbage_goes_while_a_process_is_idle(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        [pid] = pool.status().pids
        await pool.score(revision("cycles 150000"), [model()])
        held = memory_bytes(pid)
        await until(lambda: memory_bytes(pid) < held - (4 << 20))


async def test_what_was_kept_for_a_while_goes_as_well_once_it_is_garbage(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        [pid] = pool.status().pids
        await pool.score(revision("hold_cycles 150000"), [model()])
        # Collected once, so that they count as old.
        await asyncio.sleep(0.2)
        held = memory_bytes(pid)
        await pool.score(revision("hold_cycles 0"), [model()])

        async def has_gone() -> bool:
            await pool.score(revision("cycles 6000"), [model()])
            return memory_bytes(pid) < held - (4 << 20)

        async with asyncio.timeout(60):
            while not await has_gone():  # noqa: ASYNC110 - looked at whenever the process was idle
                await asyncio.sleep(0.01)


async def test_the_observer_hears_of_waiting_cpu_and_models(tmp_path: Path) -> None:
    listener = Listener()
    async with running(partial(obedient, str(tmp_path)), observe=listener) as pool:
        await asyncio.gather(
            pool.score(revision("spin 0.2"), [model()]),
            pool.score(revision("quick"), [model("enwiki-a"), model("enwiki-b")]),
        )
        cpu_seconds = pool.status().cpu_seconds
    (first_wait, spun, one), (second_wait, quick, two) = listener.scores
    assert (one, two) == (1, 2)
    assert quick < 0.2 <= spun
    assert first_wait < 0.2 <= second_wait
    assert cpu_seconds == pytest.approx(spun + quick)
    assert listener.kills == []


async def test_a_feature_that_cannot_be_computed_fails_each_model(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        answers = await pool.score(revision("feature_error"), [model("enwiki-a"), model("enwiki-b")])
    failure = ScoreFailure(FeatureError.code, "no such word list")
    assert [answer.outcome for answer in answers] == [failure, failure]


async def test_a_model_that_processes_do_not_know_is_raised_with_its_fields(tmp_path: Path) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        with pytest.raises(ModelNotFound) as raised:
            await pool.score(revision("unknown_model enwiki-other"), [model("enwiki-other")])
        assert raised.value.fields == {"model_name": "enwiki-other"}
        assert _length(await pool.score(revision("after"), [model()])) == 5


async def test_a_defect_is_a_failure_that_does_not_quote_the_page(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        [answer] = await pool.score(revision("raise", rev_id=99), [model()])
    assert isinstance(answer.outcome, ScoreFailure)
    assert answer.outcome.code == FeatureError.code
    assert "enwiki revision 99 raised KeyError" in answer.outcome.message
    assert "secret words" not in answer.outcome.message
    captured = capfd.readouterr()
    assert "enwiki revision 99" in captured.err
    assert "secret words" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("order", ["miscount", "lone surrogate \ud800"])
async def test_what_cannot_be_answered_or_sent_is_a_failure_of_the_features(
    order: str, tmp_path: Path
) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        [answer] = await pool.score(revision(order), [model()])
        assert isinstance(answer.outcome, ScoreFailure)
        assert answer.outcome.code == FeatureError.code
        assert "enwiki revision 7" in answer.outcome.message
        assert pool.status().restarts == 0
        assert _length(await pool.score(revision("after"), [model()])) == 5


async def test_what_libraries_print_goes_to_the_log_and_not_among_the_data(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(partial(obedient, str(tmp_path))) as pool:
        await pool.score(revision("print words of a library"), [model()])
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "words of a library" in captured.err


async def test_processes_yield_to_the_parent_and_die_first_when_memory_runs_out() -> None:
    async with running(lengths, processes=2) as pool:
        for pid in pool.status().pids:
            assert psutil.Process(pid).nice() == psutil.Process().nice() + 5
            assert _oom_score_adjustment(pid) == 500


async def test_processes_with_the_last_niceness_run_while_nobody_else_wants_the_core() -> None:
    async with running(lengths, niceness=19) as pool:
        (pid,) = pool.status().pids
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
        assert _length(await pool.score(revision("12345"), [model()])) == 5


async def test_nothing_of_the_parent_but_the_socket_is_open_in_a_process() -> None:
    async with running(lengths) as pool:
        [pid] = pool.status().pids
        open_files = _open_files(pid)
    assert sum(name.startswith("socket:") for name in open_files) == 1
    assert open_files.count("statm") == 1
    assert len(open_files) == 5


def test_the_pool_works_on_uvloop(tmp_path: Path) -> None:
    async def use() -> list[int]:
        async with running(partial(obedient, str(tmp_path)), processes=2, cpu_seconds=0.3) as pool:
            texts = ["x", "y" * 1_000_000, "die_once mark", "z"]
            scored = await asyncio.gather(*(pool.score(revision(text), [model()]) for text in texts))
            [[ended]] = await asyncio.gather(pool.score(revision("spin 9"), [model()]))
            assert isinstance(ended.outcome, ScoreFailure)
            return [_length(answer) for answer in scored]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(use()) == [1, 1_000_000, len("die_once mark"), 1]


def _from_main() -> Work:
    raise AssertionError


def test_a_work_that_other_processes_cannot_import_is_refused_at_once() -> None:
    def nested() -> Work:
        raise AssertionError

    in_main = partial(_from_main)
    in_main.func.__module__ = "__main__"
    for make_work in (nested, partial(nested), in_main):
        with pytest.raises(ValueError, match=r"cannot be sent|main module"):
            ScoringPool(make_work, processes=1, limits=PoolLimits())


def test_a_pool_of_no_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ScoringPool(lengths, processes=0, limits=PoolLimits())
