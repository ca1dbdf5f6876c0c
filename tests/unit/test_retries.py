"""Events that meet a fault which may pass are put off, and handled again by what the tables say then."""

import asyncio
import functools
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml
from msgspec.structs import replace

from agents.embedded.log import NewRecord
from agents.rules.rule import Retry
from schemas.errors import ContentUnavailable, EventUndecodable
from schemas.keys import DEAD_LETTER_TOPIC, PAGE_CHANGE_TOPIC, page_topic_key
from schemas.prediction import Score, ScoreFailure
from schemas.retry import PutOff, decode_put_off, encode_put_off, retry_topic
from tests.audit import records
from tests.input_events import encoded
from tests.pipelines import (
    APP_ID,
    RETRY_TOPIC,
    WIKI,
    RunningPipeline,
    Timing,
    edit,
    next_generation,
    pipeline,
)
from tests.pool_work import obedient
from tests.until import until

SLOW = Timing(retry=Retry(limit=2, delay_seconds=3600.0, factor=6.0), give_up_seconds=86_400.0)
NO_ANSWER = "The wiki does not answer."


def failing(given: RunningPipeline, *rev_ids: int, times: int = 10_000) -> None:
    for rev_id in rev_ids:
        given.content.failures[rev_id] = [ContentUnavailable(NO_ANSWER) for _ in range(times)]


def put_off(given: RunningPipeline) -> list[PutOff]:
    return [decode_put_off(record.value or b"") for _, record in records(given.log, RETRY_TOPIC)]


def rule(text: str) -> str:
    return f"rules: {{moss: {{topic: {PAGE_CHANGE_TOPIC}, {text}}}}}"


async def test_a_put_off_event_holds_the_event_byte_for_byte_and_says_when_and_why(tmp_path: Path) -> None:
    event = edit(7).replace(b"}", b" }", 1)
    async with pipeline(tmp_path, timing=SLOW) as given:
        failing(given, 7)
        given.give(edit(6), event)
        await until(lambda: given.put_off == 1, 20)
        ((partition, record),) = records(given.log, RETRY_TOPIC)
        assert (partition, record.key) == (0, page_topic_key(WIKI, 31))
        (found,) = put_off(given)
        assert bytes(found.original_event) == event
        assert (found.error_code, found.reason) == ("content_unavailable", NO_ANSWER)
        assert found.retries_left == 2
        assert found.emitter_id == APP_ID
        assert (found.delay_until - found.meta.dt).total_seconds() == 3600
        assert (found.source_topic, found.source_partition, found.source_offset) == (PAGE_CHANGE_TOPIC, 0, 1)
        assert json.loads(record.value or b"")["original_event"] == json.loads(event)


async def test_a_put_off_event_is_one_that_changeprop_would_read(tmp_path: Path, shared: Path) -> None:
    schema = yaml.safe_load((shared / "schemas/jsonschema/change-prop/retry/1.0.0.yaml").read_text("utf-8"))
    del schema["$schema"]
    async with pipeline(tmp_path, timing=SLOW) as given:
        failing(given, 7)
        given.give(edit(7))
        await until(lambda: given.put_off == 1, 20)
        ((_, record),) = records(given.log, RETRY_TOPIC)
    jsonschema_rs.Draft7Validator(schema, validate_formats=True).validate(json.loads(record.value or b""))


async def test_others_of_the_partition_and_of_the_page_go_on_meanwhile(tmp_path: Path) -> None:
    async with pipeline(tmp_path, timing=SLOW) as given:
        failing(given, 7)
        given.give(edit(7), edit(8), edit(9, page_id=32))
        await until(lambda: given.row(9) is not None, 20)
        assert given.row(8) is not None
        assert given.row(7) is None


