"""What is counted, and how it is shown to Prometheus. Labels are closed sets: no revision, page or user."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Protocol, TypeAlias, Union

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tables.reader import Freshness

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 15.0)


class Face(StrEnum):
    """The part of the API that a request came to."""

    SCORES = "scores"
    PAGES = "pages"
    FEED = "feed"
    BATCH = "batch"
    MODELS = "models"
    ORES = "ores"
    LIFTWING = "liftwing"
    BROWSER = "browser"
    INTAKE = "intake"
    OPERATIONS = "operations"
    PEERS = "peers"
    UNKNOWN = "unknown"


_ANSWERING = (Face.SCORES, Face.PAGES, Face.BATCH, Face.ORES, Face.LIFTWING, Face.BROWSER)


class Outcome(StrEnum):
    """Where the answer about one model came from."""

    STORED = "stored"
    SCORED = "scored"
    FAILED = "failed"
    ABSENT = "absent"


Cells: TypeAlias = Union["memoryview[float]", list[float]]

_OUTCOMES = {outcome: index for index, outcome in enumerate(Outcome)}
_SECONDS_AT = len(_BOUNDS_SECONDS) + 1
_ANSWERS_AT = _SECONDS_AT + 1
_STORED_AT = _ANSWERS_AT + _OUTCOMES[Outcome.STORED]
_STATUSES_AT = _ANSWERS_AT + len(_OUTCOMES)
# From 100 to 599.
_STATUS_FIRST, _STATUSES = 100, 500
CELLS_PER_FACE = _STATUSES_AT + _STATUSES


class Answers:
    """Answers of one face by outcome."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def __getitem__(self, outcome: Outcome) -> int:
        return int(self._cells[_ANSWERS_AT + _OUTCOMES[outcome]])

    def __setitem__(self, outcome: Outcome, number: int) -> None:
        self._cells[_ANSWERS_AT + _OUTCOMES[outcome]] = number

    def items(self) -> list[tuple[Outcome, int]]:
        """Return outcomes and numbers, of all outcomes."""
        return [(outcome, self[outcome]) for outcome in _OUTCOMES]


class FaceCounters:
    """Requests and answers of one face, as plain numbers: counting takes well under a microsecond.

    Args:
        cells: As many as CELLS_PER_FACE, where they are kept; memory of its own if None.

    Attributes:
        answers: By outcome; counted up by who answers.
    """

    __slots__ = ("_cells", "answers")

    def __init__(self, cells: Cells | None = None) -> None:
        self._cells: Cells = [0.0] * CELLS_PER_FACE if cells is None else cells
        self.answers = Answers(self._cells)

    def count(self, status: int, seconds: float) -> None:
        """Count one request by its HTTP status and duration."""
        cells = self._cells
        cells[bisect_left(_BOUNDS_SECONDS, seconds)] += 1
        cells[_SECONDS_AT] += seconds
        cells[_STATUSES_AT - _STATUS_FIRST + status] += 1

    def answered_stored(self, models: int) -> None:
        """Count answers that were stored."""
        self._cells[_STORED_AT] += models

    @property
    def buckets(self) -> list[float]:
        """Requests by duration, each bucket without those before it."""
        return list(self._cells[:_SECONDS_AT])

    @property
    def seconds(self) -> float:
        """Durations of all requests together."""
        return float(self._cells[_SECONDS_AT])

    @property
    def statuses(self) -> dict[int, int]:
        """Requests by HTTP status, where there was one."""
        numbers = self._cells[_STATUSES_AT:]
        return {_STATUS_FIRST + index: int(number) for index, number in enumerate(numbers) if number}


class _Requests(Collector):
    def __init__(self, faces: Callable[[], Mapping[Face, FaceCounters]]) -> None:
        self._faces = faces

    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily(
            "revstream_http_requests", "Requests answered, by part of the API.", labels=("face", "status")
        )
        answers = CounterMetricFamily(
            "revstream_http_answers",
            "Answers about one model for one revision, by where they came from.",
            labels=("face", "outcome"),
        )
        duration = HistogramMetricFamily(
            "revstream_http_request_seconds",
            "From the end of a request's head to the end of its answer.",
            labels=("face",),
        )
        for face, counters in self._faces().items():
            for status, count in sorted(counters.statuses.items()):
                requests.add_metric((face.value, str(status)), count)
            if face in _ANSWERING:
                for outcome, count in counters.answers.items():
                    answers.add_metric((face.value, outcome.value), count)
            total, buckets = 0.0, []
            for bound, number in zip((*map(str, _BOUNDS_SECONDS), "+Inf"), counters.buckets, strict=True):
                total += number
                buckets.append((bound, total))
            duration.add_metric((face.value,), buckets, counters.seconds)
        return requests, answers, duration


class _ReaderFreshness(Collector):
    def __init__(self, freshness: Callable[[], Freshness]) -> None:
        self.freshness = freshness

    def collect(self) -> Iterable[Metric]:
        now = self.freshness()
        ready = GaugeMetricFamily(
            "revstream_reader_ready", "Whether the tables that look-ups read are complete."
        )
        ready.add_metric((), float(now.is_ready))
        age = GaugeMetricFamily(
            "revstream_reader_age_seconds", "How old the tables that look-ups read may be; on replicas only."
        )
        if now.age_seconds is not None:
            age.add_metric((), now.age_seconds)
        return ready, age


class Counted(Protocol):
    """What the processes of one server have counted, of which this is one."""

    @property
    def faces(self) -> dict[Face, FaceCounters]:
        """Counters of this process."""
        ...

    def totals(self) -> Mapping[Face, FaceCounters]:
        """Return the sums over all processes."""
        ...

    def collectors(self) -> Iterable[Collector]:
        """Return what tells of the processes themselves."""
        ...


class Metrics:
    """Everything that is counted in one process, or in all of one server.

    Args:
        counted: What several processes share; None where there is but one.

    Attributes:
        registry: Where other parts of the process register collectors of their own.
        faces: Counters of the API, by face.
    """

    def __init__(self, counted: Counted | None = None) -> None:
        self.registry = CollectorRegistry()
        self._reader: _ReaderFreshness | None = None
        self.faces = {face: FaceCounters() for face in Face} if counted is None else counted.faces
        self.registry.register(_Requests(counted.totals if counted else lambda: self.faces))
        PlatformCollector(registry=self.registry)
        if counted is None:
            ProcessCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        else:
            for collector in counted.collectors():
                self.registry.register(collector)

    def watch_reader(self, freshness: Callable[[], Freshness]) -> None:
        """Export the freshness of the tables that look-ups read; the last call counts."""
        if self._reader is None:
            self._reader = _ReaderFreshness(freshness)
            self.registry.register(self._reader)
        self._reader.freshness = freshness

    def refused(self, status: int) -> None:
        """Count a request that the server refused before any part of the API saw it."""
        self.faces[Face.UNKNOWN].count(status, 0.0)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text form, of the type CONTENT_TYPE."""
        return generate_latest(self.registry)
