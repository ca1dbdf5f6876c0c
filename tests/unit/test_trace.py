"""The place in a trace: how it is told, and to whom it is handed on."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from faust.types import Message
from prometheus_client import CollectorRegistry

from agents.embedded.headers import unpacked
from agents.mediawiki_answer import Answer
from agents.mediawiki_batch import WikiBatcher
from app.otel_tracing import OtelTracing
from app.tracing import AnsweredRequest, TracedFlights
from models.trace import CARRIED, Trace, carried_headers
from models.trail import Trail
from schemas.errors import ContentUnavailable
from tests.audit import records
from tests.otel_collector import Collector, collecting
from tests.pipelines import RETRY_TOPIC, edit, pipeline

HERE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "", True, "moss=1")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found


@contextlib.contextmanager
def carrying(trace: Trace | None) -> Iterator[None]:
    token = CARRIED.set(trace)
    try:
        yield
    finally:
        CARRIED.reset(token)


def test_a_step_is_a_child_in_the_same_trace() -> None:
    steps = {HERE.step().span_id for _ in range(100)}
    assert len(steps) == 100
    step = HERE.step()
    assert (step.trace_id, step.parent_id, step.state) == (HERE.trace_id, HERE.span_id, HERE.state)
    assert step.headers == {
        "traceparent": f"00-{HERE.trace_id}-{step.span_id}-01",
        "tracestate": "moss=1",
    }
    unsampled = Trace(HERE.trace_id, HERE.span_id, "", False)
    assert unsampled.record_headers == {"traceparent": f"00-{HERE.trace_id}-{HERE.span_id}-00".encode()}


def test_requests_to_others_carry_the_phase_in_which_they_are_made() -> None:
    trail = Trail(HERE)
    with trail.during("fetch"):
        assert carried_headers() == trail.steps["fetch"].headers
    assert carried_headers() is None
    with Trail().during("fetch"):
        assert carried_headers() is None


async def test_what_is_put_off_and_what_comes_of_it_later_stay_in_the_trace(tmp_path: Path) -> None:
    begun: list[Trail] = []

    def begin(message: Message) -> Trail:
        headers = dict(message.headers or ())
        parent = headers["traceparent"].decode().split("-")[2] if headers else ""
        begun.append(Trail(Trace(HERE.trace_id, f"{len(begun):016x}", parent, True)))
        return begun[-1]

    async with pipeline(tmp_path, begin_trail=begin) as given:
        given.content.failures[7] = [ContentUnavailable("no answer")]
        given.give(edit(7))
        await given.until_done()
        assert given.outcomes == ["put_off", "scored"]
        told = {
            topic: [dict(unpacked(record.headers)) for _, record in records(given.log, topic)]
            for topic in (RETRY_TOPIC, "mediawiki.revision_score_moss")
        }
    first, second = begun
    assert told[RETRY_TOPIC] == [first.steps["emit"].record_headers]
    assert second.trace is not None
    assert second.trace.parent_id == first.steps["emit"].span_id
    assert told["mediawiki.revision_score_moss"] == [second.steps["emit"].record_headers]


async def test_a_query_carries_the_trace_of_its_first_question_and_the_next_query_another() -> None:
    carried: list[Trace | None] = []

    async def ask(_: Sequence[int], __: Sequence[int]) -> Answer:
        carried.append(CARRIED.get())
        return Answer({}, {})

    batcher = WikiBatcher(ask, window_seconds=0.0)
    other = HERE.step()
    for traces in ((HERE, other), (other,), (None,)):
        questions = []
        for rev_id, trace in enumerate(traces):
            with carrying(trace):
                questions.append(batcher.revision(rev_id))
        await asyncio.gather(*questions)
    await batcher.close()
    assert carried == [HERE, other, None]


async def test_who_waits_for_what_another_asked_for_is_linked_to_it(collector: Collector) -> None:
    tracing = OtelTracing("revstream", "embedded")
    watch = TracedFlights(tracing)
    CollectorRegistry().register(watch)
    first, second = (tracing.begin_request({}) for _ in range(2))
    with carrying(first.trace):
        flight = watch.begin()
    assert flight.trace is not None
    with carrying(second.trace):
        watch.joined(flight.trace)
    for trail, request_id in ((first, "one"), (second, "two")):
        tracing.request_answered(trail, AnsweredRequest("GET", "ores", 503, request_id))
    await tracing.close()
    await tracing.close()
    one, two = (collector.named("GET ores", request_id=name)[0] for name in ("one", "two"))
    assert flight.trace.parent_id == one.span_id
    assert (one.links, two.links) == ([], [flight.trace.span_id])
    assert one.trace_id != two.trace_id
    assert one.is_error


@pytest.mark.parametrize("given", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "\ud83d\x00"])
async def test_a_header_that_names_no_trace_begins_one(given: str, collector: Collector) -> None:
    tracing = OtelTracing("revstream", "embedded")
    trail = tracing.begin_request({"traceparent": given, "tracestate": given})
    assert trail.trace is not None
    assert trail.trace.parent_id == ""
    assert int(trail.trace.trace_id, 16)
    await tracing.close()
    assert collector.spans == []


async def test_a_caller_decides_what_is_kept_unless_the_sampler_says_otherwise(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"traceparent": HERE.headers["traceparent"]}
    not_asked = {"traceparent": f"{asked['traceparent'][:-2]}00"}
    for sampler, argument, kept in (
        ("parentbased_always_on", "", [True, False, True]),
        ("parentbased_traceidratio", "0", [True, False, False]),
        ("traceidratio", "0", [False, False, False]),
    ):
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
        tracing = OtelTracing("revstream", "embedded")
        trails = [tracing.begin_request(headers) for headers in (asked, not_asked, {})]
        assert [trail.trace is not None and trail.trace.is_sampled for trail in trails] == kept
        await tracing.close()
