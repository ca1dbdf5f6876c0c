"""Revisions that are being scored because a client asked: each once, for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, Protocol

from msgspec import Struct
from structlog import get_logger

from agents.scoring import RevisionScoring
from app.admission import Admission, Place
from app.costs import Costs
from app.flight_watch import FlightReport, FlightWatch
from models.pool_call import PoolCall
from models.priority import Priority
from models.trace import Trace
from models.trail import Trail
from schemas.catalogue import ModelInfo
from schemas.errors import EngineError, NotReady, RevstreamError
from schemas.page_change import PageChange, PageChangeKind
from schemas.prediction import ModelId, ScoredModel, ScoreFailure
from schemas.revision import Revision, RevisionRequest

_Key = tuple[str, int]

_KEPT_MOST: Final = 10_000

_log = get_logger("revstream.on_demand")


class Keeper(Protocol):
    """Has scores stored."""

    async def send(
        self, revision: Revision, scored: Iterable[ScoredModel], headers: Mapping[str, bytes]
    ) -> Awaitable[Any] | None:
        """Send scores with these headers on their way to the tables."""
        ...


class FlightTimes(Struct, frozen=True):
    """How long things may take.

    Attributes:
        content_seconds: A wiki, to give a text.
        kept_seconds: An answer is kept, which covers its way to the tables.
        missing_seconds: It is kept that a revision cannot be had.
        gather_seconds: Scores wait for others before they are stored together.
    """

    content_seconds: float
    kept_seconds: float
    missing_seconds: float
    gather_seconds: float = 0.0


class _Flight:
    """One revision: what is asked of it, what came out, and its text while that is needed."""

    __slots__ = (
        "answers",
        "batches",
        "fetched",
        "is_boarding",
        "page_id",
        "places",
        "prepared",
        "request",
        "trace",
        "waiting",
    )

    def __init__(self, request: RevisionRequest) -> None:
        self.request = request
        self.answers: dict[ModelId, asyncio.Future[ScoredModel]] = {}
        self.fetched: Revision | ScoreFailure | None = None
        self.page_id: int | None = None
        # The models that the next batch takes along, and what admitted them.
        self.waiting: list[ModelInfo] = []
        self.places: list[Place] = []
        self.is_boarding = False
        self.batches = 0
        # What reads the text while its parent is on the way.
        self.prepared: PoolCall | None = None
        # Of the latest batch.
        self.trace: Trace | None = None

    @property
    def text_length(self) -> int | None:
        """Characters of its text and its parent's; None where they are not there."""
        revision = self.fetched
        return (
            len(revision.text) + len(revision.parent_text or "") if isinstance(revision, Revision) else None
        )


