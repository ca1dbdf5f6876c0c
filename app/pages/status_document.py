"""What a process knows of itself, as one JSON document: the numbers of its metrics, by what they tell of."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from msgspec import to_builtins
from prometheus_client import CollectorRegistry

from app.api.answers import Resources
from app.api.documents import Document
from app.api.lag import LagFace
from app.dead_letters import newest_set_aside
from schemas.errors import NotReady
from tables.lists import IndexedRows

_ERRORS_MOST: Final = 20
_RATE_SECONDS: Final = 60.0
_RATE_LEAST_SECONDS: Final = 1.0
_FAILED_OUTCOMES: Final = frozenset({"dead_letter", "put_off"})
_COUNTED: Final[Mapping[str, str]] = {
    "events": "revstream_events_total",
    "scores": "revstream_scores_total",
    "requests": "revstream_http_requests_total",
}

# Of files; a replica does not tell them.
_SIZES: Final[Mapping[str, str]] = {
    "keys": "revstream_table_keys",
    "disk_bytes": "revstream_table_disk_bytes",
    "memory_bytes": "revstream_table_memory_bytes",
    "compaction_bytes": "revstream_table_compaction_bytes",
}


class Numbers:
    """The metrics of one moment.

    Args:
        registry: Of the process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._samples: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in registry.collect():
            if family.name.startswith("revstream_"):
                self._samples.setdefault(family.name, [])
                for sample in family.samples:
                    self._samples.setdefault(sample.name, []).append((sample.labels, sample.value))

    def has(self, name: str) -> bool:
        """Tell whether the process has that metric at all."""
        return name in self._samples

    def total(self, name: str) -> int:
        """Return the sum of a metric over all labels; 0 without any."""
        return round(sum(value for _, value in self._samples.get(name, ())))

    def value(self, name: str) -> float | None:
        """Return the value of a metric without labels; None where it is absent."""
        return next((value for _, value in self._samples.get(name, ())), None)

    def by(self, label: str, name: str) -> dict[str, int]:
        """Return a metric summed by one of its labels."""
        found: Counter[str] = Counter()
        for labels, value in self._samples.get(name, ()):
            found[labels[label]] += round(value)
        return dict(sorted(found.items()))

    def samples(self, name: str) -> Sequence[tuple[Mapping[str, str], float]]:
        """Return labels and value of all samples of a metric."""
        return self._samples.get(name, ())


class Rates:
    """How much was counted a second, over the last minute or since somebody last looked before that.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, Mapping[str, int]]] = deque(maxlen=256)

    def look(self, totals: Mapping[str, int]) -> Document:
        """Note what is counted, and return how much came a second; None where it is the first look."""
        now = self._clock()
        while len(self._seen) > 1 and now - self._seen[1][0] >= _RATE_SECONDS:
            self._seen.popleft()
        began, before = self._seen[0] if self._seen else (now, totals)
        seconds = now - began
        if not self._seen or now - self._seen[-1][0] >= _RATE_LEAST_SECONDS:
            self._seen.append((now, totals))
        if seconds < _RATE_LEAST_SECONDS:
            return {"over_seconds": None, **{f"{name}_per_second": None for name in totals}}
        rates = {
            f"{name}_per_second": round((number - before.get(name, 0)) / seconds, 3)
            for name, number in totals.items()
        }
        return {"over_seconds": round(seconds, 1), **rates}


class StatusTeller:
    """Tells what the process knows of itself.

    Args:
        resources: What to ask.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._lag = LagFace(resources)
        self._rates = Rates()

    async def document(self) -> Document:
        """Return the status. A part that the process knows nothing of is None, and named in ``unknown``."""
        resources = self._resources
        numbers = Numbers(resources.metrics.registry)
        letters = await newest_set_aside(resources.dead_letters)
        parts: Document = {
            "stream": _stream(numbers),
            "scoring": _scoring(numbers),
            "on_demand": _on_demand(numbers),
            "wikis": await self._wikis(),
            "tables": self._tables(numbers),
            "dead_letters": None if letters is None else [to_builtins(one) for one in letters],
        }
        counted = {
            name: numbers.total(metric)
            for name, metric in _COUNTED.items()
            if numbers.has(metric.removesuffix("_total"))
        }
        return {
            "process": "worker" if resources.direct is not None else "replica",
            "as_of": datetime.now(UTC),
            **self._readiness(),
            "rates": self._rates.look(counted),
            "requests": {"by_face": numbers.by("face", _COUNTED["requests"]), "failed": _failed(numbers)},
            "configuration": _configuration(numbers),
            "feed": {"readers": numbers.total("revstream_feed_readers")},
            **parts,
            "errors": _errors(numbers),
            "unknown": [name for name, part in parts.items() if part is None],
        }

    def _readiness(self) -> Document:
        freshness = self._resources.reader.freshness()
        reasons = [*self._resources.readiness(), *([] if freshness.is_ready else freshness.reasons)]
        return {
            "is_ready": not reasons,
            "reasons": reasons,
            "notes": list(freshness.reasons) if freshness.is_ready else [],
            "age_seconds": freshness.age_seconds,
        }

    async def _wikis(self) -> Document | None:
        try:
            return await self._lag.lags()
        except NotReady:
            return None

    def _tables(self, numbers: Numbers) -> Document | None:
        rows = self._resources.reader.source
        if not isinstance(rows, IndexedRows):
            return None
        tables: dict[str, Document] = {}
        sizes = {name: numbers.by("table", metric) for name, metric in _SIZES.items()}
        for stream, head in rows.heads().items():
            told = tables.setdefault(
                stream.table,
                {"partitions": 0, "records_applied": 0}
                | {name: by_table.get(stream.table) for name, by_table in sizes.items()},
            )
            told["partitions"] += 1
            told["records_applied"] += head + 1
        return {"tables": tables, "recovering": [to_builtins(one) for one in self._resources.progress()]}


