"""What is counted, and how it is shown to Prometheus. Labels are closed sets: no revision, page or user."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from enum import StrEnum

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
    ORES = "ores"
    LIFTWING = "liftwing"
    INTAKE = "intake"
    OPERATIONS = "operations"
    PEERS = "peers"
    UNKNOWN = "unknown"


_ANSWERING = (Face.SCORES, Face.PAGES, Face.ORES, Face.LIFTWING)


class Outcome(StrEnum):
    """Where the answer about one model came from."""

    STORED = "stored"
    SCORED = "scored"
    FAILED = "failed"
    ABSENT = "absent"


class FaceCounters:
    """Requests and answers of one face, as plain numbers: counting takes well under a microsecond."""

    __slots__ = ("answers", "buckets", "seconds", "statuses")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_BOUNDS_SECONDS) + 1)
        self.seconds = 0.0
        self.statuses: dict[int, int] = {}
        self.answers = dict.fromkeys(Outcome, 0)

    def count(self, status: int, seconds: float) -> None:
        """Count one request by its HTTP status and duration."""
        self.buckets[bisect_left(_BOUNDS_SECONDS, seconds)] += 1
        self.seconds += seconds
        self.statuses[status] = self.statuses.get(status, 0) + 1


class _Requests(Collector):
    def __init__(self, faces: dict[Face, FaceCounters]) -> None:
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
        for face, counters in self._faces.items():
            for status, number in sorted(counters.statuses.items()):
                requests.add_metric((face.value, str(status)), number)
            if face in _ANSWERING:
                for outcome, number in counters.answers.items():
                    answers.add_metric((face.value, outcome.value), number)
            total, buckets = 0, []
            for bound, number in zip((*map(str, _BOUNDS_SECONDS), "+Inf"), counters.buckets, strict=True):
                total += number
                buckets.append((bound, float(total)))
            duration.add_metric((face.value,), buckets, counters.seconds)
        return requests, answers, duration


class _ReaderFreshness(Collector):
    def __init__(self, freshness: Callable[[], Freshness]) -> None:
        self._freshness = freshness

    def collect(self) -> Iterable[Metric]:
        now = self._freshness()
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


class Metrics:
    """Everything that is counted in one process.

    Attributes:
        registry: Where other parts of the process register collectors of their own.
        faces: Counters of the API, by face.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.faces = {face: FaceCounters() for face in Face}
        self.registry.register(_Requests(self.faces))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def watch_reader(self, freshness: Callable[[], Freshness]) -> None:
        """Export the freshness of the tables that look-ups read. Call it once."""
        self.registry.register(_ReaderFreshness(freshness))

    def refused(self, status: int) -> None:
        """Count a request that the server refused before any part of the API saw it."""
        self.faces[Face.UNKNOWN].count(status, 0.0)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text form, of the type CONTENT_TYPE."""
        return generate_latest(self.registry)