class Flights:
    """Scores revisions, each model of each revision once however many ask at a time.

    Models of one revision share its fetch; those that are asked for before it is there share the extraction
    of features as well. What came out is kept for a moment: scores until the tables have them, and that a
    revision cannot be had for long enough to spare its wiki. It is forgotten as soon as an event tells of the
    revision, or of the deletion of its page.

    Args:
        scoring: Fetches and scores.
        admission: Admits the work.
        costs: Estimate it.
        keeper: Has scores stored.
        refuse_withdrawn: Raises PredictionWithdrawn where a revision, by wiki, revision and page, is
            withdrawn by now.
        times: How long things may take.
        watch: Hears of each batch.

    Attributes:
        counts: Answers by where they came from: ``scored`` for this request, ``joined`` to work under way,
            ``recent``.
    """

    def __init__(
        self,
        scoring: RevisionScoring,
        *,
        admission: Admission,
        costs: Costs,
        keeper: Keeper,
        refuse_withdrawn: Callable[[str, int, int], None],
        times: FlightTimes,
        watch: FlightWatch | None = None,
    ) -> None:
        self._scoring = scoring
        self._admission = admission
        self._costs = costs
        self._keeper = keeper
        self._refuse_withdrawn = refuse_withdrawn
        self._times = times
        self._watch = watch or FlightWatch()
        self._flights: dict[_Key, _Flight] = {}
        self._landed: dict[_Key, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard: set[_Key] = set()
        self._gathering: asyncio.Task[None] | None = None
        self.counts = {"scored": 0, "joined": 0, "recent": 0}

    async def score(self, request: RevisionRequest, models: Sequence[ModelInfo]) -> list[ScoredModel]:
        """Return an answer of each model, in their order.

        Whoever goes away harms nobody: the work goes on, for others and for the tables.

        Args:
            request: Which revision.
            models: Those that read content.

        Raises:
            ContentUnavailable: Its wiki does not answer.
            PredictionWithdrawn: It was withdrawn meanwhile.
            Overloaded: Too much waits already.
            NotReady: Nothing can be scored now.
        """
        key = (request.wiki_id, request.rev_id)
        flight = self._flights.get(key) or _Flight(request)
        if new := [
            info for info in {each.id: each for each in models}.values() if info.id not in flight.answers
        ]:
            self._board(key, flight, new)
        elif flight.trace is not None:
            self._watch.joined(flight.trace)
        for info in models:
            how = "scored" if info in new else "recent" if flight.answers[info.id].done() else "joined"
            self.counts[how] += 1
        answers = [flight.answers[info.id] for info in models]
        return list(await asyncio.gather(*map(asyncio.shield, answers)))

    def heed(self, change: PageChange) -> None:
        """Forget what is kept of a revision that an event tells of, and of a page that is deleted."""
        key = (change.wiki_id, change.revision.rev_id)
        if key in self._landed:
            self._forget(key)
        elif key in self._flights:
            self._heard.add(key)
        if change.page_change_kind is PageChangeKind.DELETE:
            for other in [each for each in self._landed if each[0] == change.wiki_id]:
                if self._flights[other].page_id == change.page.page_id:
                    self._forget(other)

    async def close(self) -> None:
        """Give up what is under way; who waits is told so. Idempotent."""
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for key in list(self._landed):
            self._forget(key)

    def _board(self, key: _Key, flight: _Flight, new: Sequence[ModelInfo]) -> None:
        """Admit models to a flight, and see that a batch takes them along."""
        loop = asyncio.get_running_loop()
        if isinstance(flight.fetched, ScoreFailure):
            for info in new:
                answer = flight.answers[info.id] = loop.create_future()
                answer.set_result(ScoredModel(info.id, flight.fetched))
            return
        artefacts = [info.artefact for info in new]
        seconds = self._costs.estimate(flight.request.wiki_id, artefacts, flight.text_length)
        flight.places.append(self._admission.admit(seconds))
        flight.waiting += new
        flight.answers |= {info.id: loop.create_future() for info in new}
        self._flights[key] = flight
        if key in self._landed:
            self._landed.pop(key).cancel()
        if not flight.is_boarding:
            flight.is_boarding = True
            flight.batches += 1
            self._begin(self._fly(key, flight))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _fly(self, key: _Key, flight: _Flight) -> None:
        """Score a batch.

        1. Fetch the revision, unless it is there. Whatever is asked for meanwhile comes along. Its text is
           read while its parent is still on the way, as long as most processes have nothing to do.
        2. Score it with all models that wait.
        3. Answer, unless it was withdrawn meanwhile, and have the scores stored.
        """
        models: Sequence[ModelInfo] = ()
        places: Sequence[Place] = ()
        trail, code = self._watch.begin(), "ok"
        flight.trace = trail.trace
        storing: asyncio.Task[None] | None = None
        try:
            try:
                if flight.fetched is None:  # 1
                    flight.fetched = await self._scoring.fetch(
                        flight.request,
                        content_seconds=self._times.content_seconds,
                        early=lambda revision: self._prepare(flight, revision),
                        trail=trail,
                    )
                else:
                    await asyncio.sleep(0)
            finally:
                models, flight.waiting = flight.waiting, []
                places, flight.places = flight.places, []
                flight.is_boarding = False
            scored = await self._scored(flight, flight.fetched, models, places, trail)  # 2
            for one in scored:  # 3
                flight.answers[one.model].set_result(one)
            _release(places)
            if isinstance(flight.fetched, Revision):
                storing = self._begin(self._store(flight.fetched, scored, trail))
            else:
                code = flight.fetched.code
        except BaseException as error:
            code = error.code if isinstance(error, RevstreamError) else "cancelled"
            _fail(flight, models, error)
            if not isinstance(error, Exception):
                raise
        finally:
            _release(places)
            flight.batches -= 1
            if not flight.batches:
                self._land(key, flight)
            report = FlightReport(trail, flight.request, models, code)
            if storing is None:
                self._watch.landed(report)
            else:
                storing.add_done_callback(lambda _: self._watch.landed(report))

    def _prepare(self, flight: _Flight, revision: Revision) -> None:
        flight.prepared = self._scoring.prepare(revision, tuple(flight.waiting))

    async def _scored(
        self,
        flight: _Flight,
        fetched: Revision | ScoreFailure,
        models: Sequence[ModelInfo],
        places: Sequence[Place],
        trail: Trail,
    ) -> list[ScoredModel]:
        if isinstance(fetched, ScoreFailure):
            return [ScoredModel(info.id, fetched) for info in models]
        wiki_id, length = fetched.wiki_id, flight.text_length or 0
        flight.page_id = fetched.page_id
        artefacts = [info.artefact for info in models]
        first, *others = places
        first.correct(self._costs.estimate(wiki_id, artefacts, length))
        _release(others)
        prepared, flight.prepared = flight.prepared, None
        scored = await self._scoring.score_fetched(
            fetched,
            models,
            priority=Priority.ON_DEMAND,
            spent=lambda seconds: self._costs.learn(wiki_id, artefacts, length, seconds),
            prepared=prepared,
            trail=trail,
        )
        self._refuse_withdrawn(wiki_id, fetched.rev_id, fetched.page_id)
        return scored

    async def _store(self, revision: Revision, scored: Sequence[ScoredModel], trail: Trail) -> None:
        began = monotonic()
        await self._gathered()
        try:
            sent = await self._keeper.send(revision, scored, trail.headers("store"))
            if sent is not None:
                await sent
                trail.end("store", began)
        except Exception as error:
            # Clients have their answer, and the next one has it computed anew.
            _log.warning("on_demand_not_stored", wiki_id=revision.wiki_id, error=str(error))

    async def _gathered(self) -> None:
        """Wait until all that is to be stored now goes on in the same turn of the loop.

        Each write of the log by itself would hold up the loop for as long as the disk takes.
        """
        if self._gathering is None or self._gathering.done():
            self._gathering = self._begin(asyncio.sleep(self._times.gather_seconds))
        # Whoever is cancelled leaves the others waiting.
        await asyncio.shield(self._gathering)

    def _land(self, key: _Key, flight: _Flight) -> None:
        """Keep what came out for a moment, without the text."""
        was_heard = key in self._heard
        self._heard.discard(key)
        if isinstance(flight.fetched, Revision):
            flight.fetched = None
        is_missing = flight.fetched is not None
        if not flight.answers or (is_missing and was_heard):
            self._flights.pop(key, None)
            return
        seconds = self._times.missing_seconds if is_missing else self._times.kept_seconds
        self._landed[key] = asyncio.get_running_loop().call_later(seconds, self._forget, key)
        if len(self._landed) > _KEPT_MOST:
            self._forget(next(iter(self._landed)))

    def _forget(self, key: _Key) -> None:
        self._landed.pop(key).cancel()
        del self._flights[key]


def _release(places: Iterable[Place]) -> None:
    for place in places:
        place.release()


def _fail(flight: _Flight, models: Sequence[ModelInfo], error: BaseException) -> None:
    """Give all who wait for some models an error; the next one to ask tries again."""
    if isinstance(error, EngineError):
        named: Exception = NotReady(
            f"Nothing can be scored now: {error.message}. Ask again in a few seconds."
        )
    elif isinstance(error, Exception):
        named = error
    else:
        named = NotReady("The server stops, and scores no more. Ask again in a few seconds.")
    for info in models:
        answer = flight.answers.pop(info.id)
        if not answer.done():
            answer.set_exception(named)
            # Nobody may be waiting any more, and asyncio would complain that nobody looked.
            answer.exception()
