"""What the pages for people say, hide and lead to, without a browser."""

import asyncio
import gzip
import re
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace
from starlette.requests import Request
from starlette.types import Message

from agents.embedded.log import Log, NewRecord
from app.api.html import PageResponse, element, page
from app.api.viewer import view
from app.dead_letters import LoggedDeadLetters
from app.pages.status_document import Rates
from app.pages.wiki_links import WikiLinks, links_of
from app.settings import Settings
from app.settings_fields import WikiSettings
from schemas.dead_letter import dead_letter
from schemas.errors import EventUndecodable
from schemas.keys import DEAD_LETTER_TOPIC, row_key
from schemas.prediction import PredictionRow, Withdrawal
from tables.codec import encode_row
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, MemoryLog
from tests.scorers import ReversedDigits
from tests.served import Served, served
from tests.shown_wiki import HOSTILE, shown_catalogue, shown_row

LINKS = WikiLinks({"enwiki": "https://en.example.org/w/index.php"})
ROWS = [shown_row(number) for number in range(12)]
LAST = ROWS[-1]
BROWSER = {"accept": "text/html"}
TWINS = {
    "/": "/openapi.json",
    "/live?wiki=enwiki&model=damaging&at_least=0.5": "/feed?wiki=enwiki&bots=all&score=damaging%3E%3D0.5",
    f"/revision/enwiki/{LAST.rev_id}": f"/scores/enwiki/{LAST.rev_id}?provenance=1",
    "/page/enwiki/1": "/pages/enwiki/1/history?limit=100",
    "/ui/models": "/models",
    "/ui/models/enwiki/damaging": "/models/enwiki/damaging",
    "/status": "/status.json",
    "/docs": "/openapi.json",
}


