"""ORES's pages for people: what they show, and that they work by keyboard, without scripts or other hosts."""

import struct
import zlib
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path

import pytest

from schemas.prediction import ScoreFailure
from tests.rows import binary, catalogue, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith"), "arwiki": ("damaging",)})
ROWS = [
    row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)), rev_id=12345),
    row(
        stored("damaging", ScoreFailure("revision_deleted", "The text is hidden.")),
        stored("goodfaith", binary(0.75)),
        rev_id=12346,
    ),
]
PAGES = ["/", "/ui/", "/ui/?wiki=enwiki&revids=12345&go=1", "/v1/", "/v3/", "/versions/"]
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EMPTY = {"meta", "link", "input"}


class Page(HTMLParser):
    """A page as the elements and texts that it has. Refuses what is not closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.elements if each == tag]

    def text(self, tag: str) -> list[str]:
        return [text for each, text in self.texts if each == tag]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits()) as running:
        yield running


async def page(server: Served, path: str, status: int = 200) -> Page:
    got, body, response = await server.ask(path, headers=BROWSER)
    assert got == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Page(body.decode())


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_and_runs_nothing(server: Served, path: str) -> None:
    shown = await page(server, path)
    assert not shown.all("script")
    for tag, attributes in shown.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        for name in ("href", "src", "action"):
            target = attributes.get(name)
            assert target is None or target.startswith("/")
            assert target is None or not target.startswith("//")
    _, _, response = await server.ask(path, headers=BROWSER)
    rules = response.headers["content-security-policy"]
    assert rules.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in rules
    assert "http" not in rules
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_tells_its_parts_to_those_who_do_not_see_it(server: Served, path: str) -> None:
    shown = await page(server, path)
    assert shown.all("html") == [{"lang": "en"}]
    assert [len(shown.all(tag)) for tag in ("title", "h1", "main", "nav")] == [1, 1, 1, 1]
    labelled = {attributes["for"] for attributes in shown.all("label") if "for" in attributes}
    ids = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert labelled <= set(ids)
    for field in shown.all("select") + [each for each in shown.all("input") if each["type"] == "text"]:
        assert field["id"] in labelled
    for described in shown.all("input"):
        assert described.get("aria-describedby", ids[0] if ids else None) in [*ids, None]
    for head in shown.all("th"):
        assert head["scope"] in {"col", "row"}
    assert not [attributes for _, attributes in shown.elements if int(attributes.get("tabindex") or 0) > 0]


@pytest.mark.parametrize("path", PAGES)
async def test_links_lead_somewhere(server: Served, path: str) -> None:
    for link in (await page(server, path)).all("a"):
        assert (await server.ask(str(link["href"])))[0] == 200


async def test_the_form_offers_wikis_and_the_models_of_the_chosen_one(server: Served) -> None:
    shown = await page(server, "/ui/?wiki=enwiki&models=goodfaith&revids=12345")
    options = shown.all("option")
    assert [each["value"] for each in options] == ["arwiki", "enwiki"]
    assert [each["value"] for each in options if "selected" in each] == ["enwiki"]
    boxes = [each for each in shown.all("input") if each["type"] == "checkbox"]
    assert [(each["value"], "checked" in each) for each in boxes] == [
        ("damaging", False),
        ("goodfaith", True),
    ]
    (field,) = (each for each in shown.all("input") if each.get("id") == "revids")
    assert field["value"] == "12345"
    assert not shown.all("table")


async def test_each_form_has_one_button_so_that_the_return_key_presses_it(server: Served) -> None:
    shown = await page(server, "/ui/")
    tags = [tag for tag, _ in shown.elements if tag in {"form", "button"}]
    assert tags == ["form", "button", "form", "button"]


@pytest.mark.parametrize(
    "query",
    [
        "wiki=enwiki&models=damaging|goodfaith&revids=12345|12346&go=1",
        "wiki=enwiki&models=damaging&models=goodfaith&revids=12345,12346&go",
        "wiki=enwiki&revids=12345,+12346&go=1",
    ],
)
async def test_the_form_shows_scores_and_where_programs_find_them(server: Served, query: str) -> None:
    shown = await page(server, f"/ui/?{query}")
    assert shown.text("th")[4:] == ["12345", "12345", "12346", "12346"]
    assert shown.text("td") == [
        *("damaging", "false", "false 0.750, true 0.250"),
        *("goodfaith", "true", "true 0.750, false 0.250"),
        *("damaging", "none", "TextDeleted: Text deleted (datasource.revision.text)"),
        *("goodfaith", "true", "true 0.750, false 0.250"),
    ]
    (link,) = (str(each["href"]) for each in shown.all("a") if str(each["href"]).startswith("/v3/scores/"))
    _, body, _ = await server.ask(link)
    assert body["enwiki"]["scores"].keys() == {"12345", "12346"}


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("wiki=nowiki&revids=1", 404, "No scorers available for nowiki"),
        ("wiki=enwiki&models=nosuch&revids=1", 404, "Models ('nosuch',) not available for enwiki"),
        ("wiki=enwiki&revids=", 400, "Give between 1 and 50 revision ids, with commas between them."),
        (
            "wiki=enwiki&revids=" + ",".join(map(str, range(51))),
            400,
            "Give between 1 and 50 revision ids, with commas between them.",
        ),
        ("wiki=enwiki&revids=1,x", 400, "'x' is no revision id: give whole numbers."),
        ("wiki=enwiki&revids=503", 503, "Too much is waiting to be scored; try again."),
    ],
)
async def test_the_form_says_what_is_wrong(server: Served, query: str, status: int, text: str) -> None:
    shown = await page(server, f"/ui/?{query}&go=1", status)
    (alert,) = (attributes for _, attributes in shown.elements if attributes.get("role") == "alert")
    assert alert == {"role": "alert"}
    assert text in shown.text("p")


@pytest.mark.parametrize("name", ["wiki", "models", "revids"])
async def test_what_is_typed_stays_text(server: Served, name: str) -> None:
    nasty = '"><script>alert(1)</script>&amp;'
    _, body, _ = await server.ask("/ui/", params={"wiki": "enwiki", "go": "1", name: nasty})
    shown = Page(body.decode())
    assert not shown.all("script")
    if name == "revids":
        (field,) = (each for each in shown.all("input") if each.get("id") == "revids")
        assert field["value"] == nasty


async def test_the_form_works_where_there_are_no_models(tmp_path: Path) -> None:
    async with served(tmp_path, catalogue({})) as running:
        shown = await page(running, "/ui/?revids=1&go=1", 404)
        assert "No scorers available for " in shown.text("p")


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_version_is_described_to_people_and_to_programs(server: Served, number: int) -> None:
    shown = await page(server, f"/v{number}/")
    _, spec, _ = await server.ask(f"/v{number}/spec/")
    assert shown.text("h1") == [spec["info"]["title"]]
    routes = {text.split()[1] for text in shown.text("th") if text.startswith(("GET", "POST"))}
    assert routes == set(spec["paths"])
    for query in ("spec", "spec=1"):
        status, body, response = await server.ask(f"/v{number}/?{query}", headers=BROWSER)
        assert (status, body) == (200, spec)
        assert response.content_type == "application/json"


async def test_the_versions_of_what_scores_are_told(server: Served) -> None:
    shown = await page(server, "/versions/")
    told = dict(zip(shown.text("th")[2:], shown.text("td"), strict=True))
    assert told["revstream"] == version("revstream")
    assert told["revscoring"] == version("revscoring")
    _, body, _ = await server.ask("/versions/?format=json")
    assert body == told


async def test_programs_get_the_list_of_routes_where_browsers_get_a_page(server: Served) -> None:
    assert (await server.ask("/"))[2].content_type == "application/json"
    assert (await page(server, "/")).text("h1") == ["revstream"]


async def test_the_sign_is_a_picture(server: Served) -> None:
    status, body, response = await server.ask("/favicon.ico")
    assert (status, response.content_type) == (200, "image/vnd.microsoft.icon")
    length, place = struct.unpack("<II", body[14:22])
    picture = body[place : place + length]
    assert len(body) == place + length
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, colours = struct.unpack(">IIBB", picture[16:26])
    assert (width, height, depth, colours) == (16, 16, 8, 6)
    size = struct.unpack(">I", picture[33:37])[0]
    pixels = zlib.decompress(picture[41 : 41 + size])
    assert len(pixels) == 16 * (1 + 16 * 4)
    # The last row has the feet of all three bars, the first nothing but clear air.
    assert sum(pixels[-64 + 3 :: 4]) == 12 * 255
    assert sum(pixels[1:65]) < sum(pixels[-64:])


async def test_an_unknown_page_is_not_found(server: Served) -> None:
    assert (await server.ask("/404/"))[0] == 404
