"""Many look-ups in one request."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.api import batch
from schemas.keys import row_key
from schemas.prediction import Score, ScoreFailure, ScoreKind, Withdrawal
from tables.codec import encode_row
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, MemoryLog
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.scorers_on_demand import Scorer
from tests.served import Served, fill, served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith"), "dewiki": ("damaging",)})
TOPICS_SCORE = Score(ScoreKind.MULTILABEL, ("A", "C"), {"A": 0.9, "B": 0.1, "C": 1e-7})
QUALITY = Score(ScoreKind.MULTICLASS, ("Stub",), {"FA": 0.25, "Stub": 0.75})
ROWS = [
    row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)), page_id=number, rev_id=number)
    for number in range(1, 301)
] + [
    row(stored("damaging", binary(0.5)), wiki_id="dewiki", page_id=1, rev_id=1),
    row(stored("damaging", ScoreFailure("feature_error", "why")), wiki_id="dewiki", page_id=2, rev_id=2),
    row(
        stored("quality", QUALITY),
        stored("topics 100%", TOPICS_SCORE),
        wiki_id="oldwiki",
        page_id=3,
        rev_id=3,
    ),
    row(
        stored("damaging", binary(0.125), model_version="0.4.0", scored_after=timedelta(days=9)),
        stored("damaging", binary(0.375)),
        wiki_id="dewiki",
        page_id=4,
        rev_id=4,
    ),
]


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS) as running:
        yield running


async def lines_of(running: Served, *look_ups: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    body = {"lookups": look_ups, **more}
    status, answered, response = await running.ask("/scores", method="POST", json=body)
    assert status == 200
    assert response.content_type == "application/x-ndjson"
    assert answered.endswith(b"\n")
    return [json.loads(line) for line in answered.splitlines()]


async def test_each_line_is_what_a_single_look_up_answers(replica: Served) -> None:
    look_ups = [
        {"wiki_id": one.wiki_id, "rev_ids": [one.rev_id]} for one in (*ROWS[:2], *ROWS[-4:], *ROWS[-4:])
    ]
    lines = await lines_of(replica, *look_ups)
    for look_up, line in zip(look_ups, lines, strict=True):
        _, single, _ = await replica.ask(f"/scores/{look_up['wiki_id']}/{look_up['rev_ids'][0]}")
        assert line == single


async def test_lines_keep_the_order_of_what_was_asked_whatever_becomes_of_each(replica: Served) -> None:
    numbers = [300, 999, *range(200, 0, -1), 998, 1]
    lines = await lines_of(
        replica, {"wiki_id": "enwiki", "rev_ids": numbers}, {"wiki_id": "dewiki", "rev_ids": [2, 1]}
    )
    assert [(line["wiki_id"], line["rev_id"]) for line in lines] == [
        *(("enwiki", number) for number in numbers),
        ("dewiki", 2),
        ("dewiki", 1),
    ]
    assert [line["rev_id"] for line in lines if "error" in line] == [999, 998]
    assert lines[1]["error"]["code"] == "prediction_not_found"


async def test_a_wiki_or_model_that_is_unknown_fails_alone(replica: Served) -> None:
    lines = await lines_of(
        replica,
        {"wiki_id": "nowiki", "rev_ids": [1]},
        {"wiki_id": "enwiki", "rev_ids": [1], "models": ["goodfaith", "nothing"]},
    )
    assert lines[0]["error"]["code"] == "wiki_unknown"
    assert list(lines[1]["scores"]) == ["goodfaith", "nothing"]
    assert lines[1]["scores"]["goodfaith"]["prediction"] is True
    assert lines[1]["scores"]["nothing"]["error"]["code"] == "model_not_found"


async def test_a_version_that_is_pinned_is_answered_from_the_row_or_not_at_all(replica: Served) -> None:
    models = ["damaging@0.4.0", "damaging@1.0.0", "damaging", "damaging@7"]
    (line,) = await lines_of(replica, {"wiki_id": "dewiki", "rev_ids": [4], "models": models})
    found = {name: score.get("model_version") for name, score in line["scores"].items()}
    assert found == {
        "damaging@0.4.0": "0.4.0",
        "damaging@1.0.0": "1.0.0",
        "damaging": "1.0.0",
        "damaging@7": None,
    }
    assert line["scores"]["damaging@7"]["error"]["code"] == "prediction_not_found"


async def test_where_scores_came_from_is_told_when_asked(replica: Served) -> None:
    (line,) = await lines_of(replica, {"wiki_id": "dewiki", "rev_ids": [4]}, provenance=True)
    assert line["versions"] == {"damaging": ["0.4.0", "1.0.0"]}
    assert line["freshness"]["age_seconds"] >= 0
    assert line["scores"]["damaging"]["provenance"]["source_offset"] == 77


async def test_what_was_withdrawn_is_not_in_any_line(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, ROWS[:4])
    hidden = Withdrawal(True, REV_DT + timedelta(days=1), 9)
    shown = Withdrawal(False, REV_DT + timedelta(days=2), 10)
    log.append(REVISIONS_TOPIC, row_key("enwiki", 1), encode_row(replace(ROWS[0], withdrawal=hidden)))
    log.append(PAGES_TOPIC, row_key("enwiki", 2), encode_row(replace(ROWS[1], withdrawal=hidden)))
    log.append(PAGES_TOPIC, row_key("enwiki", 3), encode_row(replace(ROWS[2], withdrawal=shown)))
    async with served(tmp_path, WIKIS, log=log) as running:
        lines = await lines_of(running, {"wiki_id": "enwiki", "rev_ids": [4, 1, 2, 3]})
    assert [line.get("error", {}).get("code") for line in lines] == [
        None,
        "prediction_withdrawn",
        "prediction_withdrawn",
        None,
    ]


async def test_a_page_is_hidden_and_shown_again_while_batches_are_answered_and_after_a_restart(
    tmp_path: Path,
) -> None:
    log = MemoryLog()
    fill(log, ROWS[:300])
    look_up = {"wiki_id": "enwiki", "rev_ids": list(range(300, 0, -1))}

    def act(page_id: int, day: int, *, is_hidden: bool) -> None:
        withdrawal = Withdrawal(is_hidden, REV_DT + timedelta(days=day), day)
        held = replace(ROWS[page_id - 1], withdrawal=withdrawal)
        log.append(PAGES_TOPIC, row_key("enwiki", page_id), encode_row(held))

    async def until_hidden(running: Served, page_ids: set[int]) -> None:
        async with asyncio.timeout(1):
            while True:
                lines = await lines_of(running, look_up)
                assert [line["rev_id"] for line in lines] == look_up["rev_ids"]
                errors = {line["rev_id"]: line["error"]["code"] for line in lines if "error" in line}
                assert set(errors.values()) <= {"prediction_withdrawn"}
                if set(errors) == page_ids:
                    return

    async with served(tmp_path, WIKIS, log=log) as running:
        before = await lines_of(running, look_up)
        act(150, 1, is_hidden=True)
        await until_hidden(running, {150})
        act(3, 1, is_hidden=True)
        act(150, 2, is_hidden=False)
        await until_hidden(running, {3})
    async with served(tmp_path, WIKIS, log=log) as running:
        await until_hidden(running, {3})
        act(3, 2, is_hidden=False)
        await until_hidden(running, set())
        assert await lines_of(running, look_up) == before


async def test_the_row_of_a_page_that_this_version_cannot_read_fails_its_revisions_alone(
    tmp_path: Path,
) -> None:
    log = MemoryLog()
    fill(log, ROWS[:3])
    log.append(PAGES_TOPIC, row_key("enwiki", 2), b"\xc3\x01" + bytes(8) + b"?")
    async with served(tmp_path, WIKIS, log=log) as running:
        lines = await lines_of(running, {"wiki_id": "enwiki", "rev_ids": [1, 2, 3]})
    assert [line.get("error", {}).get("code") for line in lines] == [None, "store_format_unsupported", None]


async def test_nothing_is_scored_unless_it_is_asked_for(tmp_path: Path) -> None:
    scorer = Scorer()
    async with served(tmp_path, WIKIS, ROWS, on_demand=scorer) as running:
        (line,) = await lines_of(running, {"wiki_id": "enwiki", "rev_ids": [999]})
        assert line["error"]["code"] == "prediction_not_found"
        assert scorer.asked == []


async def test_on_demand_only_what_the_rows_lack_is_scored(tmp_path: Path) -> None:
    scorer = Scorer()
    rows = [*ROWS, row(stored("damaging", binary(0.25)), page_id=999, rev_id=999)]
    async with served(tmp_path, WIKIS, rows, on_demand=scorer) as running:
        lines = await lines_of(running, {"wiki_id": "enwiki", "rev_ids": [1, 999, 1000]}, on_demand=True)
    assert sorted(scorer.asked) == [
        ("enwiki", 999, ("goodfaith",)),
        ("enwiki", 1000, ("damaging", "goodfaith")),
    ]
    assert [list(line["scores"]) for line in lines] == [["damaging", "goodfaith"]] * 3
    assert lines[1]["scores"]["damaging"]["probability"]["true"] == 0.25
    assert lines[1]["scores"]["goodfaith"]["probability"]["true"] == 0.75


async def test_what_one_batch_may_have_scored_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "ON_DEMAND_MOST", 2)
    scorer = Scorer()
    async with served(tmp_path, WIKIS, ROWS, on_demand=scorer) as running:
        look_up = {"wiki_id": "dewiki", "rev_ids": [70, 71, 72, 1]}
        lines = await lines_of(running, look_up, on_demand=True)
    assert len(scorer.asked) == 2
    assert [line["scores"]["damaging"].get("error", {}).get("code") for line in lines] == [
        None,
        None,
        "on_demand_bound",
        None,
    ]
    assert lines[2]["scores"]["damaging"]["error"]["retry_after_seconds"] > 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"lookups": []}',
        b'{"lookups": [{"wiki_id": "enwiki", "rev_ids": []}]}',
        b'{"lookups": [{"wiki_id": "enwiki", "rev_ids": [-1]}]}',
        b'{"lookups": [{"wiki_id": "enwiki", "rev_ids": [9223372036854775808]}]}',
        b'{"lookups": [{"wiki_id": "enwiki", "rev_ids": ["1"]}]}',
        b'{"lookups": [{"wiki_id": "en\\u0000wiki", "rev_ids": [1]}]}',
        b'{"lookups": [{"wiki_id": "enwiki", "rev_ids": [1], "models": []}]}',
        b'{"lookups": [{"wiki_id": "enwiki", "rev_ids": [1], "model": ["damaging"]}]}',
        b'{"lookups": ' + b"[" * 100_000,
        b'{"lookups": [{"wiki_id": "enwiki", "rev_ids": [1]}], "on_demand": true}',
        json.dumps({"lookups": [{"wiki_id": "enwiki", "rev_ids": [1] * 6000}] * 2}).encode(),
    ],
)
async def test_a_body_that_is_no_batch_is_refused_as_a_whole(replica: Served, body: bytes) -> None:
    status, answered, response = await replica.ask("/scores", method="POST", data=body)
    assert status == 400
    assert answered["error"]["code"] == "request_invalid"
    assert response.headers["cache-control"] == "no-store"


async def test_the_most_that_one_batch_may_ask_for_is_answered(replica: Served) -> None:
    numbers = [1 + number % 300 for number in range(batch.REVISIONS_MOST)]
    lines = await lines_of(replica, {"wiki_id": "enwiki", "rev_ids": numbers})
    assert [line["rev_id"] for line in lines] == numbers
    text = replica.metrics.text().decode()
    assert 'revstream_http_answers_total{face="batch",outcome="stored"} 20000.0' in text


async def test_a_row_that_this_version_cannot_read_fails_alone(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log, ROWS[:2])
    log.append(REVISIONS_TOPIC, row_key("enwiki", 5), b"\xc3\x01" + bytes(8) + b"?")
    async with served(tmp_path, WIKIS, log=log) as running:
        lines = await lines_of(running, {"wiki_id": "enwiki", "rev_ids": [1, 5, 2]})
    assert [line.get("error", {}).get("code") for line in lines] == [None, "store_format_unsupported", None]
