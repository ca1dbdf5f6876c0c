"""What a load test asks, what it tells, and what it calls worse."""

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from app.load_mix import ListedRevision, LoadMix, parse_mix, read_event_lines, read_revisions
from app.load_report import (
    LoadReport,
    Regression,
    RouteReport,
    as_lines,
    read_report,
    regressions,
    route_report,
)
from schemas.errors import SettingsError

MODELS = {"enwiki": ["damaging", "goodfaith"], "dewiki": ["damaging"]}
REVISIONS = [ListedRevision("enwiki", 1), ListedRevision("dewiki", 2), ListedRevision("frwiki", 3)]


def report(rate: float = 50.0, **routes: RouteReport) -> LoadReport:
    return LoadReport("http://a", datetime(2026, 11, 1, tzinfo=UTC), 30.0, rate, 0, routes)


def route(count: int, seconds: float, failures: int = 0) -> RouteReport:
    answers = [(seconds, 500 if number < failures else 200) for number in range(count)]
    return route_report(answers, 30.0)


def test_requests_come_in_their_shares_and_alike_each_time() -> None:
    shares = {"scores": 3.0, "liftwing": 1.0}
    first = list(islice(LoadMix(shares, REVISIONS, MODELS), 4000))
    assert first == list(islice(LoadMix(shares, REVISIONS, MODELS), 4000))
    counts = Counter(request.route for request in first)
    assert 0.7 < counts["scores"] / 4000 < 0.8
    # Of wikis that the server has no models for, nothing is asked.
    assert {request.path for request in first if request.route == "scores"} == {
        "/scores/enwiki/1",
        "/scores/dewiki/2",
    }


@pytest.mark.parametrize("name", ["scores", "ores", "liftwing", "batch", "events"])
def test_each_route_asks_as_its_clients_do(name: str) -> None:
    mix = LoadMix({name: 1.0}, REVISIONS[:1], MODELS, [b'{"a": 1}'])
    [request] = islice(mix, 1)
    expected = {
        "scores": ("GET", "/scores/enwiki/1", None),
        "ores": ("GET", "/v3/scores/enwiki/?revids=1&models=damaging|goodfaith", None),
        "liftwing": ("POST", "/v1/models/enwiki-damaging:predict", {"rev_id": 1}),
        "batch": ("POST", "/scores", {"lookups": [{"wiki_id": "enwiki", "rev_ids": [1]}]}),
        "events": ("POST", "/v1/events", {"a": 1}),
    }[name]
    body = None if request.body is None else json.loads(request.body)
    assert (request.method, request.path, body) == expected
    assert request.is_secret == (name == "events")


@pytest.mark.parametrize("text", ["scores", "scores=0", "scores=-1", "scores=many", "", "scores=1,,ores=1"])
def test_a_mix_that_is_none_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(SettingsError, match="--mix scores=90,liftwing=10"):
        parse_mix(text)


def test_a_mix_names_routes_with_something_to_ask_about() -> None:
    assert parse_mix("scores=90, events=0.5") == {"scores": 90.0, "events": 0.5}
    with pytest.raises(SettingsError, match="names trains"):
        LoadMix({"trains": 1.0}, REVISIONS, MODELS)
    with pytest.raises(SettingsError, match="dewiki, enwiki"):
        LoadMix({"scores": 1.0}, REVISIONS[2:], MODELS)
    with pytest.raises(SettingsError, match="--events FILE"):
        LoadMix({"events": 1.0}, REVISIONS, MODELS)
    assert read_event_lines([b'{"a": 1}\n', b"\n"]) == [b'{"a": 1}']


def test_lists_are_read_in_all_the_shapes_that_lift_wing_has(tmp_path: Path) -> None:
    path = tmp_path / "list.tsv"
    path.write_text("5\n6\n")
    assert read_revisions(path, "enwiki") == [ListedRevision("enwiki", 5), ListedRevision("enwiki", 6)]
    path.write_text("lang\trev_id\ttitle\nen\t7\tMoss\nzh-yue\t8\tFern\nsimple\t9\nwikidatawiki\t10\n\n")
    assert [one.rev_id for one in read_revisions(path, None)] == [7, 8, 9, 10]
    wikis = [one.wiki_id for one in read_revisions(path, None)]
    assert wikis == ["enwiki", "zh_yuewiki", "simplewiki", "wikidatawiki"]


def test_real_lists_are_read(shared: Path) -> None:
    for path in sorted((shared / "data/api/loadtest").glob("*.tsv")):
        found = read_revisions(path, "enwiki")
        lines = [
            line
            for line in path.read_text().splitlines()
            if any(cell.isdecimal() for cell in line.split("\t"))
        ]
        assert len(found) == len(lines) > 5


@pytest.mark.parametrize(
    ("text", "words"), [("5\nen\tmany\n", "Line 2"), ("5\nmoss\n", "Line 2"), ("head\n5\n", "--wiki enwiki")]
)
def test_a_list_that_is_none_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "list.tsv"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words):
        read_revisions(path, None if words.startswith("--") else "enwiki")


def test_a_report_tells_quantiles_and_failures() -> None:
    found = route_report([(number / 1000, 200) for number in range(1, 100)] + [(1.0, 0)], 10.0)
    assert (found.requests, found.requests_per_second, found.failures) == (100, 10.0, 1)
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms) == (51.0, 96.0, 1000.0, 1000.0)
    assert found.statuses == {"0": 1, "200": 99}
    head, line = as_lines(report(scores=found))
    assert head.split()[:2] == ["route", "requests"]
    assert line.split()[:2] == ["scores", "100"]


def test_what_is_worse_by_more_than_the_tolerance_is_named() -> None:
    before = report(scores=route(1000, 0.010), batch=route(50, 0.010))
    now = report(scores=route(1000, 0.012, failures=5), batch=route(50, 5.0))
    assert regressions(before, now, 0.1) == [
        Regression("scores", "p50_ms", 10.0, 12.0),
        Regression("scores", "p95_ms", 10.0, 12.0),
        Regression("scores", "failures", 0.0, 0.005),
    ]
    assert regressions(before, report(scores=route(1000, 0.0109)), 0.1) == []
    with pytest.raises(SettingsError, match="--rate as then"):
        regressions(before, report(60.0, scores=route(1000, 0.010)), 0.1)


def test_only_a_report_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("[]")
    with pytest.raises(SettingsError, match="--save FILE"):
        read_report(path)
