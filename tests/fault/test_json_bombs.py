"""Small bodies that would become millions of objects: refused before they do."""

import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from app.api.intake import IntakeAccess
from app.api.json_limits import MOST_DEPTH, MOST_VALUES, JsonTooLarge, bounded_json, require_bounded
from schemas.errors import RevstreamError
from schemas.posted import PostedEvent
from tests.rows import binary, catalogue, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

MIB = 1 << 20
BOMBS: dict[str, Callable[[int], bytes]] = {
    "numbers": lambda size: b"[" + b"1," * (size // 2) + b"1]",
    "empty lists": lambda size: b"[" + b"[]," * (size // 3) + b"1]",
    "empty objects": lambda size: b"[" + b"{}," * (size // 3) + b"1]",
    "empty texts": lambda size: b"[" + b'"",' * (size // 3) + b'""]',
    "names": lambda size: b"{" + b",".join(b'"%x":1' % number for number in range(size // 10)) + b"}",
    "depth": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "depth of objects": lambda size: b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6),
    "depth behind a text": lambda size: b'{"a": "' + b"x" * (size // 2) + b'", "b": ' + b"[" * (size // 2),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_without_becoming_objects(name: str) -> None:
    bomb = BOMBS[name](MIB)
    tracemalloc.start()
    try:
        with pytest.raises(JsonTooLarge):
            bounded_json(bomb)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MIB


@pytest.mark.parametrize(
    "value",
    [
        [0] * (MOST_VALUES - 1),
        {"text": ',[{"\\' * 100_000},
        {"text": "[" * 100_000, "other": '"' * 100_000},
        [[{}] * 100] * 60,
        {"a" * 1000: ["b" * 1000] * 100},
    ],
    ids=["as many as allowed", "signs in a text", "brackets in a text", "many brackets", "long texts"],
)
def test_what_is_large_in_another_way_is_read(value: Any) -> None:
    assert bounded_json(json.dumps(value).encode()) == value


def test_depth_is_counted_by_bracket() -> None:
    allowed = b"[" * MOST_DEPTH + b"]" * MOST_DEPTH
    assert bounded_json(allowed)
    assert bounded_json(b"[" + b",".join([allowed[1:-1]] * 50) + b"]")
    with pytest.raises(JsonTooLarge, match="deeper"):
        bounded_json(b"[" + allowed + b"]")


@pytest.mark.parametrize("ending", [b"", b'"', b"\\", b'\\"', b'"\\'])
def test_a_text_without_an_end_takes_no_time(ending: bytes) -> None:
    require_bounded(b'["[' + b'\\"' * MIB + ending, most_depth=1)


def test_texts_beyond_the_number_of_values_are_not_looked_at() -> None:
    with pytest.raises(JsonTooLarge):
        require_bounded(b"[[" + b'""' * MIB, most_depth=1)


class Takes:
    """An intake that takes whatever comes."""

    def check(self) -> None:
        pass

    async def take(self, events: Sequence[PostedEvent]) -> Sequence[RevstreamError | None]:
        return [None] * len(events)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    rows = [row(stored("damaging", binary(0.25)), rev_id=12345)]
    wikis = catalogue({"enwiki": ("damaging", "revertrisk-language-agnostic")})
    access = IntakeAccess(Takes())
    async with served(tmp_path, wikis, rows, on_demand=ReversedDigits(), intake=access) as running:
        yield running


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/enwiki-damaging:predict",
        "/v1/models/revertrisk-language-agnostic:predict",
        "/v2/models/enwiki-damaging/infer",
        "/v1/events",
        "/v3/precache",
    ],
)
async def test_every_route_that_reads_json_refuses_bombs_and_goes_on(
    server: Served, path: str, name: str
) -> None:
    body = BOMBS[name]((1 << 20) - 64)
    headers = {"content-type": "application/json"}
    status, _, _ = await server.ask(path, method="POST", data=BytesIO(body), headers=headers)
    assert status in {400, 404, 405}
    assert (await server.ask("/scores/enwiki/12345"))[0] == 200


@pytest.mark.parametrize("name", ["numbers", "names", "empty texts"])
async def test_the_largest_bodies_are_no_larger_bombs(server: Served, name: str) -> None:
    body = BOMBS[name](15 * MIB)
    status, answer, _ = await server.ask("/v1/events", method="POST", data=BytesIO(body))
    assert status == 400
    assert "300000 values" in answer["error"]["message"]


async def test_a_bomb_in_a_query_is_refused(server: Served) -> None:
    for inject in ("[" * 40_000, "[" + "1," * 20_000 + "1]", '{"1":' + '{"a":' * 5_000):
        status, _, _ = await server.ask("/v3/scores/enwiki/12345", params={"inject": inject})
        assert status in {400, 414}
