"""`POST /v1/events`: who may post, and what is answered, over a real server."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.api.intake import Intake, IntakeAccess
from app.intake import intake_access
from app.settings import load_settings
from schemas.errors import EngineError, NotReady, RevstreamError, SettingsError
from schemas.keys import page_topic_key
from schemas.posted import PostedEvent
from schemas.secret import Secret
from tests.input_events import encoded, page_change
from tests.rows import catalogue
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging",)})
PATH = "/v1/events"
GOOD, BAD = encoded(page_change()), encoded(page_change(wiki_id="a b"))


class Taken:
    """An intake that keeps what it takes."""

    def __init__(self) -> None:
        self.events: list[PostedEvent] = []
        self.refusal: NotReady | None = None
        self.failures: list[RevstreamError] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def check(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def take(self, events: Sequence[PostedEvent]) -> Sequence[RevstreamError | None]:
        await self.gate.wait()
        self.events += events
        return [self.failures.pop(0) if self.failures else None for _ in events]


@asynccontextmanager
async def posting(folder: Path, intake: Intake, token: Secret | None = None) -> AsyncIterator[Served]:
    async with served(folder, WIKIS, intake=IntakeAccess(intake, token)) as running:
        yield running


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
async def running(tmp_path: Path, taken: Taken) -> AsyncIterator[Served]:
    async with posting(tmp_path, taken) as given:
        yield given


async def post(running: Served, body: bytes, path: str = PATH, **headers: str) -> tuple[int, Any, Any]:
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    status, answer, response = await running.ask(path, method="POST", data=io.BytesIO(body), headers=sent)
    return status, answer, response.headers


@pytest.mark.parametrize("body", [GOOD, b"\n [" + GOOD + b"]", b"[" + GOOD + b", " + GOOD + b"]"])
async def test_good_events_are_taken_and_nothing_is_said(running: Served, taken: Taken, body: bytes) -> None:
    status, answer, _ = await post(running, body, x_request_id="moss-1")
    assert (status, answer) == (201, b"")
    assert len(taken.events) == body.count(b"$schema")
    assert {event.key for event in taken.events} == {page_topic_key("mosswiki", 31)}


async def test_of_mixed_events_the_good_are_taken_and_the_others_listed(
    running: Served, taken: Taken
) -> None:
    status, answer, _ = await post(running, b"[" + b",".join((BAD, GOOD, b"17")) + b"]")
    assert status == 207
    assert len(taken.events) == 1
    assert answer["error"] == []
    first, second = answer["invalid"]
    assert first["status"] == "invalid"
    assert first["event"] == json.loads(BAD)
    [told] = first["context"]["errors"]
    assert (told["code"], told["path"]) == ("event_undecodable", "$.wiki_id")
    assert second["event"] == 17


async def test_only_bad_events_are_a_bad_request_and_listed(running: Served, taken: Taken) -> None:
    status, answer, _ = await post(running, BAD)
    assert status == 400
    assert len(answer["invalid"]) == 1
    assert taken.events == []


@pytest.mark.parametrize("body", [b"", b"[]", b"moss", b'{"a":', b'{"a":"\xff"}', b"[1,", b"17", b"[" * 5000])
async def test_what_is_no_event_and_no_list_is_a_bad_request(running: Served, body: bytes) -> None:
    status, answer, _ = await post(running, body)
    assert status == 400
    assert answer["error"]["code"] == "request_invalid"


async def test_what_the_log_does_not_take_is_listed_as_an_error(running: Served, taken: Taken) -> None:
    taken.failures = [EngineError("The log did not take the event.")]
    status, answer, _ = await post(running, b"[" + GOOD + b"," + GOOD + b"]")
    assert status == 207
    assert [each["context"]["code"] for each in answer["error"]] == ["engine_failed"]
    taken.failures = [EngineError("The log did not take the event.")]
    status, answer, headers = await post(running, b"[" + GOOD + b"," + BAD + b"]")
    assert (status, headers["retry-after"]) == (503, "2")
    assert (len(answer["error"]), len(answer["invalid"])) == (1, 1)


async def test_a_worker_that_is_not_ready_or_has_too_much_to_do_says_when_to_come_back(
    running: Served, taken: Taken
) -> None:
    taken.refusal = NotReady("The worker takes no events now: stopping.")
    status, answer, headers = await post(running, GOOD)
    assert (status, answer["error"]["code"]) == (503, "not_ready")
    assert int(headers["retry-after"]) > 0


async def test_a_hasty_client_is_answered_before_the_events_are_taken(running: Served, taken: Taken) -> None:
    taken.gate.clear()
    status, answer, _ = await post(running, b"[" + GOOD + b"," + BAD + b"]", f"{PATH}?hasty=true")
    assert (status, answer) == (202, b"")
    assert taken.events == []
    taken.gate.set()
    async with asyncio.timeout(10):
        while not taken.events:  # noqa: ASYNC110 - the server says nothing more
            await asyncio.sleep(0.01)


async def test_hasty_false_is_not_hasty(running: Served) -> None:
    assert (await post(running, GOOD, f"{PATH}?hasty=false"))[0] == 201


async def test_a_large_body_is_taken_and_a_larger_one_refused(running: Served, taken: Taken) -> None:
    assert (await post(running, encoded(page_change(note="x" * (2 << 20)))))[0] == 201
    status, answer, _ = await post(running, b"x" * (17 << 20))
    assert status == 413
    assert "fewer events" in answer["error"]["message"]
    assert len(taken.events) == 1


async def test_a_web_page_may_not_post_and_is_not_let_through_by_its_preflight(
    running: Served, taken: Taken
) -> None:
    status, answer, _ = await post(running, GOOD, origin="https://moss.example.org")
    assert (status, answer["error"]["code"]) == (403, "access_denied")
    assert taken.events == []


@pytest.mark.parametrize("shown", [None, "Bearer", "Bearer ", "Bearer stones", "Basic stone", "stone"])
async def test_without_the_token_nothing_is_taken(tmp_path: Path, taken: Taken, shown: str | None) -> None:
    async with posting(tmp_path, taken, Secret("stone")) as running:
        headers = {} if shown is None else {"authorization": shown}
        status, answer, sent = await post(running, GOOD, **headers)
        assert (status, answer["error"]["code"]) == (401, "access_denied")
        assert sent["www-authenticate"] == "Bearer"
        assert taken.events == []
        assert (await post(running, GOOD, authorization="Bearer stone"))[0] == 201


async def test_a_replica_says_that_it_takes_no_events(tmp_path: Path) -> None:
    async with served(tmp_path, WIKIS) as running:
        status, answer, _ = await post(running, GOOD)
        assert status == 404
        assert "Post them to a worker" in answer["error"]["message"]


async def test_events_are_not_asked_for(running: Served) -> None:
    assert (await running.ask(PATH))[0] == 405


async def test_requests_are_counted(running: Served) -> None:
    await post(running, GOOD)
    _, body, _ = await running.ask("/metrics")
    assert b'revstream_http_requests_total{face="intake",status="201"} 1.0' in body


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"REVSTREAM_INTAKE": "token"}, "intake_token is not set"),
        ({"REVSTREAM_INTAKE": "open", "REVSTREAM_INTAKE_TOKEN": "stone"}, "does not ask for it"),
        ({"REVSTREAM_INTAKE_TOKEN": "stone"}, "intake is off"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    tmp_path: Path, given: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        intake_access(load_settings(environ=given, cwd=tmp_path), Taken())
    assert "stone" not in refused.value.message
