"""Traces by OpenTelemetry, sent by OTLP over HTTP.

Spans are made when all is over, from the times of a `models.trail.Trail`: while an event is handled nothing
is done for them but that its place in the trace is handed on. The SDK samples, queues and sends; its thread
drops what a collector does not take in time. Ids, codes, names of models and times are told, and no texts,
titles, users, addresses or messages.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from time import monotonic
from types import MappingProxyType
from typing import Final

import structlog
from faust.types import Message
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agents.pipeline import EventReport
from app.flight_watch import FlightReport
from app.tracing import AnsweredRequest
from models.trace import CARRIED, Trace
from models.trail import Phase, Trail
from schemas.prediction import ModelId, ScoredModel, ScoreFailure

_FLUSH_SECONDS: Final = 5.0
_LINKS_MOST: Final = 100
_REQUEST_ID_CHARACTERS: Final = 100
_HEADERS: Final = ("traceparent", "tracestate")
# Phases that are about the models.
_SCORING: Final[frozenset[Phase]] = frozenset({"wait", "features", "predict"})
_SENDING: Final[frozenset[Phase]] = frozenset({"emit", "store"})
# Outcomes of which somebody may want to know why.
_ERRORS: Final = frozenset({"failed", "put_off", "dead_letter"})

Attributes = Mapping[str, str | int | Sequence[str]]
_NOTHING: Final[Attributes] = MappingProxyType({})

_log = structlog.get_logger("revstream.tracing")


class OtelTracing:
    """An `app.tracing.Tracing` of OpenTelemetry. Its own variables, ``OTEL_…``, say how and where to.

    Args:
        service_name: Of the process, unless the variables say otherwise.
        messaging_system: That events come by.
    """

    def __init__(self, service_name: str, messaging_system: str) -> None:
        resource = Resource.create()
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: service_name}))
        self._resource = resource.merge(Resource({SERVICE_VERSION: version("revstream")}))
        # Reads from the variables what is kept.
        self._sampler = TracerProvider(shutdown_on_exit=False, resource=self._resource).sampler
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        self._ids = RandomIdGenerator()
        self._scope = InstrumentationScope("revstream", version("revstream"))
        self._propagator = TraceContextTextMapPropagator()
        self._messaging_system = messaging_system
        self._links: dict[str, list[Link]] = {}
        self._is_closed = False

    # Events

    def begin_event(self, message: Message) -> Trail:
        """Return the trail of a record, see `app.tracing.Tracing`."""
        told = dict(message.headers or ())
        carried = {
            name: told[name].decode("ascii", "replace")
            for name in _HEADERS
            if isinstance(told.get(name), bytes)
        }
        name = f"consume {message.topic}"
        return Trail(
            self._begin(carried, name, SpanKind.CONSUMER),
            {
                "messaging.system": self._messaging_system,
                "messaging.operation.type": "process",
                "messaging.destination.name": message.topic,
                "messaging.destination.partition.id": str(message.partition),
                "messaging.kafka.offset": message.offset,
            },
        )

    def event_handled(self, report: EventReport) -> None:
        """Hear what became of a record. An `agents.pipeline.Observer`."""
        trail, change = report.trail, report.change
        told: dict[str, str | int | Sequence[str]] = {
            **(trail.attributes or {}),
            "revstream.outcome": report.outcome,
        }
        if report.reason is not None:
            told["revstream.reason"] = str(report.reason)
        if change is not None:
            told |= _ids(change.wiki_id, change.revision.rev_id)
            told["revstream.page_id"] = change.page.page_id
            told["revstream.page_change_kind"] = change.page_change_kind.value
            told["revstream.event_id"] = change.event_id
            if change.request_id is not None:
                told["revstream.request_id"] = change.request_id
        models = _models([one.model for one in report.scored])
        if report.scored:
            models["revstream.codes"] = [_code(one) for one in report.scored]
        why = report.reason or next((code for one in report.scored if (code := _code(one)) != "ok"), "")
        status = Status(StatusCode.ERROR, str(why)) if report.outcome in _ERRORS else Status()
        topic = told.get("messaging.destination.name", "")
        self._tell(f"consume {topic}", SpanKind.CONSUMER, trail, told, status, models=models)

    # Requests

    def begin_request(self, headers: Mapping[str, str]) -> Trail:
        """Return the trail of a request, see `app.tracing.Tracing`."""
        carried = {name: headers[name] for name in _HEADERS if name in headers}
        trace = self._begin(carried, "request", SpanKind.SERVER)
        if trace.is_sampled:
            self._links[trace.span_id] = []
        return Trail(trace)

    def request_answered(self, trail: Trail, request: AnsweredRequest) -> None:
        """Hear what became of a request, see `app.tracing.Tracing`."""
        trace = trail.trace
        links = [] if trace is None else self._links.pop(trace.span_id, [])
        told: dict[str, str | int | Sequence[str]] = {
            "http.request.method": request.method,
            "http.response.status_code": request.status,
            "revstream.face": request.face,
        }
        if request.request_id:
            told["revstream.request_id"] = request.request_id[:_REQUEST_ID_CHARACTERS]
        status = Status(StatusCode.ERROR) if request.status >= 500 else Status()
        self._tell(f"{request.method} {request.face}", SpanKind.SERVER, trail, told, status, links=links)

    def begin_flight(self) -> Trail:
        """Return the trail of what is scored for a request, see `app.tracing.Tracing`."""
        carried = CARRIED.get()
        return Trail(self._begin({}, "flight", SpanKind.INTERNAL) if carried is None else carried.step())

    def flight_joined(self, trace: Trace) -> None:
        """Hear that a request waits for what is scored for another, see `app.tracing.Tracing`."""
        carried = CARRIED.get()
        links = None if carried is None else self._links.get(carried.span_id)
        if links is not None and len(links) < _LINKS_MOST:
            links.append(Link(_context(trace)))

    def flight_landed(self, report: FlightReport) -> None:
        """Hear what became of what was scored for a request, see `app.tracing.Tracing`."""
        told = _ids(report.request.wiki_id, report.request.rev_id) | {"revstream.code": report.code}
        status = Status() if report.code == "ok" else Status(StatusCode.ERROR, report.code)
        models = _models([info.id for info in report.models])
        self._tell("flight", SpanKind.INTERNAL, report.trail, told, status, models=models)

    # Life

    async def close(self) -> None:
        """Send what is left, for a few seconds at most. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK tells no types here
            with contextlib.suppress(RuntimeError):  # The loop is gone where this took too long.
                loop.call_soon_threadsafe(sent.set)

        # A daemon: whatever a collector does, it does not keep the process.
        threading.Thread(target=send, name="last-traces", daemon=True).start()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await sent.wait()
        except TimeoutError:
            _log.warning("traces_lost", reason="the collector did not take the last of them in time")

    def _begin(self, carried: Mapping[str, str], name: str, kind: SpanKind) -> Trace:
        """Begin a trace, or go on with the one that is carried, and decide whether it is kept."""
        context = self._propagator.extract(carried) if carried else None
        parent = None if context is None else get_current_span(context).get_span_context()
        if parent is None or not parent.is_valid:
            context = parent = None
        trace_id = self._ids.generate_trace_id() if parent is None else parent.trace_id
        sampling = self._sampler.should_sample(context, trace_id, name, kind=kind)
        state = sampling.trace_state
        return Trace(
            f"{trace_id:032x}",
            f"{self._ids.generate_span_id():016x}",
            "" if parent is None else f"{parent.span_id:016x}",
            sampling.decision is Decision.RECORD_AND_SAMPLE,
            state.to_header() if state else "",
        )

    def _tell(
        self,
        name: str,
        kind: SpanKind,
        trail: Trail,
        told: Attributes,
        status: Status,
        *,
        models: Attributes = _NOTHING,
        links: Sequence[Link] = (),
    ) -> None:
        """Give a trail's spans to who sends them: one for each phase, and one around them."""
        trace = trail.trace
        if trace is None or not trace.is_sampled:
            return
        now = monotonic()
        # What the two clocks are apart may change from day to day.
        offset_ns = time.time_ns() - int(now * 1e9)
        steps = dict(trail.steps)
        for phase, began, ended in trail.phases:
            step = steps.pop(phase, None) or trace.step()
            about = models if phase in _SCORING else _NOTHING
            sort = SpanKind.PRODUCER if phase in _SENDING else SpanKind.INTERNAL
            self._send(phase, sort, step, _times(began, ended, offset_ns), attributes=about)
        times = _times(trail.began, now, offset_ns)
        self._send(name, kind, trace, times, attributes=told, status=status, links=links)

    def _send(
        self,
        name: str,
        kind: SpanKind,
        trace: Trace,
        times_ns: tuple[int, int],
        *,
        attributes: Attributes,
        status: Status | None = None,
        links: Sequence[Link] = (),
    ) -> None:
        start_time, end_time = times_ns
        self._processor.on_end(
            ReadableSpan(
                name,
                context=_context(trace),
                parent=_parent(trace, is_remote=status is not None),
                resource=self._resource,
                attributes=attributes,
                links=links,
                kind=kind,
                status=status or Status(),
                start_time=start_time,
                end_time=end_time,
                instrumentation_scope=self._scope,
            )
        )


def _times(began: float, ended: float, offset_ns: int) -> tuple[int, int]:
    return int(began * 1e9) + offset_ns, int(ended * 1e9) + offset_ns


def _context(trace: Trace) -> SpanContext:
    return SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(int(trace.is_sampled)),
        trace_state=TraceState.from_header([trace.state]) if trace.state else None,
    )


def _parent(trace: Trace, *, is_remote: bool) -> SpanContext | None:
    if not trace.parent_id:
        return None
    return SpanContext(
        int(trace.trace_id, 16),
        int(trace.parent_id, 16),
        is_remote=is_remote,
        trace_flags=TraceFlags(int(trace.is_sampled)),
    )


def _ids(wiki_id: str, rev_id: int) -> dict[str, str | int | Sequence[str]]:
    return {"revstream.wiki_id": wiki_id, "revstream.rev_id": rev_id}


def _models(models: Sequence[ModelId]) -> dict[str, str | int | Sequence[str]]:
    return {"revstream.models": [f"{one.model_name}@{one.model_version}" for one in models]} if models else {}


def _code(one: ScoredModel) -> str:
    return one.outcome.code if isinstance(one.outcome, ScoreFailure) else "ok"
