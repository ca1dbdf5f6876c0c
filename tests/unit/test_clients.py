"""Who may have how much scored, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.api.clients import ClientClass, Clients, LimitedOnDemand
from app.api.on_demand import ScoreRequest
from app.client_classes import open_clients
from app.settings import ClientSettings, Settings, load_settings
from schemas.catalogue import Catalogue
from schemas.errors import Overloaded, SettingsError
from schemas.prediction import ScoredModel
from schemas.secret import Secret
from tests.rows import binary, model_info, row, stored
from tests.served import Served, served, until

INFO = model_info("damaging")
CATALOGUE = Catalogue({"enwiki": {"damaging": INFO}})
TOKEN = "3f9c1b"


class Scorer:
    """Scores when it may, unless there is no room."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self.is_full = False
        self.refuse: Iterator[bool] = iter(())

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.is_full or next(self.refuse, False):
                raise Overloaded("Full.", retry_after_seconds=4)
            await asyncio.sleep(0)
            await self.may.wait()
            return [ScoredModel(INFO.id, binary(0.25)) for _ in request.model_names]
        finally:
            self.at_once -= 1


class Limited:
    """A server whose clients are limited, and a clock that a test turns."""

    def __init__(self, server: Served, scorer: Scorer, clock: list[float]) -> None:
        self.server = server
        self.scorer = scorer
        self.clock = clock

    async def ask(self, path: str = "/v3/scores/enwiki/5/", **headers: str) -> tuple[int, Any, Any]:
        """Return status, document and headers."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        status, document, response = await self.server.ask(path, headers=named)
        return status, document, response.headers


@asynccontextmanager
async def limited(
    folder: Path, trusted: Sequence[str] = (), **classes: ClientClass
) -> AsyncIterator[Limited]:
    scorer, clock = Scorer(), [0.0]
    clients = Clients(classes, trusted, lambda: clock[0])
    rows = [row(stored("damaging", binary(0.5)), rev_id=6)]
    async with served(folder, CATALOGUE, rows, on_demand=LimitedOnDemand(scorer), clients=clients) as server:
        yield Limited(server, scorer, clock)


async def test_a_client_has_so_many_requests_scored_at_a_time_and_hears_so_in_ores_words(
    tmp_path: Path,
) -> None:
    async with limited(tmp_path, default=ClientClass(parallel=2)) as given:
        given.scorer.may.clear()
        waiting = [asyncio.create_task(given.ask(f"/v3/scores/enwiki/{rev_id}")) for rev_id in (7, 8)]
        await until(lambda: given.scorer.asked == 2)
        status, document, headers = await given.ask("/v3/scores/enwiki/9")
        assert status == 429
        assert document == {
            "error": {
                "code": "too_many_requests",
                "message": "A limited number of parallel connections per IP is allowed.",
            }
        }
        assert headers["retry-after"] == "1"
        assert headers["ratelimit-policy"] == '"parallel";q=2;qu="concurrent-requests"'
        assert headers["ratelimit"] == '"parallel";r=0'
        given.scorer.may.set()
        assert [(await each)[0] for each in waiting] == [200, 200]
        assert (await given.ask("/v3/scores/enwiki/9"))[0] == 200


async def test_what_is_stored_is_answered_however_much_is_scored(tmp_path: Path) -> None:
    async with limited(tmp_path, default=ClientClass(parallel=1)) as given:
        given.scorer.may.clear()
        waiting = asyncio.create_task(given.ask())
        await until(lambda: given.scorer.asked == 1)
        for path in ("/v3/scores/enwiki/6", "/scores/enwiki/6?provenance=1", "/v3/scores/enwiki?revids=6"):
            status, _, headers = await given.ask(path)
            assert status == 200
            assert "ratelimit" not in headers
        assert (await given.ask())[0] == 429
        given.scorer.may.set()
        await waiting


async def test_a_request_for_many_revisions_is_one_at_a_time_and_many_a_minute(tmp_path: Path) -> None:
    async with limited(tmp_path, default=ClientClass(parallel=1, per_minute=4)) as given:
        many = "/v3/scores/enwiki?revids=10|11|12"
        status, _, headers = await given.ask(many)
        assert status == 200
        assert headers["ratelimit-policy"] == '"parallel";q=1;qu="concurrent-requests", "minute";q=4;w=60'
        assert headers["ratelimit"] == '"parallel";r=1, "minute";r=1;t=60'
        given.clock[0] = 20.5
        status, document, _ = await given.ask(many)
        assert status == 200
        entries = document["enwiki"]["scores"]
        kinds = [entries[rev_id]["damaging"].get("error", {}).get("type") for rev_id in ("10", "11", "12")]
        assert kinds == [None, "ScoreProcessorOverloaded", "ScoreProcessorOverloaded"]
        status, _, headers = await given.ask(many)
        assert status == 429
        assert headers["retry-after"] == "40"
        given.clock[0] = 60.0
        assert (await given.ask(many))[0] == 200


async def test_a_client_with_a_token_is_of_the_class_of_that_token(tmp_path: Path) -> None:
    bots = ClientClass(per_minute=9, tokens=(Secret(TOKEN), Secret("other")))
    async with limited(tmp_path, default=ClientClass(per_minute=1), bots=bots) as given:
        for left in (8, 7):
            *_, headers = await given.ask(authorization=f"Bearer {TOKEN}")
            assert headers["ratelimit"] == f'"minute";r={left};t=60'
        # Each token has its own account, and one that nobody knows counts as none.
        *_, headers = await given.ask(authorization="Bearer other")
        assert headers["ratelimit"] == '"minute";r=8;t=60'
        assert (await given.ask(authorization="Bearer unknown"))[0] == 200
        assert (await given.ask(authorization="Bearer unknown"))[0] == 429


async def test_an_address_that_a_client_names_itself_counts_for_nothing(tmp_path: Path) -> None:
    async with limited(tmp_path, default=ClientClass(per_minute=1)) as given:
        assert (await given.ask(x_client_ip="192.0.2.1"))[0] == 200
        assert (await given.ask(x_client_ip="192.0.2.2"))[0] == 429


async def test_an_address_that_a_trusted_proxy_names_is_the_clients(tmp_path: Path) -> None:
    inside = ClientClass(per_minute=2, networks=("10.0.0.0/8",))
    given_classes = {"default": ClientClass(per_minute=1), "inside": inside}
    async with limited(tmp_path, trusted=["127.0.0.0/8"], **given_classes) as given:

        async def status(address: str) -> int:
            return (await given.ask(x_client_ip=address))[0]

        assert [await status(one) for one in ("192.0.2.1", "192.0.2.2", "192.0.2.1")] == [200, 200, 429]
        assert [await status("10.1.2.3") for _ in range(3)] == [200, 200, 429]
        # One household, one account; and a version 4 address in the form of version 6 is no other one.
        assert [await status(one) for one in ("2001:db8::1", "2001:db8::2")] == [200, 429]
        assert [await status(one) for one in ("2001:db8:0:1::1", "::ffff:192.0.2.1")] == [200, 429]
        # What is no address is the proxy's own.
        assert [await status(one) for one in ("nonsense", "127.0.0.1", "")] == [200, 429, 429]


async def test_requests_that_warm_the_cache_are_not_counted_in_ores_face(tmp_path: Path) -> None:
    async with limited(tmp_path, default=ClientClass(per_minute=1)) as given:
        for _ in range(3):
            status, _, headers = await given.ask("/v3/scores/enwiki/5?precache")
            assert status == 200
            assert "ratelimit" not in headers
        assert [(await given.ask())[0] for _ in range(2)] == [200, 429]


async def test_a_full_queue_is_told_in_the_words_of_ores_and_of_lift_wing(tmp_path: Path) -> None:
    async with limited(tmp_path) as given:
        given.scorer.is_full = True
        status, document, headers = await given.ask()
        assert status == 503
        assert document["error"] == {
            "code": "server overloaded",
            "message": "Cannot process your request because the server is overloaded.  "
            "Try again in afew minutes.",
        }
        assert headers["retry-after"] == "4"
        status, document, response = await given.server.ask(
            "/v1/models/enwiki-damaging:predict", method="POST", json={"rev_id": 5}
        )
        assert (status, document) == (503, {"error": "Full."})
        assert response.headers["retry-after"] == "4"
        # What is stored is not held back by what is not.
        status, document, _ = await given.ask("/v3/scores/enwiki?revids=5|6")
        assert status == 200
        entries = document["enwiki"]["scores"]
        assert "score" in entries["6"]["damaging"]
        assert entries["5"]["damaging"]["error"]["type"] == "ScoreProcessorOverloaded"


async def test_a_request_that_was_begun_waits_for_room_and_is_answered_whole(tmp_path: Path) -> None:
    async with limited(tmp_path) as given:
        given.scorer.refuse = iter([False, *[True] * 5])
        many = "|".join(map(str, range(10, 60)))
        given.scorer.may.clear()
        asking = asyncio.create_task(given.ask(f"/v3/scores/enwiki?revids={many}"))
        await until(lambda: given.scorer.at_once == 8)
        given.scorer.may.set()
        status, document, _ = await asking
        assert status == 200
        entries = document["enwiki"]["scores"]
        assert [rev_id for rev_id, entry in entries.items() if "score" not in entry["damaging"]] == []
        assert given.scorer.most_at_once == 8


async def test_clients_of_no_time_ago_are_forgotten_when_there_are_too_many(tmp_path: Path) -> None:
    async with limited(tmp_path, trusted=["127.0.0.1"], default=ClientClass(per_minute=1)) as given:
        for number in range(300):
            await given.ask(x_client_ip=f"192.0.{number >> 8}.{number & 255}")
        assert (await given.ask(x_client_ip="192.0.0.5"))[0] == 429


def test_settings_say_who_is_in_which_class(tmp_path: Path) -> None:
    (tmp_path / "revstream.toml").write_text(
        'trusted_proxies = ["10.0.0.1"]\n'
        f'[client_classes.bots]\nparallel = 50\ntokens = ["{TOKEN}"]\n'
        "[client_classes.default]\nper_minute = 60\n"
    )
    settings = load_settings(environ={}, cwd=tmp_path)
    assert settings.client_classes["bots"] == ClientSettings(parallel=50, tokens=(Secret(TOKEN),))
    assert TOKEN not in repr(settings)
    open_clients(settings)


@pytest.mark.parametrize(
    ("classes", "proxies", "message"),
    [
        ({"bots": ClientSettings(networks=("10.0.0.1/8",))}, (), "client_classes: 10.0.0.1/8 has host bits"),
        ({"bots": ClientSettings(tokens=(Secret(""),))}, (), "client_classes.bots has an empty token"),
        (
            {name: ClientSettings(tokens=(Secret(TOKEN),)) for name in ("bots", "tools")},
            (),
            "client_classes.tools has the token of another class",
        ),
        ({}, ("proxy",), "trusted_proxies: 'proxy' does not appear to be"),
    ],
)
def test_classes_that_mean_nothing_are_refused(
    classes: dict[str, ClientSettings], proxies: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        open_clients(Settings(client_classes=classes, trusted_proxies=proxies))
    assert TOKEN not in refused.value.message
