"""Scores that are not stored, made by the one worker that is responsible, over real HTTP."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.asgi import create_api
from app.api.on_demand import ScoreRequest
from app.api.server import bind, run_server
from app.cluster.addresses import authorization_of, by_rendezvous, with_token, without_token
from app.cluster.on_demand import ClusterOnDemand
from app.cluster.peering import Peering
from app.cluster.scoring import PATH, ScoreAsk, ScoringPeers, encode_ask
from app.metrics import Metrics
from app.otel_tracing import OtelTracing
from app.tracing import RequestTracing
from models.trace import CARRIED
from schemas.attribution import (
    Attribution,
    AttributionMethod,
    AttributionReference,
    AttributionScale,
    LabelAttribution,
)
from schemas.catalogue import Catalogue
from schemas.errors import CpuLimitExceeded, NotReady, OwnerUnavailable, RevstreamError
from schemas.keys import REVISIONS_TABLE, row_key
from schemas.prediction import FeatureValue, Injected, PredictionRow, ScoredModel, ScoreFailure
from tables.codec import encode_row
from tables.reader import Freshness, PredictionReader
from tests.otel_collector import collecting
from tests.programs import ask
from tests.rows import binary, catalogue, row, stored

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith")})
OTHERS = catalogue({"enwiki": ("damaging",)})
ATTRIBUTION = Attribution(
    AttributionMethod.LINEAR,
    AttributionScale.LOG_ODDS,
    AttributionReference.MEAN,
    ("feature.wikitext", "feature.is_anon"),
    (7, True),
    (LabelAttribution("true", -1.5, 0.5, (1.25, 0.75)),),
)
NOWHERE = "http://peer:token@127.0.0.1:9"
ADDRESSES = st.lists(st.integers(1, 999).map(lambda number: f"http://host-{number}:8090"), unique=True)


class Rows:
    """Rows of revisions in memory."""

    def __init__(self, rows: Sequence[PredictionRow]) -> None:
        self._rows = {row_key(one.wiki_id, one.rev_id): encode_row(one) for one in rows}

    def get(self, table: str, key: bytes) -> bytes | None:
        return self._rows.get(key) if table == REVISIONS_TABLE else None

    def freshness(self) -> Freshness:
        return Freshness(True, (), None)


class Scorer:
    """Scores in a moment, and remembers what it was asked for."""

    def __init__(self, models: Catalogue) -> None:
        self.asked: Counter[int] = Counter()
        self.injected: list[Injected | None] = []
        self.names: list[tuple[str, ...]] = []
        self.error: RevstreamError | None = None
        self._models = models

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        self.injected.append(request.injected)
        self.asked[request.rev_id] += 1
        self.names.append(tuple(request.model_names))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        found = [self._models.find(request.wiki_id, name) for name in request.model_names]
        features: dict[str, FeatureValue] | None = {"feature.wikitext": 7} if request.with_features else None
        told = ATTRIBUTION if request.with_attribution else None
        return [ScoredModel(info.id, binary(0.25), features, told) for info in found if info is not None]


class Worker:
    """A worker that answers at an address, and the others that it knows."""

    def __init__(
        self,
        models: Catalogue = WIKIS,
        rows: Sequence[PredictionRow] = (),
        tracing: RequestTracing | None = None,
    ) -> None:
        self._tracing = tracing
        self.own = Scorer(models)
        self.models = models
        self.known: list[str] = []
        self.address = ""
        self._rows = rows

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Worker"]:
        listener = bind("127.0.0.1", 0)
        self.address = with_token(f"http://127.0.0.1:{listener.getsockname()[1]}")
        self.known.append(self.address)
        started, stop = asyncio.Event(), asyncio.Event()
        async with contextlib.aclosing(ScoringPeers()) as peers:
            on_demand = ClusterOnDemand(
                lambda: self.known, peers, self.models, own=self.own, address=lambda: self.address
            )
            api = create_api(
                reader=PredictionReader(Rows(self._rows)),
                catalogue=self.models,
                on_demand=on_demand,
                readiness=tuple,
                metrics=Metrics(),
                peering=Peering(authorization_of(self.address), self.own, on_demand),
                tracing=self._tracing,
            )
            server = asyncio.create_task(
                run_server(api, "", 0, started=started, stop=stop, listener=listener)
            )
            await started.wait()
            try:
                yield self
            finally:
                stop.set()
                await server


@contextlib.asynccontextmanager
async def replica(workers: Sequence[str], models: Catalogue = WIKIS) -> AsyncIterator[ClusterOnDemand]:
    async with contextlib.aclosing(ScoringPeers()) as peers:
        yield ClusterOnDemand(lambda: workers, peers, models)


@contextlib.asynccontextmanager
async def two_workers() -> AsyncIterator[tuple[Worker, Worker]]:
    async with Worker().serving() as one, Worker().serving() as other:
        both = [one.address, other.address]
        one.known, other.known = both, both[::-1]
        yield one, other


@given(ADDRESSES, st.integers(0, 10**9))
def test_all_who_know_the_same_workers_choose_the_same_one(addresses: list[str], rev_id: int) -> None:
    order = by_rendezvous(addresses, "enwiki", rev_id)
    assert order == by_rendezvous(reversed(addresses), "enwiki", rev_id)
    # Where one goes, nothing changes for the revisions of the others.
    for gone in addresses:
        left = [one for one in addresses if one != gone]
        assert by_rendezvous(left, "enwiki", rev_id) == [one for one in order if one != gone]


def test_revisions_are_spread_evenly_over_workers() -> None:
    addresses = [f"http://host-{number}:8090" for number in range(4)]
    first = Counter(by_rendezvous(addresses, "enwiki", rev_id)[0] for rev_id in range(4000))
    assert all(900 < count < 1100 for count in first.values())


async def test_the_worker_that_scores_goes_on_with_the_trace_of_who_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        tracing = OtelTracing("revstream", "kafka")
        async with Worker(tracing=tracing).serving() as worker, replica([worker.address]) as asking:
            trail = tracing.begin_request({})
            token = CARRIED.set(trail.trace)
            await asking.score(ScoreRequest("enwiki", 7, ("damaging",)))
            CARRIED.reset(token)
        await tracing.close()
    (asked,) = collector.named("POST peers")
    assert trail.trace is not None
    assert (asked.trace_id, asked.parent_id) == (trail.trace.trace_id, trail.trace.span_id)


async def test_a_revision_is_scored_by_the_same_worker_whoever_is_asked() -> None:
    async with two_workers() as (one, other):
        workers = [one.address, other.address]
        async with replica(workers) as first, replica(workers[::-1]) as second:
            for rev_id in range(1, 21):
                await asyncio.gather(
                    *(each.score(ScoreRequest("enwiki", rev_id, ("damaging",))) for each in (first, second))
                )
        asked = [set(one.own.asked), set(other.own.asked)]
        assert asked[0] | asked[1] == set(range(1, 21))
        assert not asked[0] & asked[1]
        assert all(asked)


async def test_who_is_asked_by_a_replica_that_knows_less_passes_the_question_on() -> None:
    async with two_workers() as (one, other):
        rev_id = next(
            number for number in range(1000) if by_rendezvous(one.known, "enwiki", number)[0] == other.address
        )
        async with replica([one.address]) as late:
            assert len(await late.score(ScoreRequest("enwiki", rev_id, ("damaging", "goodfaith")))) == 2
        assert (one.own.asked, other.own.asked) == (Counter(), Counter({rev_id: 1}))


async def test_workers_that_disagree_ask_each_other_once_at_most() -> None:
    async with two_workers() as (one, other):
        # Each takes the other for the only one.
        one.known, other.known = [other.address], [one.address]
        async with replica([one.address]) as asking:
            assert len(await asking.score(ScoreRequest("enwiki", 1, ("damaging",)))) == 1
        assert (one.own.asked, other.own.asked) == (Counter(), Counter({1: 1}))


async def test_features_and_answers_about_all_models_come_back_in_order() -> None:
    async with Worker().serving() as worker, replica([worker.address]) as asking:
        scored = await asking.score(ScoreRequest("enwiki", 1, ("goodfaith", "damaging"), with_features=True))
        assert [one.model.model_name for one in scored] == ["goodfaith", "damaging"]
        assert [one.features for one in scored] == [{"feature.wikitext": 7}] * 2


async def test_what_moved_a_score_is_told_across_workers() -> None:
    async with Worker().serving() as worker, replica([worker.address]) as asking:
        [scored] = await asking.score(ScoreRequest("enwiki", 1, ("damaging",), with_attribution=True))
        assert scored.attribution == ATTRIBUTION


async def test_what_a_client_injects_reaches_the_worker_as_it_is() -> None:
    injected = {"feature.delay": 10**30, "datasource.text": "\u00e9\ud800", "feature.rate": 0.1, "none": None}
    async with Worker().serving() as worker, replica([worker.address]) as asking:
        await asking.score(ScoreRequest("enwiki", 1, ("damaging",), injected=injected))
        assert worker.own.injected == [injected]


async def test_the_next_worker_scores_where_the_first_is_gone() -> None:
    async with Worker().serving() as worker, replica([NOWHERE, worker.address]) as asking:
        for rev_id in range(10):
            assert len(await asking.score(ScoreRequest("enwiki", rev_id, ("damaging",)))) == 1
        assert set(worker.own.asked) == set(range(10))


async def test_without_a_worker_it_is_said_that_there_is_none() -> None:
    async with replica([]) as asking:
        with pytest.raises(OwnerUnavailable, match="no worker runs"):
            await asking.score(ScoreRequest("enwiki", 1, ("damaging",)))
    async with replica([NOWHERE]) as asking:
        with pytest.raises(OwnerUnavailable, match=r"http://127\.0\.0\.1:9, which") as caught:
            await asking.score(ScoreRequest("enwiki", 1, ("damaging",)))
        assert "token" not in str(caught.value)


async def test_what_is_stored_with_the_worker_by_now_is_not_scored() -> None:
    known = row(stored("damaging", binary(0.75)), rev_id=5)
    async with Worker(rows=[known]).serving() as worker, replica([worker.address]) as late:
        damaging, goodfaith = await late.score(ScoreRequest("enwiki", 5, ("damaging", "goodfaith")))
        assert (damaging.outcome, goodfaith.outcome) == (binary(0.75), binary(0.25))
        assert worker.own.names == [("goodfaith",)]


async def test_a_refusal_keeps_its_kind_and_its_fields() -> None:
    async with Worker().serving() as worker, replica([worker.address]) as asking:
        worker.own.error = NotReady("Too much waits.", retry_after_seconds=7)
        with pytest.raises(NotReady, match="Too much waits") as caught:
            await asking.score(ScoreRequest("enwiki", 1, ("damaging",)))
        assert caught.value.fields == {"retry_after_seconds": 7}
        worker.own.error = CpuLimitExceeded("It took too long.")
        (scored,) = await asking.score(ScoreRequest("enwiki", 1, ("damaging",)))
        assert scored.outcome == ScoreFailure("cpu_limit_exceeded", "It took too long.")


async def test_a_worker_with_other_models_is_told_and_its_scores_are_not_taken() -> None:
    async with Worker(OTHERS).serving() as worker, replica([worker.address]) as asking:
        damaging, goodfaith = await asking.score(ScoreRequest("enwiki", 1, ("damaging", "goodfaith")))
        assert damaging.outcome == binary(0.25)
        assert isinstance(goodfaith.outcome, ScoreFailure)
        assert goodfaith.outcome.code == "model_not_found"
        assert "same models" in goodfaith.outcome.message


async def test_a_worker_scores_itself_what_one_with_other_models_does_not_know() -> None:
    own = Scorer(WIKIS)
    async with Worker(OTHERS).serving() as behind, contextlib.aclosing(ScoringPeers()) as peers:
        asking = ClusterOnDemand(lambda: [behind.address], peers, WIKIS, own=own, address=lambda: NOWHERE)
        scored = await asking.score(ScoreRequest("enwiki", 1, ("damaging", "goodfaith")))
        assert [one.outcome for one in scored] == [binary(0.25)] * 2
        assert own.asked == Counter({1: 1})


async def test_who_does_not_know_the_token_is_not_answered() -> None:
    async with Worker().serving() as worker:
        url = without_token(worker.address) + PATH
        body = encode_ask(ScoreAsk("enwiki", 1, ("damaging",)))
        for shown in ({}, {"authorization": authorization_of(with_token(url))}):
            assert (await asyncio.to_thread(ask, url, body, shown)).status == 401
        shown = {"authorization": authorization_of(worker.address)}
        assert (await asyncio.to_thread(ask, url, body, shown)).status == 200
        assert (await asyncio.to_thread(ask, url, b"\xc1", shown)).status == 400
        assert worker.own.asked == Counter({1: 1})
