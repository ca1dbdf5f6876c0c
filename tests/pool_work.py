"""Works for the pool's tests and benchmark, as real scoring processes import them, and what to ask of them.

A revision's text says what to do with it; everything else is answered with a score that tells the text's
length, so that answers can be matched with what was asked.
"""

import asyncio
import os
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from models.pool import KillReason, PoolLimits, ScoringPool, Work
from schemas.catalogue import ModelInfo, ModelInfoDocument
from schemas.errors import FeatureError, ModelCorrupt, ModelNotFound
from schemas.prediction import FeatureValue, ModelId, Score, ScoredModel, ScoreKind
from schemas.revision import Revision

SHA512 = "ab" * 64


class Listener:
    """Keeps what a pool told of itself."""

    def __init__(self) -> None:
        self.scores: list[tuple[float, float, int]] = []
        self.kills: list[KillReason] = []

    def scored(self, seconds_queued: float, seconds_cpu: float, n: int) -> None:
        self.scores.append((seconds_queued, seconds_cpu, n))

    def killed(self, reason: KillReason) -> None:
        self.kills.append(reason)


@asynccontextmanager
async def running(
    make_work: Callable[[], Work],
    processes: int = 1,
    *,
    observe: Listener | None = None,
    niceness: int = 5,
    **limits: float,
) -> AsyncIterator[ScoringPool]:
    """Give a started pool, and stop it at once afterwards."""
    pool = ScoringPool(
        make_work,
        processes=processes,
        limits=msgspec.convert(limits, PoolLimits),
        observe=observe,
        niceness=niceness,
    )
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop(drain_seconds=0)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: It did not come true in time.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a pool's state changes by itself and signals nothing
            await asyncio.sleep(0.01)


def model(artefact: str = "enwiki-length") -> ModelInfo:
    document = ModelInfoDocument(type="Made", version=None)
    return ModelInfo(artefact, _model_id(artefact), ScoreKind.BINARY, ("true", "false"), document, {})


def revision(text: str, rev_id: int = 7, parent_text: str | None = None) -> Revision:
    return Revision(
        wiki_id="enwiki",
        page_id=3,
        page_title="Main_Page",
        namespace_id=0,
        rev_id=rev_id,
        rev_parent_id=None,
        rev_dt=datetime(2026, 1, 2, tzinfo=UTC),
        content_model="wikitext",
        text=text,
        parent_text=parent_text,
        comment="",
        user=None,
    )


def _model_id(artefact: str) -> ModelId:
    return ModelId(artefact.partition("-")[2], "1.0.0", SHA512)


def _scored(artefact: str, length: int, *, with_features: bool = False) -> ScoredModel:
    outcome = Score(ScoreKind.BINARY, ("true",), {"true": float(length), "false": 0.25})
    features: dict[str, FeatureValue] = {
        "length": length,
        "pid": os.getpid(),
        "is_long": length > 10,
        "language": "en",
    }
    return ScoredModel(_model_id(artefact), outcome, features if with_features else None)


def lengths() -> Work:
    """Answer the length of the text."""
    return _answer_lengths


def _answer_lengths(revision: Revision, artefacts: tuple[str, ...], with_features: bool) -> list[ScoredModel]:
    length = len(revision.text) + len(revision.parent_text or "")
    return [_scored(artefact, length, with_features=with_features) for artefact in artefacts]


def obedient(scratch: str) -> Work:
    """Do first what the text says, with files under ``scratch`` as memory that outlives the process."""
    return _Obedient(Path(scratch))