async def test_an_event_is_repeated_when_due_and_a_page_does_not_go_back(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        failing(given, 7, times=2)
        given.give(edit(7), edit(8))
        await given.until_done()
        assert given.outcomes == ["put_off", "scored", "put_off", "scored"]
        row, page = given.row(7), given.page()
        assert row is not None
        assert page is not None
        assert page.rev_id == 8
        provenance = row.scores[0].provenance
        assert (provenance.source_topic, provenance.source_offset) == (PAGE_CHANGE_TOPIC, 0)
        assert sorted(output["rev_id"] for output in given.sent()) == [7, 8]


async def test_each_wait_is_longer_than_the_one_before(tmp_path: Path) -> None:
    retry = Retry(limit=3, delay_seconds=0.1, factor=3.0)
    async with pipeline(tmp_path, timing=Timing(retry=retry)) as given:
        failing(given, 7)
        given.give(edit(7))
        await given.until_done()
        # The last is held for less than it has to wait, and so there twice.
        found = list({one.meta.id: one for one in put_off(given)}.values())
        waits = [(one.delay_until - one.meta.dt).total_seconds() for one in found]
        assert waits == pytest.approx([0.1, 0.3, 0.9])
        assert [one.retries_left for one in found] == [3, 2, 1]
        assert len({one.first_dt for one in found}) == 1


async def test_after_the_last_repetition_the_failure_is_kept_told_and_set_aside(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        failing(given, 7, times=3)
        given.give(edit(7))
        await given.until_done()
        row = given.row(7)
        assert row is not None
        assert row.scores[0].outcome == ScoreFailure("content_unavailable", NO_ANSWER)
        (output,) = given.sent()
        assert output["errors"]["moss"]["type"] == "content_unavailable"
        (letter,) = given.sent(DEAD_LETTER_TOPIC)
        assert letter["code"] == "content_unavailable"
        assert letter["raw_event"].encode() == edit(7)
        assert (letter["source_topic"], letter["source_offset"]) == (PAGE_CHANGE_TOPIC, 0)


async def test_a_rule_says_how_often_and_which_errors_are_taken_for_done(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule("retry: {limit: 1}")) as given:
        failing(given, 7)
        given.give(edit(7))
        await given.until_done()
        assert given.outcomes == ["put_off", "failed"]
        assert [one.emitter_id for one in put_off(given)] == [f"{APP_ID}#moss"]


@pytest.mark.parametrize("retry", ["{ignore: content_unavailable}", "{limit: 0}"])
async def test_where_no_rule_wants_a_repetition_the_failure_is_recorded_at_once(
    retry: str, tmp_path: Path
) -> None:
    async with pipeline(tmp_path, rules=rule(f"retry: {retry}")) as given:
        failing(given, 7)
        given.give(edit(7))
        await given.until_done()
        assert given.outcomes == ["failed"]
        assert given.row(7) is not None


async def test_an_event_that_was_put_off_is_repeated_after_a_restart(tmp_path: Path) -> None:
    timing = Timing(retry=Retry(limit=2, delay_seconds=1.0, factor=2.0))
    async with pipeline(tmp_path, timing=timing) as given:
        failing(given, 7)
        given.give(edit(7))
        await until(lambda: given.put_off == 1, 20)
    async with pipeline(tmp_path, timing=timing) as given:
        await given.until_done()
        assert given.outcomes == ["scored"]
        assert given.row(7) is not None
        assert len(given.sent()) == 1


async def test_an_event_that_was_put_off_is_repeated_after_a_rebalance(tmp_path: Path) -> None:
    timing = Timing(retry=Retry(limit=2, delay_seconds=1.0, factor=2.0))
    async with pipeline(tmp_path, timing=timing) as given:
        failing(given, 7, times=1)
        given.give(edit(7))
        await until(lambda: given.put_off == 1, 20)
        await next_generation(given.app)
        await given.until_done()
        assert given.outcomes == ["put_off", "scored"]
        assert len(given.sent()) == 1


async def test_an_event_that_is_due_late_holds_up_no_commit_and_no_other(tmp_path: Path) -> None:
    rules = (
        "{match: {page: {page_id: 31}}, retry: {delay_seconds: 3600}}",
        "{match_not: {page: {page_id: 31}}, retry: {delay_seconds: 0.2}}",
    )
    late, soon = (f"{{topic: {PAGE_CHANGE_TOPIC}, {text[1:]}" for text in rules)
    timing = replace(SLOW, hold_seconds=0.3, failures=1000)
    async with pipeline(tmp_path, rules=f"rules: {{late: {late}, soon: {soon}}}", timing=timing) as given:
        # More of them than the window takes.
        failing(given, *range(1, 31), times=1)
        given.give(*(edit(rev_id) for rev_id in range(1, 31)))
        await until(lambda: given.put_off >= 30 and not given.content.failures[30], 30)
        failing(given, 99, times=1)
        given.give(edit(99, page_id=32), edit(100, page_id=33))
        await until(lambda: given.row(100) is not None, 20)
        await until(lambda: given.row(99) is not None, 20)
        assert given.row(1) is None
        assert given.put_off == 30


async def test_a_wiki_that_is_down_costs_no_repetition_and_is_let_alone(tmp_path: Path) -> None:
    timing = Timing(retry=Retry(limit=1, delay_seconds=0.0, factor=1.0), pause_seconds=0.3)
    rev_ids = range(1, 41)
    async with pipeline(tmp_path, timing=timing) as given:
        for rev_id in rev_ids:
            given.content.gates[rev_id] = asyncio.Event()
            failing(given, rev_id)
        failing(given, *rev_ids)
        for gate in given.content.gates.values():
            gate.set()
        given.give(*(edit(rev_id, page_id=rev_id) for rev_id in rev_ids))
        await until(lambda: given.circuits.is_open(WIKI), 20)
        asked = len(given.content.asked)
        await asyncio.sleep(1.5)
        # Five tries fit into that time, each of one event.
        assert len(given.content.asked) - asked <= 6
        given.content.failures.clear()
        await given.until_done()
        assert not given.circuits.open_count
        scored = {rev_id for rev_id in rev_ids if _is_scored(given, rev_id)}
        # Those that failed before the wiki was known to be down may have used up their one repetition.
        assert len(scored) >= 35
        assert len(given.sent()) == 40


async def test_a_wiki_that_stays_down_is_given_up_in_the_end_and_that_is_recorded(tmp_path: Path) -> None:
    timing = Timing(retry=Retry(limit=9), give_up_seconds=1.0, pause_seconds=0.1, hold_seconds=0.2)
    async with pipeline(tmp_path, timing=timing) as given:
        failing(given, *range(1, 13))
        given.give(*(edit(rev_id, page_id=rev_id) for rev_id in range(1, 13)))
        await given.until_done()
        assert given.outcomes.count("failed") == 12
        assert len(given.sent(DEAD_LETTER_TOPIC)) == 12


async def test_another_wiki_is_asked_while_one_is_let_alone(tmp_path: Path) -> None:
    async with pipeline(tmp_path, timing=SLOW) as given:
        failing(given, *range(1, 9))
        given.give(*(edit(rev_id, page_id=rev_id) for rev_id in range(1, 9)))
        await until(lambda: given.circuits.is_open(WIKI), 20)
        given.give(edit(50, wiki_id="plainwiki"))
        await until(lambda: given.row(50, wiki_id="plainwiki") is not None, 20)


async def test_a_wiki_that_hangs_holds_an_event_no_longer_than_told(tmp_path: Path) -> None:
    async with pipeline(tmp_path, timing=replace(SLOW, content_seconds=0.2)) as given:
        given.content.gates[7] = asyncio.Event()
        given.give(edit(7), edit(8, page_id=32))
        await until(lambda: given.put_off == 1, 20)
        (found,) = put_off(given)
        assert "did not answer within 0.2 s" in found.reason


async def test_a_scoring_process_that_died_may_do_better_later(tmp_path: Path) -> None:
    work = functools.partial(obedient, str(tmp_path))
    async with pipeline(tmp_path, make_work=work, attempts=1) as given:
        given.content.texts[7] = "die_once mark"
        given.give(edit(7))
        await given.until_done()
        assert given.outcomes == ["put_off", "scored"]
        assert put_off(given)[0].error_code == "scorer_crashed"


async def test_a_score_that_is_there_by_then_is_not_taken_back(tmp_path: Path) -> None:
    async with pipeline(tmp_path, timing=Timing(retry=Retry(limit=1, delay_seconds=1.0))) as given:
        failing(given, 7, times=1)
        given.give(edit(7), edit(7))
        await until(lambda: given.outcomes == ["put_off", "scored"], 20)
        failing(given, 7)
        await given.until_done()
        assert _is_scored(given, 7)
        first, second = given.sent()
        assert first == second


async def test_what_was_withdrawn_meanwhile_stays_so(tmp_path: Path) -> None:
    async with pipeline(tmp_path, timing=Timing(retry=Retry(limit=2, delay_seconds=1.0))) as given:
        failing(given, 7, times=1)
        given.give(edit(7), _deletion(7))
        await given.until_done()
        assert given.outcomes == ["put_off", "withdrawn", "skipped"]
        assert given.observed.reports[-1].reason == "withdrawn"
        assert given.row(7) is None
        assert given.sent() == []


async def test_a_withdrawn_event_does_not_wait_for_its_time(tmp_path: Path) -> None:
    async with pipeline(tmp_path, timing=SLOW) as given:
        failing(given, 7)
        given.give(edit(7), _deletion(7))
        await given.until_done()
        assert given.outcomes == ["put_off", "withdrawn", "skipped"]


async def test_what_is_no_put_off_event_is_set_aside_and_the_topic_goes_on(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        await until(given.is_recovered, 20)
        given.log.transact([NewRecord(RETRY_TOPIC, 0, 0, b"k", b'{"no":"record"}')])
        failing(given, 7, times=1)
        given.give(edit(7))
        await given.until_done()
        (letter,) = given.sent(DEAD_LETTER_TOPIC)
        assert (letter["code"], letter["source_topic"]) == ("event_undecodable", RETRY_TOPIC)
        assert _is_scored(given, 7)


@pytest.mark.parametrize(
    "value", [rb'"\ud800"', b"1e400", b"123456789012345678901234567890", "\u00e9".encode()]
)
def test_whatever_json_holds_comes_back_as_it_was(value: bytes) -> None:
    original = b'{"odd": ' + (value if value[:1] in b'"1' else b'"' + value + b'"') + b" }"
    found = decode_put_off(encode_put_off(_record(original)))
    assert bytes(found.original_event) == original


def test_other_bytes_are_refused() -> None:
    with pytest.raises(EventUndecodable, match="retry topics"):
        decode_put_off(b'{"no":"record"}')
    assert retry_topic("revstream", "eqiad.moss") == "revstream.retry.eqiad.moss"


def _record(original: bytes) -> PutOff:
    when = datetime.fromisoformat("2026-11-01T10:00:00Z")
    meta: Any = {"stream": RETRY_TOPIC, "id": "x", "dt": when}
    return msgspec.convert(
        {
            "$schema": "/change-prop/retry/1.0.0",
            "meta": meta,
            "emitter_id": APP_ID,
            "retries_left": 1,
            "original_event": msgspec.Raw(original),
            "reason": "none",
            "error_code": "content_unavailable",
            "delay_until": when,
            "first_dt": when,
            "wiki_id": WIKI,
            "source_topic": PAGE_CHANGE_TOPIC,
            "source_partition": 0,
            "source_offset": 0,
        },
        PutOff,
    )


def _is_scored(given: RunningPipeline, rev_id: int) -> bool:
    row = given.row(rev_id)
    return row is not None and isinstance(row.scores[0].outcome, Score)


def _deletion(rev_id: int) -> bytes:
    event = json.loads(edit(rev_id, page_change_kind="delete", dt="2026-11-01T10:30:00Z"))
    return encoded(event)
