"""Canaries: events by which somebody sees that streams go through, and which readers drop."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.canaries import canary
from agents.embedded.log import Log
from agents.rules.rule import OutputKind
from app.cli import main
from schemas.decode import decode_event
from schemas.page_change import Canary
from tests.audit import records
from tests.clean_logging import logging_restored
from tests.pipelines import pipeline

AT = datetime(2026, 11, 1, 10, tzinfo=UTC)
CONFIG = '[wikis.mosswiki.models]\nreverted = "enwiki-reverted"\n'
SCORES = "mediawiki.revision_score_reverted"
PAGES = "mediawiki.page_reverted_prediction_change.v1"


def run(folder: Path, *arguments: str) -> Result:
    (folder / "revstream.toml").write_text(f'data_dir = "{folder / "data"}"\n{CONFIG}')
    with logging_restored():
        environment = {"REVSTREAM_CONFIG": str(folder / "revstream.toml")}
        return CliRunner().invoke(main, ["canary", *arguments], prog_name="revstream", env=environment)


@pytest.mark.parametrize("kind", OutputKind)
def test_a_canary_has_the_schema_of_its_stream_and_is_taken_for_no_change(kind: OutputKind) -> None:
    event = canary("moss", kind, AT)
    told = json.loads(event.value)
    assert told["meta"]["domain"] == "canary"
    assert told["meta"]["stream"] == event.stream == "moss"
    assert told["dt"] == told["meta"]["dt"] == "2026-11-01T10:00:00Z"
    assert decode_event(event.value) == Canary("moss")
    assert event == canary("moss", kind, AT)
    others = canary("fern", kind, AT), canary("moss", kind, AT + timedelta(seconds=1))
    assert len({event.event_id, *(other.event_id for other in others)}) == 3


async def test_canaries_that_come_in_are_skipped(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(*(canary("moss", kind, AT).value for kind in OutputKind))
        await given.until_done()
        assert given.outcomes == ["skipped"] * 3
        assert {report.reason for report in given.observed.reports} == {"canary"}


def test_the_command_writes_one_to_each_stream_of_the_rules_into_the_log(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {all: {topic: t, output: [revision_score, prediction_classification_change]}}")
    result = run(tmp_path, "--rules", str(rules))
    assert result.exit_code == 0, result.output
    log = Log(tmp_path / "data" / "log.db")
    try:
        written = {
            json.loads(record.value or b"")["meta"]["id"]: stream
            for stream in (SCORES, PAGES)
            for _, record in records(log, stream)
        }
        assert len(written) == 2
    finally:
        log.close()
    assert result.stdout.splitlines() == [
        f"{stream}\t{event_id}" for event_id, stream in sorted(written.items(), key=lambda each: each[1])
    ]


def test_a_broker_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, "--broker", "kafka://127.0.0.1:1")
    assert result.exit_code == 1
    assert "\nrevstream: broker_unavailable: " in result.stderr


def test_the_command_writes_to_the_streams_that_are_named_and_to_no_other(tmp_path: Path) -> None:
    assert run(tmp_path, SCORES).stdout.startswith(f"{SCORES}\t")
    refused = run(tmp_path, "mediawiki.moss")
    assert refused.exit_code == 2
    assert (
        f"Nothing is sent to mediawiki.moss. Streams of these models and rules are {SCORES}."
        in refused.stderr
    )
    log = Log(tmp_path / "data" / "log.db")
    assert log.topics() == [SCORES]
    log.close()
