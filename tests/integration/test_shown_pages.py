"""Our pages as people see them, in a real browser."""

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from playwright.async_api import Browser, Page, ViewportSize

from tests.browser import DESK, PHONE, chromium, shown
from tests.scorers import ReversedDigits
from tests.served import Served, served
from tests.shown_wiki import shown_catalogue, shown_row

ROWS = [shown_row(number) for number in range(8)]
LAST = ROWS[-1].rev_id
PAGES = {
    "/": "revstream",
    "/docs": "API",
    f"/ui/?wiki=enwiki&revids={LAST}&go=1": "Score revisions",
    "/live": "Live",
    f"/revision/enwiki/{LAST}": f"Revision {LAST} of enwiki",
    f"/revision/enwiki/{LAST}?features=damaging": f"Revision {LAST} of enwiki",
    "/page/enwiki/1": "Page 1 of enwiki",
    "/ui/models": "Models",
    "/ui/models/enwiki/damaging": "damaging of enwiki",
    "/status": "Status",
}
Theme = Literal["light", "dark"]
GROUNDS: dict[Theme, tuple[int, int, int]] = {"light": (251, 251, 252), "dark": (22, 22, 26)}
# The parts of a page in the order of its source that a keyboard is to reach.
REACHABLE = """() => [...document.querySelectorAll(
    "a[href]:not([tabindex='-1']), button, input, select, summary, [tabindex='0']"
)].filter((one) => one.checkVisibility() && !one.disabled)"""
FOCUSED = f"""() => {{
    const style = getComputedStyle(document.activeElement);
    const number = ({REACHABLE})().indexOf(document.activeElement);
    return [number, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}}"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, shown_catalogue(), ROWS, on_demand=ReversedDigits()) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


def colours(picture: bytes) -> tuple[tuple[int, int, int], int]:
    """Return the commonest colour of a screenshot, and how many there are."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    found = image.getcolors(image.width * image.height)
    assert found is not None
    commonest = max(found, key=lambda pair: pair[0])[1]
    assert isinstance(commonest, tuple)
    return (commonest[0], commonest[1], commonest[2]), len(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_anybody_can_read_our_pages_which_ask_no_other_host(
    server: Served, browser: Browser, theme: Theme, size: ViewportSize
) -> None:
    for path, title in PAGES.items():
        async with shown(browser, f"{server.url}{path}", theme=theme, size=size) as seen:
            assert title in await seen.page.title()
            assert await seen.barriers() == [], path
            assert seen.errors == [], path
            assert seen.hosts == {server.url}
            width = await seen.page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], path
            ground, number = colours(await seen.page.screenshot())
            assert ground == GROUNDS[theme], path
            assert number > 20, path


async def test_a_keyboard_reaches_all_of_a_page_in_its_order_and_shows_where_it_is(
    server: Served, browser: Browser
) -> None:
    for path in PAGES:
        async with shown(browser, f"{server.url}{path}") as seen:
            number = await seen.page.evaluate(f"({REACHABLE})().length")
            assert number > 5
            # Of a long list the beginning tells.
            for expected in range(min(number, 40)):
                await seen.page.keyboard.press("Tab")
                assert await seen.page.evaluate(FOCUSED) == [expected, True], path


async def follow(page: Page, name: str) -> None:
    await page.get_by_role("link", name=name, exact=True).first.click()


async def test_a_patroller_walks_from_the_start_to_a_revision_its_page_and_its_model(
    server: Served, browser: Browser
) -> None:
    async with shown(browser, server.url) as seen:
        page = seen.page
        await page.locator("#revision").fill(str(LAST))
        await page.locator("#revision-wiki").select_option("enwiki")
        await page.get_by_role("button", name="Show the revision").click()
        assert await page.title() == f"Revision {LAST} of enwiki - revstream"
        await follow(page, "4")
        assert await page.title() == "Page 4 of enwiki - revstream"
        await page.locator("#show").select_option("goodfaith")
        await page.get_by_role("button", name="Draw").click()
        assert await page.get_by_text("Probability of goodfaith, by revision").is_visible()
        assert await page.locator("svg.chart circle").count() == len(ROWS) // 4
        await page.go_back()
        await page.go_back()
        await follow(page, "damaging")
        assert await page.title() == "damaging of enwiki - revstream"
        await page.locator("#limit").fill("0.75")
        await page.get_by_role("button", name="Find").click()
        assert "maximum recall @ precision >= 0.75" in await page.inner_text("main")
        assert seen.errors == []


async def test_a_page_that_says_no_is_a_page_as_well(server: Served, browser: Browser) -> None:
    async with shown(browser, f"{server.url}/revision/enwiki/5") as seen:
        assert "No score is stored" in await seen.page.inner_text("[role=alert]")
        assert await seen.barriers() == []


async def test_the_status_takes_its_numbers_anew(server: Served, browser: Browser) -> None:
    async with shown(browser, f"{server.url}/status") as seen:
        before = await seen.page.inner_text("main time >> nth=0")
        await seen.page.wait_for_function(
            "(before) => document.querySelector('main time').textContent !== before", arg=before
        )
        assert "Refreshed every 5 s" in await seen.page.inner_text("#state")
        assert seen.errors == []