def _configuration(numbers: Numbers) -> Document:
    read_at = numbers.value("revstream_config_last_reload_success_timestamp_seconds")
    return {
        "read_dt": None if read_at is None else datetime.fromtimestamp(read_at, UTC),
        "was_last_reload_refused": numbers.value("revstream_config_last_reload_successful") == 0,
        "reloads_by_outcome": numbers.by("outcome", "revstream_config_reloads_total"),
    }


def _stream(numbers: Numbers) -> Document | None:
    if not numbers.has("revstream_lag_events"):
        return None
    return {
        "lag_events": numbers.by("topics", "revstream_lag_events"),
        "put_off_events_held": numbers.total("revstream_put_off_events_held"),
        "wikis_let_alone": numbers.total("revstream_wikis_let_alone"),
        "events_by_outcome": numbers.by("outcome", "revstream_events_total"),
        "scores_by_model": numbers.by("model_name", "revstream_scores_total"),
        "event_seconds_mean": _mean(numbers, "revstream_event_seconds"),
        "scoring_seconds_mean": _mean(numbers, "revstream_scoring_seconds"),
    }


def _scoring(numbers: Numbers) -> Document | None:
    if not numbers.has("revstream_scorers"):
        return None
    return {
        "processes": numbers.total("revstream_scorers"),
        "queue_by_priority": numbers.by("priority", "revstream_scoring_queue"),
        "cpu_seconds": numbers.value("revstream_scoring_cpu_seconds_total"),
        "restarts": numbers.total("revstream_scorer_restarts_total"),
        "kills_by_limit": numbers.by("limit", "revstream_scorer_kills_total"),
    }


def _on_demand(numbers: Numbers) -> Document | None:
    if not numbers.has("revstream_on_demand_revisions"):
        return None
    return {
        "revisions_waiting": numbers.total("revstream_on_demand_revisions"),
        "waiting_seconds": numbers.value("revstream_on_demand_waiting_seconds"),
        "answers_by_origin": numbers.by("origin", "revstream_on_demand_answers_total"),
        "refused_by_limit": numbers.by("limit", "revstream_on_demand_refused_total"),
    }


def _mean(numbers: Numbers, name: str) -> float | None:
    count = numbers.value(f"{name}_count")
    seconds = numbers.value(f"{name}_sum")
    return round(seconds / count, 6) if count and seconds is not None else None


def _failed(numbers: Numbers) -> dict[str, int]:
    found: Counter[str] = Counter()
    for labels, value in numbers.samples(_COUNTED["requests"]):
        if labels["status"] >= "500":
            found[f"{labels['face']} {labels['status']}"] += round(value)
    return dict(found)


def _errors(numbers: Numbers) -> list[Document]:
    """Return what failed and how often: events set aside or put off, and scores that are failures."""
    found: list[dict[str, Any]] = [
        {"code": labels["reason"], "of": f"event: {labels['outcome']}", "count": round(value)}
        for labels, value in numbers.samples(_COUNTED["events"])
        if labels["outcome"] in _FAILED_OUTCOMES and labels["reason"] and value
    ]
    found += [
        {
            "code": labels["code"],
            "of": f"{labels['wiki_id']} {labels['model_name']}",
            "count": round(value),
        }
        for labels, value in numbers.samples(_COUNTED["scores"])
        if labels["code"] != "ok" and value
    ]
    return sorted(found, key=lambda one: -one["count"])[:_ERRORS_MOST]
