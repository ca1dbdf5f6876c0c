"""Gathers single questions about one wiki into batches."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from agents.mediawiki_answer import Answer, RevisionOutcome, Unanswered, UserOutcome
from models.trace import CARRIED, Trace

# What api.php takes in one multi-value parameter from a client without special rights.
MAX_IDS = 50

_LOG = logging.getLogger(__name__)

_Outcome = TypeVar("_Outcome")
_Waiting = dict[int, list[asyncio.Future[_Outcome]]]

Ask = Callable[[Sequence[int], Sequence[int]], Awaitable[Answer]]


class WikiBatcher:
    """Turns concurrent questions about one wiki into few queries.

    A batch leaves when its window is over or it is full, and takes along what else waits by then: revisions,
    parents and users share a query. With an urgent question it leaves as soon as all have asked who ask in
    the same turn of the loop. Under load, when all runners are busy, batches grow by themselves.

    Args:
        ask: Answers a batch of at most 50 revisions and 50 users.
        window_seconds: How long the first question of a batch waits for others.
        max_runners: Batches under way at the same time.
    """

    def __init__(self, ask: Ask, *, window_seconds: float = 0.01, max_runners: int = 4) -> None:
        self._ask = ask
        self._window_seconds = window_seconds
        self._free_runners = max_runners
        self._rev_ids: _Waiting[RevisionOutcome] = {}
        self._user_ids: _Waiting[UserOutcome] = {}
        self._runners: set[asyncio.Task[None]] = set()
        self._departure: asyncio.Handle | None = None
        self._is_departing = False
        # Of the first question since the last query, which carries it.
        self._trace: Trace | None = None

    def revision(self, rev_id: int, *, is_urgent: bool = False) -> asyncio.Future[RevisionOutcome]:
        """Return the future answer about a revision. It never holds an error of the wiki."""
        future: asyncio.Future[RevisionOutcome] = asyncio.get_running_loop().create_future()
        self._rev_ids.setdefault(rev_id, []).append(future)
        self._trace = self._trace or CARRIED.get()
        self._schedule(len(self._rev_ids), is_urgent=is_urgent)
        return future

    def user(self, user_id: int, *, is_urgent: bool = False) -> asyncio.Future[UserOutcome]:
        """Return the future answer about an account. It never holds an error of the wiki."""
        future: asyncio.Future[UserOutcome] = asyncio.get_running_loop().create_future()
        self._user_ids.setdefault(user_id, []).append(future)
        self._trace = self._trace or CARRIED.get()
        self._schedule(len(self._user_ids), is_urgent=is_urgent)
        return future

    async def close(self) -> None:
        """Stop what is under way; open questions are answered with Unanswered. Idempotent."""
        self._forget_departure()
        runners = list(self._runners)
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)
        closed = Unanswered("the client was closed")
        while self._rev_ids or self._user_ids:
            _settle(_take(self._rev_ids), {}, closed)
            _settle(_take(self._user_ids), {}, closed)

    def _schedule(self, waiting: int, *, is_urgent: bool) -> None:
        loop = asyncio.get_running_loop()
        if waiting % MAX_IDS == 0:
            self._start_runner()
        elif is_urgent and not self._is_departing:
            self._forget_departure()
            self._is_departing = True
            self._departure = loop.call_soon(self._start_runner)
        elif self._departure is None:
            self._departure = loop.call_later(self._window_seconds, self._start_runner)

    def _forget_departure(self) -> None:
        if self._departure is not None:
            self._departure.cancel()
        self._departure = None
        self._is_departing = False

    def _start_runner(self) -> None:
        self._forget_departure()
        # With every runner busy, the first to finish takes what waits.
        if self._free_runners > 0:
            self._free_runners -= 1
            runner = asyncio.get_running_loop().create_task(self._run())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)

    async def _run(self) -> None:
        try:
            while self._rev_ids or self._user_ids:
                trace, self._trace = self._trace, None
                CARRIED.set(trace)
                await self._run_one(_take(self._rev_ids), _take(self._user_ids))
        finally:
            # In the same turn of the loop as the test above: a question that comes later finds us free.
            self._free_runners += 1

    async def _run_one(
        self, rev_futures: _Waiting[RevisionOutcome], user_futures: _Waiting[UserOutcome]
    ) -> None:
        answer = Answer({}, {})
        reason = "the client was closed"
        try:
            answer = await self._ask(tuple(rev_futures), tuple(user_futures))
        # A defect of ours: every asker hears of it, and the runner goes on.
        except Exception as error:
            _LOG.exception("asking a wiki failed unexpectedly")
            reason = f"{type(error).__name__}: {error}"
        finally:
            _settle(rev_futures, answer.revisions, Unanswered(reason))
            _settle(user_futures, answer.users, Unanswered(reason))


def _take(waiting: _Waiting[_Outcome]) -> _Waiting[_Outcome]:
    """Remove and return the oldest questions, one batch at most."""
    return {number: waiting.pop(number) for number in list(islice(waiting, MAX_IDS))}


def _settle(waiting: _Waiting[_Outcome], outcomes: Mapping[int, _Outcome], otherwise: _Outcome) -> None:
    for number, futures in waiting.items():
        for future in futures:
            # Those who stopped waiting have cancelled theirs.
            if not future.done():
                future.set_result(outcomes.get(number, otherwise))
