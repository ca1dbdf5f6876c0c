"""What is counted, logged and shown of each event."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from agents.pipeline import EventReport
from app.logging import configure_logging
from app.observer import StreamObserver
from models.trail import Trail
from schemas.decode import decode_event
from schemas.page_change import PageChange
from schemas.prediction import Score, ScoredModel, ScoreFailure, ScoreKind
from tests.clean_logging import logging_restored
from tests.input_events import encoded, page_change, user
from tests.rows import binary, model_id

ADDRESS = "http://127.0.0.1:8090"
FAILURE = ScoreFailure("content_too_large", "too large")


def change(rev_id: int = 5002) -> PageChange:
    revision = page_change()["revision"] | {"rev_id": rev_id, "comment": "a secret", "editor": user()}
    decoded = decode_event(encoded(page_change(revision=revision)))
    assert isinstance(decoded, PageChange)
    return decoded


def report(*outcomes: Score | ScoreFailure, rev_id: int = 5002, **fields: Any) -> EventReport:
    scored = [ScoredModel(model_id(f"model{number}"), one) for number, one in enumerate(outcomes)]
    trail = Trail()
    trail.began -= 0.3
    return EventReport("scored", trail, change=change(rev_id), scored=scored, scoring_seconds=0.2, **fields)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def lines(captured: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.splitlines()]


def test_scores_failures_skips_and_letters_are_counted_apart(registry: CollectorRegistry) -> None:
    observer = StreamObserver(registry)
    for _ in range(2):
        observer.event_handled(report(binary(0.2), FAILURE))
    observer.event_handled(EventReport("skipped", Trail(), reason="wiki_unknown", change=change()))
    observer.event_handled(EventReport("skipped", Trail(), reason="canary"))
    observer.event_handled(EventReport("dead_letter", Trail(), reason="event_undecodable"))

    def counted(**labels: str) -> float | None:
        return registry.get_sample_value("revstream_events_total", labels)

    assert counted(outcome="scored", reason="") == 2
    assert counted(outcome="skipped", reason="wiki_unknown") == 1
    assert counted(outcome="skipped", reason="canary") == 1
    assert counted(outcome="dead_letter", reason="event_undecodable") == 1
    for name, code in (("model0", "ok"), ("model1", "content_too_large")):
        labels = {"wiki_id": "mosswiki", "model_name": name, "code": code}
        assert registry.get_sample_value("revstream_scores_total", labels) == 2


def test_times_are_measured_of_what_took_them(registry: CollectorRegistry) -> None:
    observer = StreamObserver(registry)
    observer.event_handled(report(binary(0.2)))
    observer.event_handled(EventReport("skipped", Trail(), reason="canary"))
    assert registry.get_sample_value("revstream_scoring_seconds_count") == 1
    assert registry.get_sample_value("revstream_scoring_seconds_sum") == pytest.approx(0.2)
    assert registry.get_sample_value("revstream_event_seconds_count") == 2
    assert (registry.get_sample_value("revstream_event_seconds_sum") or 0) >= 0.3


def test_the_delay_of_an_event_counts_from_its_production(registry: CollectorRegistry) -> None:
    observer = StreamObserver(registry)
    late = report(binary(0.2))
    produced_dt = datetime.now(UTC) - timedelta(seconds=7)
    observer.event_handled(replace(late, change=replace(change(), meta_dt=produced_dt)))
    # A clock that is ahead of ours.
    observer.event_handled(replace(late, change=replace(change(), meta_dt=produced_dt + timedelta(hours=1))))
    observer.event_handled(replace(late, change=replace(change(), meta_dt=None)))
    assert registry.get_sample_value("revstream_event_delay_seconds_count") == 2
    assert (registry.get_sample_value("revstream_event_delay_seconds_sum") or 0) >= 7
    assert registry.get_sample_value("revstream_event_delay_seconds_bucket", {"le": "0.1"}) == 1


def test_an_event_is_one_line_with_its_ids_and_without_texts_and_users(
    registry: CollectorRegistry, capfd: pytest.CaptureFixture[str]
) -> None:
    with logging_restored():
        configure_logging("info", "json")
        StreamObserver(registry).event_handled(report(binary(0.2), FAILURE))
    err = capfd.readouterr().err
    (line,) = lines(err)
    told = {"wiki_id": "mosswiki", "page_id": 31, "rev_id": 5002, "kind": "edit", "outcome": "scored"}
    assert told.items() <= line.items()
    assert line["codes"] == {"model0": "ok", "model1": "content_too_large"}
    assert line["request_id"] == page_change()["meta"]["request_id"]
    assert not [word for word in ("secret", "Mossy", "Talk:Moss") if word in err]


def test_what_is_not_scored_is_logged_for_debugging_only(
    registry: CollectorRegistry, capfd: pytest.CaptureFixture[str]
) -> None:
    skipped = EventReport("skipped", Trail(), reason="kind_not_scored", change=change())
    with logging_restored():
        for level in ("info", "debug"):
            configure_logging(level, "json")
            StreamObserver(CollectorRegistry()).event_handled(skipped)
    (line,) = lines(capfd.readouterr().err)
    assert (line["reason"], line["event_id"]) == ("kind_not_scored", page_change()["meta"]["id"])


def test_an_event_that_is_put_off_is_counted_and_warned_of(
    registry: CollectorRegistry, capfd: pytest.CaptureFixture[str]
) -> None:
    put_off = EventReport(
        "put_off", Trail(), reason="content_unavailable", message="no answer", change=change()
    )
    with logging_restored():
        configure_logging("info", "json")
        StreamObserver(registry).event_handled(put_off)
    (line,) = lines(capfd.readouterr().err)
    assert (line["level"], line["reason"], line["message"]) == ("warning", "content_unavailable", "no answer")
    assert line["rev_id"] == change().revision.rev_id
    labels = {"outcome": "put_off", "reason": "content_unavailable"}
    assert registry.get_sample_value("revstream_events_total", labels) == 1


def test_scores_are_shown_and_the_first_with_where_to_look_it_up(registry: CollectorRegistry) -> None:
    screen = io.StringIO()
    observer = StreamObserver(registry, screen, logs_events=False)
    observer.serve_at(ADDRESS)
    observer.event_handled(report(FAILURE, rev_id=1))
    observer.event_handled(report(binary(0.25), FAILURE, rev_id=2))
    observer.event_handled(report(binary(0.75), rev_id=3))
    assert screen.getvalue().splitlines() == [
        "mosswiki revision 1 model0: content_too_large",
        "mosswiki revision 2 model0: true 0.250",
        "mosswiki revision 2 model1: content_too_large",
        f"Look it up: curl {ADDRESS}/scores/mosswiki/2",
        "mosswiki revision 3 model0: true 0.750",
    ]


def test_of_many_labels_the_likeliest_is_shown(registry: CollectorRegistry) -> None:
    screen = io.StringIO()
    quality = Score(ScoreKind.MULTICLASS, ("GA",), {"Stub": 0.1, "GA": 0.6, "FA": 0.3})
    StreamObserver(registry, screen, logs_events=False).event_handled(report(quality))
    assert screen.getvalue() == "mosswiki revision 5002 model0: GA 0.600\n"


def test_nothing_is_logged_beside_what_is_shown(
    registry: CollectorRegistry, capfd: pytest.CaptureFixture[str]
) -> None:
    with logging_restored():
        configure_logging("info", "json")
        StreamObserver(registry, io.StringIO(), logs_events=False).event_handled(report(binary(0.2)))
    assert capfd.readouterr().err == ""
