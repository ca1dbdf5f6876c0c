"""Traces of events and requests, where somebody collects them: off unless a setting says otherwise."""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol

from faust.types import Message
from msgspec import Struct

from agents.pipeline import EventReport
from app.flight_watch import FlightReport, FlightWatch
from app.settings import Settings
from models.trace import Trace
from models.trail import Trail
from schemas.errors import SettingsError

_PROTOCOL: Final = "http/protobuf"
_PROTOCOL_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class AnsweredRequest(Struct, frozen=True):
    """What a trace tells of a request.

    Attributes:
        method: GET or POST.
        face: Part of the API.
        status: Of HTTP.
        request_id: Of the client; None without.
    """

    method: str
    face: str
    status: int
    request_id: str | None


class RequestTracing(Protocol):
    """Traces requests."""

    def begin_request(self, headers: Mapping[str, str]) -> Trail:
        """Return the trail of a request, in the trace that its headers name."""
        ...

    def request_answered(self, trail: Trail, request: AnsweredRequest) -> None:
        """Hear what became of it."""
        ...


class Tracing(RequestTracing, Protocol):
    """Traces all that a process does."""

    def begin_event(self, message: Message) -> Trail:
        """Return the trail of a record, in the trace that its headers name."""
        ...

    def event_handled(self, report: EventReport) -> None:
        """Hear what became of it."""
        ...

    def begin_flight(self) -> Trail:
        """Return the trail of what is scored for the request that is answered now."""
        ...

    def flight_joined(self, trace: Trace) -> None:
        """Hear that the request that is answered now waits for what is under way for another."""
        ...

    def flight_landed(self, report: FlightReport) -> None:
        """Hear what became of it."""
        ...

    async def close(self) -> None:
        """Send what is left, for a few seconds at most. Idempotent."""
        ...


class TracedFlights(FlightWatch):
    """A `FlightWatch` that traces as well.

    Args:
        tracing: Hears of all.
    """

    def __init__(self, tracing: Tracing) -> None:
        super().__init__()
        self._tracing = tracing

    def begin(self) -> Trail:
        """Return a trail in the trace of the request that is answered now."""
        return self._tracing.begin_flight()

    def joined(self, trace: Trace) -> None:
        """Trace that a request waits for another's."""
        self._tracing.flight_joined(trace)

    def landed(self, report: FlightReport) -> None:
        """Count and trace."""
        super().landed(report)
        self._tracing.flight_landed(report)


def require_tracing(settings: Settings) -> None:
    """See that traces can be sent if they are to be; starts nothing.

    Raises:
        SettingsError: What sends them is not installed, or is told to speak what it does not.
    """
    if settings.traces == "off":
        return
    for variable in _PROTOCOL_VARIABLES:
        if (protocol := os.environ.get(variable) or _PROTOCOL) != _PROTOCOL:
            raise SettingsError(
                f"{variable} is {protocol}, and traces are sent by {_PROTOCOL} alone. Unset it, and name the "
                "collector's address for that, which mostly has the port 4318.",
                setting="traces",
            )
    try:
        import app.otel_tracing  # noqa: F401, PLC0415 - an extra, which few install
    except ImportError as error:
        raise SettingsError(
            f"traces is {settings.traces}, and OpenTelemetry cannot be imported ({error}). "
            "Run: pip install 'revstream[otel]', or set traces to off.",
            setting="traces",
        ) from error


def open_tracing(settings: Settings) -> Tracing | None:
    """Return what traces; None where nothing does. It imports nothing then.

    Raises:
        SettingsError: As `require_tracing`.
    """
    if settings.traces == "off":
        return None
    require_tracing(settings)
    from app.otel_tracing import OtelTracing  # noqa: PLC0415 - an extra, which few install

    return OtelTracing(settings.app_id, "embedded" if settings.is_embedded else "kafka")


@contextlib.asynccontextmanager
async def traced(settings: Settings) -> AsyncIterator[Tracing | None]:
    """Trace inside, and send what is left at the end; see `open_tracing`."""
    tracing = open_tracing(settings)
    try:
        yield tracing
    finally:
        if tracing is not None:
            await tracing.close()