class _Obedient:
    """Also prepares what the text says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self, revision: Revision, artefacts: tuple[str, ...], with_features: bool, /
    ) -> list[ScoredModel]:
        name, _, argument = revision.text.partition(" ")
        order = _ORDERS.get(name)
        answers = order(self._folder, argument) if order else None
        return _answer_lengths(revision, artefacts, with_features) if answers is None else answers

    def prepare(self, revision: Revision, artefacts: tuple[str, ...], /) -> None:
        self(revision, artefacts, False)


def _sleep(_folder: Path, seconds: str) -> None:
    time.sleep(float(seconds))


def _spin(_folder: Path, seconds: str) -> None:
    # The clock of the process stands still between ticks while its budget runs; that of the thread does not.
    ends = time.thread_time() + float(seconds)
    while time.thread_time() < ends:
        pass


def _regex(_folder: Path, _argument: str) -> None:
    # Exponential, inside one call into C that holds the GIL.
    re.match(r"(a+)+$", "a" * 64 + "!")


def _wikitext(_folder: Path, _argument: str) -> None:
    import mwparserfromhell

    mwparserfromhell.parse("{{a|" * 8_000)


def _fill(_folder: Path, mebibytes: str) -> None:
    kept = []
    for _ in range(int(mebibytes) // 8):
        kept.append(b"x" * (8 << 20))
        time.sleep(0.002)


def _fill_in_c(_folder: Path, mebibytes: str) -> None:
    # One call, which holds the GIL for all of a second.
    sorted([0] * (int(mebibytes) << 17), key=str)


def _keep(_folder: Path, mebibytes: str) -> None:
    _KEPT.append(b"x" * (int(mebibytes) << 20))


_KEPT: list[bytes] = []


def _cycles(_folder: Path, count: str) -> None:
    for _ in range(int(count)):
        cycle: list[object] = []
        cycle.append(cycle)


_HELD: list[object] = []


def _hold_cycles(_folder: Path, count: str) -> None:
    """Hold so many cycles in place of those of before."""
    _HELD.clear()
    for _ in range(int(count)):
        cycle: list[object] = []
        cycle.append(cycle)
        _HELD.append(cycle)


def _die(_folder: Path, number: str) -> None:
    os.kill(os.getpid(), int(number))


def _die_once(folder: Path, name: str) -> None:
    mark = folder / name
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _mark(folder: Path, name: str) -> None:
    with (folder / "marks").open("a") as marks:
        marks.write(name + "\n")


def _exit(_folder: Path, _argument: str) -> None:
    sys.exit(3)


def _garble(_folder: Path, _argument: str) -> None:
    # A frame of one byte which is no message, straight to the parent.
    os.write(_socket_to_parent(), b"\0\0\0\1\xc1")


def _close(_folder: Path, _argument: str) -> None:
    os.close(_socket_to_parent())
    time.sleep(30)


def _raise(_folder: Path, _argument: str) -> None:
    raise KeyError("secret words of the page")


def _feature_error(_folder: Path, _argument: str) -> None:
    raise FeatureError("no such word list")


def _unknown_model(_folder: Path, name: str) -> None:
    raise ModelNotFound("no model of that name", model_name=name)


def _miscount(_folder: Path, _argument: str) -> list[ScoredModel]:
    return []


def _numpy(_folder: Path, artefact: str) -> list[ScoredModel]:
    import numpy as np

    probability: dict[str, Any] = {"true": np.float64(0.5)}
    return [ScoredModel(_model_id(artefact), Score(ScoreKind.BINARY, ("true",), probability))]


def _print(_folder: Path, words: str) -> None:
    print(words, flush=True)


_ORDERS: dict[str, Callable[[Path, str], list[ScoredModel] | None]] = {
    "sleep": _sleep,
    "spin": _spin,
    "regex": _regex,
    "wikitext": _wikitext,
    "fill": _fill,
    "fill_in_c": _fill_in_c,
    "keep": _keep,
    "cycles": _cycles,
    "hold_cycles": _hold_cycles,
    "die": _die,
    "die_once": _die_once,
    "mark": _mark,
    "exit": _exit,
    "garble": _garble,
    "close": _close,
    "raise": _raise,
    "feature_error": _feature_error,
    "unknown_model": _unknown_model,
    "miscount": _miscount,
    "numpy": _numpy,
    "print": _print,
}


def _socket_to_parent() -> int:
    links = Path("/proc/self/fd").iterdir()
    [found] = [int(link.name) for link in links if int(link.name) > 2 and link.is_socket()]
    return found


def corrupt(path: str) -> Work:
    """Fail to load, as a damaged artefact does."""
    raise ModelCorrupt(f"{path} differs from its sha512", path=path)


def corrupt_in_one(scratch: str) -> Work:
    """Load in the first process that comes, and fail in all others."""
    try:
        (Path(scratch) / "first").touch(exist_ok=False)
    except FileExistsError:
        raise ModelCorrupt("the artefact changed on the disk", path=scratch) from None
    return obedient(scratch)


def undone() -> Work:
    """Fail to load by a defect."""
    raise RuntimeError("undone")


def deadly() -> Work:
    """Die while loading."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def endless() -> Work:
    """Load for ever."""
    time.sleep(600)
    raise AssertionError


def counted(scratch: str) -> Work:
    """Leave a mark for each time that it is loaded."""
    _mark(Path(scratch), str(os.getpid()))
    return _answer_lengths


class Threaded:
    """A work whose models start threads, and are loaded where those are to run."""

    def __init__(self, scratch: str) -> None:
        self._folder = Path(scratch)
        self._pid = 0

    def load_in_child(self) -> None:
        """Note which process it is; fail where a file says so."""
        if (self._folder / "broken").exists():
            raise ModelCorrupt("the artefact changed on the disk", path=str(self._folder))
        self._pid = os.getpid()

    def __call__(
        self, revision: Revision, artefacts: tuple[str, ...], with_features: bool, /
    ) -> list[ScoredModel]:
        assert self._pid == os.getpid()
        return _answer_lengths(revision, artefacts, with_features)


def bystander(scratch: str) -> Work:
    """Start a thread while loading, which no fork takes along."""
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return obedient(scratch)