class Attributes(HTMLParser):
    """The names of all attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {name for name, _ in attrs}


async def never() -> Message:
    raise AssertionError("nothing is read of a request")


async def until_gone(server: Served, path: str) -> str:
    """Wait until a page answers 410, and return it."""
    async with asyncio.timeout(10):
        while True:
            status, body, _ = await server.ask(path, headers=BROWSER)
            if status == 410:
                return str(body.decode())
            await asyncio.sleep(0.02)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(
        tmp_path, shown_catalogue(), ROWS, on_demand=ReversedDigits(), wiki_links=LINKS
    ) as running:
        yield running


async def text_of(server: Served, path: str, status: int = 200) -> str:
    got, body, response = await server.ask(path, headers=BROWSER)
    assert (got, response.content_type) == (status, "text/html"), path
    return str(body.decode())


@pytest.mark.parametrize("path", TWINS)
async def test_each_page_leads_to_all_others_and_to_its_twin_for_programs(server: Served, path: str) -> None:
    shown = await text_of(server, path)
    for other in ("/", "/live", "/ui/models", "/status", "/docs"):
        assert f'href="{other}"' in shown
    twin = re.search(r'<link rel="alternate" type="([^"]+)" href="([^"]+)">', shown)
    assert twin is not None
    address = twin[2].replace("&amp;", "&")
    assert address == TWINS[path]
    async with server.session.get(server.url + address) as response:
        assert (response.status, response.content_type) == (200, twin[1])


@pytest.mark.parametrize("path", TWINS)
async def test_a_page_runs_its_own_script_alone_and_loads_nothing(server: Served, path: str) -> None:
    shown = await text_of(server, path)
    _, _, response = await server.ask(path, headers=BROWSER)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert ("<script" in shown) == ("script-src 'sha256-" in policy) == path.startswith(("/live", "/status"))
    attributes = Attributes(shown).names
    assert attributes
    assert not [name for name in attributes if name == "style" or name.startswith(("on", "src"))]


async def test_a_page_goes_out_in_two_pieces_of_which_the_first_can_be_painted() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    response = page("Oaks", element("p", "Acorns"))
    await response({"type": "http"}, never, send)
    start, first, rest = sent
    assert start["status"] == 200
    assert first["more_body"]
    assert first["body"].endswith(b"<h1>Oaks</h1>")
    assert b"<style>" in first["body"]
    assert not rest.get("more_body")
    assert first["body"] + rest["body"] == response.body
    assert dict(start["headers"])[b"content-length"] == str(len(response.body)).encode()


async def test_the_first_piece_of_a_packed_page_can_be_unpacked_alone() -> None:
    request = Request({"type": "http", "headers": [(b"accept-encoding", b"gzip")]})
    response = await view(request)
    assert isinstance(response, PageResponse)
    first, rest = response.pieces()
    assert zlib.decompressobj(31).decompress(first).endswith(b"<h1>API</h1>")
    assert gzip.decompress(first + rest) == gzip.decompress(response.body)


async def test_what_comes_from_outside_is_shown_and_never_obeyed(server: Served) -> None:
    for path in (
        "/live",
        f"/revision/enwiki/{ROWS[7].rev_id}",
        f"/revision/enwiki/{LAST.rev_id}",
        "/ui/models/enwiki/damaging",
        "/ui/models/enwiki/articlequality",
        f"/live?wiki={HOSTILE}",
        f"/ui/models/enwiki/damaging?label={HOSTILE}",
        f"/page/enwiki/1?show={HOSTILE}",
        f"/revision/enwiki/{LAST.rev_id}?features={HOSTILE}",
        f"/look-up?wiki=enwiki&revision={HOSTILE}",
    ):
        _, body, _ = await server.ask(path, headers=BROWSER)
        assert "<img" not in body.decode(), path


async def test_a_revision_shows_every_probability_and_where_it_came_from(server: Served) -> None:
    shown = await text_of(server, f"/revision/enwiki/{LAST.rev_id}")
    for text in (
        "articlequality",
        "damaging",
        "goodfaith",
        "0.070",
        "0.930",
        "mediawiki.page_change.v1",
        "3 / 77",
    ):
        assert text in shown
    assert f'href="https://en.example.org/w/index.php?diff={LAST.rev_id}"' in shown
    assert 'href="/page/enwiki/4"' in shown


async def test_features_are_computed_only_where_a_button_asks_for_them(tmp_path: Path) -> None:
    scorer = ReversedDigits()
    async with served(tmp_path, shown_catalogue(), ROWS, on_demand=scorer) as server:
        path = f"/revision/enwiki/{LAST.rev_id}"
        plain = await text_of(server, path)
        assert scorer.asked == []
        assert '<button type="submit" name="features" value="damaging">' in plain
        shown = await text_of(server, f"{path}?features=damaging")
        assert scorer.asked == [("enwiki", LAST.rev_id, ("damaging",))]
        assert "revision.reversed_last_two_in_rev_id" in shown


async def test_a_process_that_cannot_score_offers_no_features(tmp_path: Path) -> None:
    async with served(tmp_path, shown_catalogue(), ROWS) as server:
        assert 'name="features"' not in await text_of(server, f"/revision/enwiki/{LAST.rev_id}")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/revision/enwiki/5", 404, "No score is stored"),
        ("/revision/xwiki/5", 404, "No model is configured"),
        ("/revision/enwiki/x", 400, "no id"),
        ("/page/enwiki/999", 404, "No score is stored"),
        ("/page/enwiki/1?cursor=x", 400, "cursor"),
        ("/ui/models/enwiki/nothing", 404, "No model"),
        ("/ui/models/xwiki/damaging", 404, "No model is configured"),
        ("/ui/models/enwiki/damaging?bound=beauty", 400, "must be one of"),
        ("/ui/models/enwiki/damaging?limit=2", 400, "from 0 to 1"),
        ("/live?at_least=x", 400, "from 0 to 1"),
        ("/live?wiki=xwiki", 404, "No model is configured"),
        ("/live?namespace=x", 400, "namespace"),
        ("/look-up?wiki=enwiki&revision=x", 400, "no id"),
        ("/look-up", 400, "Name a wiki"),
    ],
)
async def test_what_cannot_be_shown_is_told_in_words(
    server: Served, path: str, status: int, words: str
) -> None:
    shown = await text_of(server, path, status)
    assert words in shown
    assert 'role="alert"' in shown
    assert 'href="/live"' in shown


async def test_the_forms_of_the_start_page_lead_to_revisions_and_pages(server: Served) -> None:
    for query, path in (("revision=5", "/revision/enwiki/5"), ("page=+7", "/page/enwiki/7")):
        async with server.session.get(
            f"{server.url}/look-up?wiki=enwiki&{query}", allow_redirects=False
        ) as response:
            assert (response.status, response.headers["location"]) == (303, path)


async def test_programs_find_at_the_root_what_they_found_before(server: Served) -> None:
    for accept in ("*/*", "application/json"):
        status, body, _ = await server.ask("/", headers={"accept": accept})
        assert (status, body["name"]) == (200, "revstream")


# Withdrawal


def withdrawn(row: PredictionRow, *, erased: bool = False) -> PredictionRow:
    later = row.rev_dt + timedelta(days=1)
    return replace(
        row,
        scores=() if erased else row.scores,
        withdrawal=Withdrawal(True, later, 9, erased_dt=later if erased else None),
    )


@pytest.mark.parametrize("erased", [False, True], ids=["hidden", "suppressed"])
async def test_a_withdrawn_revision_leaves_no_trace_on_any_page(tmp_path: Path, *, erased: bool) -> None:
    log = MemoryLog()
    async with served(tmp_path, shown_catalogue(), ROWS, log=log, wiki_links=LINKS) as server:
        assert f"/revision/enwiki/{LAST.rev_id}" in await text_of(server, "/live")
        key = row_key("enwiki", LAST.rev_id)
        log.append(REVISIONS_TOPIC, key, encode_row(withdrawn(LAST, erased=erased)))
        log.append(
            PAGES_TOPIC, row_key("enwiki", LAST.page_id), encode_row(replace(ROWS[7], withdrawal=None))
        )
        shown = await until_gone(server, f"/revision/enwiki/{LAST.rev_id}")
        assert "Withdrawn" in shown
        for leftover in ("0.070", "0.930", "damaging", "mediawiki.page_change", "<dl", "<table", "diff="):
            assert leftover not in shown
        for path in ("/live", "/live?wiki=enwiki", f"/page/enwiki/{LAST.page_id}", "/status", "/status.json"):
            _, told, _ = await server.ask(path, headers=BROWSER)
            assert str(LAST.rev_id) not in (told.decode() if isinstance(told, bytes) else str(told)), path


async def test_a_withdrawn_page_says_so_and_takes_its_revisions_along(tmp_path: Path) -> None:
    log = MemoryLog()
    async with served(tmp_path, shown_catalogue(), ROWS, log=log) as server:
        log.append(PAGES_TOPIC, row_key("enwiki", LAST.page_id), encode_row(withdrawn(LAST)))
        assert "<svg" not in await until_gone(server, f"/page/enwiki/{LAST.page_id}")
        live = await text_of(server, "/live")
        assert not [row for row in ROWS if row.page_id == LAST.page_id and f"/{row.rev_id}" in live]
        assert [row for row in ROWS if row.page_id != LAST.page_id and f"/{row.rev_id}" in live]


# Live


async def revisions_live(server: Served, query: str) -> list[int]:
    shown = await text_of(server, f"/live?{query}")
    return [int(number) for number in re.findall(r'<tr data-key="enwiki/(\d+)"', shown)]


async def test_the_form_of_the_live_page_filters_without_scripts(server: Served) -> None:
    def of(rows: Sequence[PredictionRow]) -> list[int]:
        return [row.rev_id for row in reversed(rows)]

    def damage(row: PredictionRow) -> float:
        return float(row.scores[1].outcome.probability["true"])  # type: ignore[union-attr]  # no failure here

    assert await revisions_live(server, "") == of(ROWS)
    assert await revisions_live(server, "model=damaging&at_least=0.5") == of(
        [r for r in ROWS if damage(r) >= 0.5]
    )
    assert await revisions_live(server, "wiki=enwiki&namespace=1") == of(ROWS[1::3])
    assert await revisions_live(server, "bots=only") == of(ROWS[0::5])
    assert await revisions_live(server, "wiki=dewiki") == []
    assert 'id="nothing" class="quiet">' in await text_of(server, "/live?wiki=dewiki")


async def test_the_live_page_says_so_while_the_tables_are_not_complete(tmp_path: Path) -> None:
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path, shown_catalogue(), log=log) as server:
        assert "not complete" in await text_of(server, "/live", 503)
        assert "Not ready" in await text_of(server, "/status")


# Models


async def test_the_threshold_picker_finds_what_the_formula_finds(server: Served) -> None:
    formula = "maximum filter_rate @ recall >= 0.75"
    _, body, _ = await server.ask(f"/models/enwiki/damaging/thresholds?label=true&formula={formula}")
    best = body["thresholds"]["true"]
    shown = await text_of(server, "/ui/models/enwiki/damaging?bound=recall&limit=0.75&target=filter_rate")
    assert f"<b>{best['threshold']:.4g}</b>threshold" in shown
    assert f"<b>{best['filter_rate']:.3f}</b>filter rate" in shown
    assert f"<b>{best['precision']:.3f}</b>precision" in shown
    assert formula.replace(">", "&gt;") in shown
    assert shown.count('class="mark"') == 2


async def test_what_no_threshold_reaches_is_said(server: Served) -> None:
    shown = await text_of(server, "/ui/models/enwiki/damaging?bound=match_rate&limit=0&target=recall")
    assert "No threshold reaches that" in shown


async def test_a_model_shows_card_version_stage_and_hash(server: Served) -> None:
    shown = await text_of(server, "/ui/models/enwiki/damaging")
    for text in ("Tells edits that do damage.", "production", "ab" * 64, "GradientBoosting"):
        assert text in shown
    other = await text_of(server, "/ui/models/enwiki/damaging@0.9.0")
    assert "answers when asked for by version" in other
    assert "no curves" in other


# Status


async def test_a_replica_says_what_it_does_not_know(server: Served) -> None:
    _, told, _ = await server.ask("/status.json")
    assert (told["process"], told["is_ready"]) == ("replica", True)
    assert told["unknown"] == ["stream", "scoring", "on_demand", "dead_letters"]
    assert told["wikis"]["enwiki"]["newest"]["rev_id"] == LAST.rev_id
    assert told["tables"]["tables"]["revisions"]["records_applied"] == len(ROWS)
    assert told["tables"]["tables"]["revisions"]["disk_bytes"] is None
    shown = await text_of(server, "/status")
    assert shown.count("This process does not know.") == 4


async def test_the_dead_letters_are_told_without_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    log = Log(path)
    letters = LoggedDeadLetters(path)
    assert await letters.newest() == []
    log.create_topic(DEAD_LETTER_TOPIC, 1)
    for number in range(5):
        letter = dead_letter(
            EventUndecodable(f"broken {HOSTILE}"),
            b'{"page_title": "Secret"}',
            source_topic="mediawiki.page_change.v1",
            source_partition=0,
            source_offset=number,
            emitter_id="test",
            dt=datetime(2026, 11, 1, 12, number, tzinfo=UTC),
        )
        log.transact([NewRecord(DEAD_LETTER_TOPIC, 0, number, letter.key, letter.value)])
    assert [one.source_offset for one in await letters.newest()] == [4, 3, 2]
    async with served(tmp_path, shown_catalogue(), dead_letters=letters) as server:
        shown = await text_of(server, "/status")
        _, told, _ = await server.ask("/status.json")
    log.close()
    assert "broken &lt;img" in shown
    assert "Secret" not in shown
    assert [set(one) for one in told["dead_letters"]] == [
        {"code", "message", "source_topic", "source_partition", "source_offset", "dt"}
    ] * 3


async def test_a_process_without_its_log_knows_no_dead_letters(tmp_path: Path) -> None:
    absent = LoggedDeadLetters(tmp_path / "absent.sqlite")
    async with served(tmp_path, shown_catalogue(), dead_letters=absent) as server:
        _, told, _ = await server.ask("/status.json")
    assert told["dead_letters"] is None


def test_rates_are_of_what_came_since_the_looks_before() -> None:
    times = iter([0.0, 0.5, 10.0, 80.0, 90.0])
    rates = Rates(lambda: next(times))
    assert rates.look({"events": 5})["events_per_second"] is None
    assert rates.look({"events": 9})["events_per_second"] is None
    assert rates.look({"events": 25}) == {"over_seconds": 10.0, "events_per_second": 2.0}
    assert rates.look({"events": 95}) == {"over_seconds": 70.0, "events_per_second": 1.0}
    assert rates.look({"events": 125}) == {"over_seconds": 80.0, "events_per_second": 1.25}


def test_links_lead_to_wikis_whose_host_is_known() -> None:
    wikis = {"enwiki": WikiSettings({}, "en.wikipedia.org"), "xwiki": WikiSettings({})}
    links = links_of(Settings(wikis=wikis))
    assert links.diff("enwiki", 5) == "https://en.wikipedia.org/w/index.php?diff=5"
    assert links.page("enwiki", 7) == "https://en.wikipedia.org/w/index.php?curid=7"
    assert links.diff("xwiki", 5) is None
    assert links_of(Settings(wikis=wikis, mediawiki_url="https://{domain}/rest.php")).indexes == {}
