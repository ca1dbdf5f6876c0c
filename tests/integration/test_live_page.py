"""The live page in a real browser, over a real feed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import Page, expect

from app.pages.wiki_links import WikiLinks
from schemas.keys import row_key
from schemas.prediction import PredictionRow, Withdrawal
from tables.codec import encode_row
from tests.browser import Shown, chromium, shown
from tests.cut_line import Line, line_to
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, MemoryLog
from tests.served import fill, served
from tests.shown_wiki import HOSTILE, shown_catalogue, shown_row

LINKS = WikiLinks({"enwiki": "https://en.example.org/w/index.php"})
ROWS = [shown_row(number) for number in range(8)]
CONNECTED = "Connected: changes appear as they are scored."


class Live:
    """A live page, with the log behind its server."""

    def __init__(self, seen: Shown, log: MemoryLog, line: Line) -> None:
        self.seen = seen
        self.line = line
        self.page: Page = seen.page
        self._log = log

    def tell(self, *rows: PredictionRow) -> None:
        """Write rows as a worker does."""
        fill(self._log, rows)

    def withdraw(self, row: PredictionRow, *, page: bool = False) -> None:
        """Write that a revision or its page is suppressed."""
        gone = replace(row, scores=(), withdrawal=Withdrawal(True, row.rev_dt, 9, erased_dt=row.rev_dt))
        topic, number = (PAGES_TOPIC, row.page_id) if page else (REVISIONS_TOPIC, row.rev_id)
        self._log.append(topic, row_key(row.wiki_id, number), encode_row(gone))

    async def shows(self, *rows: PredictionRow) -> None:
        """Wait until exactly these revisions are shown, in that order."""
        texts = [str(row.rev_id) for row in rows]
        await expect(self.page.locator("#changes tbody th")).to_have_text(texts)

    async def says(self, text: str) -> None:
        """Wait until the state is told so."""
        await expect(self.page.locator("#state")).to_have_text(text)


@asynccontextmanager
async def live(tmp_path: Path, query: str = "", *, scripts: bool = True) -> AsyncIterator[Live]:
    log = MemoryLog()
    async with (
        served(tmp_path, shown_catalogue(), ROWS, log=log, wiki_links=LINKS) as server,
        line_to(server.url) as line,
        chromium() as browser,
        shown(browser, f"{line.url}/live{query}", scripts=scripts) as seen,
    ):
        page = Live(seen, log, line)
        if scripts:
            await page.says(CONNECTED)
        yield page
        assert seen.hosts == {line.url}


NEWEST = ROWS[::-1]
NEXT, OTHER, THIRD = shown_row(20), shown_row(21), shown_row(22)


async def test_what_is_scored_appears_on_top_as_the_server_would_show_it(tmp_path: Path) -> None:
    async with live(tmp_path) as page:
        page.tell(NEXT, shown_row(21))
        await page.shows(OTHER, NEXT, *NEWEST)
        rows = page.page.locator("#changes tbody tr")
        drawn = [await rows.nth(number).inner_html() for number in (0, 1)]
        await page.page.reload()
        await page.shows(OTHER, NEXT, *NEWEST)
        assert [await rows.nth(number).inner_html() for number in (0, 1)] == drawn
        diff = rows.nth(1).get_by_role("link", name="diff")
        assert await diff.get_attribute("href") == f"https://en.example.org/w/index.php?diff={NEXT.rev_id}"
        assert page.seen.errors == []


async def test_what_comes_from_outside_is_text_on_the_live_page(tmp_path: Path) -> None:
    async with live(tmp_path) as page:
        likely = {HOSTILE: 0.9, "FA": 0.1}
        quality = NEXT.scores[0]
        hostile = replace(
            quality, outcome=replace(quality.outcome, prediction=(HOSTILE,), probability=likely)
        )
        page.tell(replace(NEXT, scores=(hostile, *NEXT.scores[1:])))
        await page.shows(NEXT, *NEWEST)
        assert HOSTILE in await page.page.inner_text("#changes tbody tr >> nth=0")
        assert await page.page.locator("#changes img").count() == 0


async def test_the_form_decides_what_is_shown_and_what_comes(tmp_path: Path) -> None:
    def damage(row: PredictionRow) -> float:
        return float(row.scores[1].outcome.probability["true"])  # type: ignore[union-attr]  # no failure here

    async with live(tmp_path) as page:
        await page.page.locator("#model").select_option("damaging")
        slider = page.page.locator("#at_least")
        await slider.focus()
        for _ in range(5):
            await page.page.keyboard.press("PageUp")
        await expect(page.page.locator("output")).to_have_text("0.50")
        high = [row for row in NEWEST if damage(row) >= 0.5]
        await page.shows(*high)
        assert "at_least=0.5" in page.page.url
        await page.says(CONNECTED)
        after = [shown_row(number) for number in range(20, 26)]
        page.tell(*after)
        await page.shows(*(row for row in reversed(after) if damage(row) >= 0.5), *high)
        await page.page.locator("#wiki").select_option("dewiki")
        await page.shows()
        await expect(page.page.locator("#nothing")).to_be_visible()
        # A model that the wiki does not have is offered no more.
        assert await page.page.locator("#model option").all_inner_texts() == ["any", "damaging"]
        assert page.seen.errors == []


async def test_a_paused_page_stands_still_and_catches_up(tmp_path: Path) -> None:
    async with live(tmp_path) as page:
        pause = page.page.locator("#pause")
        await pause.click()
        page.tell(NEXT, OTHER)
        await expect(pause).to_have_text("Resume (2 held back)")
        await page.shows(*NEWEST)
        await pause.click()
        await page.shows(OTHER, NEXT, *NEWEST)
        await expect(pause).to_have_text("Pause")


async def test_rows_do_not_move_below_the_pointer_or_away_from_the_keyboard(tmp_path: Path) -> None:
    async with live(tmp_path) as page:
        await page.page.locator("#changes tbody tr >> nth=2").hover()
        page.tell(NEXT)
        await expect(page.page.locator("#pause")).to_have_text("Pause (1 held back)")
        await page.page.mouse.move(1, 1)
        await page.shows(NEXT, *NEWEST)
        await page.page.locator("#changes tbody a >> nth=0").focus()
        page.tell(OTHER)
        await expect(page.page.locator("#pause")).to_have_text("Pause (1 held back)")
        await page.page.locator("#pause").focus()
        await page.shows(OTHER, NEXT, *NEWEST)


async def test_what_is_withdrawn_goes_at_once_even_where_the_page_is_paused(tmp_path: Path) -> None:
    async with live(tmp_path) as page:
        await page.page.locator("#pause").click()
        page.tell(NEXT, OTHER, THIRD)
        await expect(page.page.locator("#pause")).to_have_text("Resume (3 held back)")
        page.withdraw(OTHER)
        page.withdraw(ROWS[7])
        await page.shows(*NEWEST[1:])
        await expect(page.page.locator("#pause")).to_have_text("Resume (2 held back)")
        page.withdraw(NEXT, page=True)
        await page.shows(*(row for row in NEWEST[1:] if row.page_id != NEXT.page_id))
        await page.page.locator("#pause").click()
        await page.shows(THIRD, *(row for row in NEWEST[1:] if row.page_id != NEXT.page_id))
        assert str(OTHER.rev_id) not in await page.page.content()


async def test_no_more_rows_are_kept_than_a_page_can_bear(tmp_path: Path) -> None:
    async with live(tmp_path) as page:
        many = [shown_row(100 + number) for number in range(230)]
        page.tell(*many)
        await page.shows(*many[:-201:-1])


async def test_without_scripts_the_newest_are_a_table_and_the_form_works(tmp_path: Path) -> None:
    async with live(tmp_path, scripts=False) as page:
        await page.shows(*NEWEST)
        await expect(page.page.locator("#pause")).to_be_hidden()
        await page.page.locator("#bots").select_option("only")
        await page.page.get_by_role("button", name="Show").click()
        await page.shows(*(row for row in NEWEST if row.scores[0].provenance.is_bot))
        assert "load the page anew" in await page.page.inner_text("#state")


@pytest.mark.parametrize("is_busy", [False, True], ids=["nobody answers", "another answers that it is busy"])
async def test_a_page_that_was_cut_off_says_so_and_misses_nothing(tmp_path: Path, *, is_busy: bool) -> None:
    async with live(tmp_path) as page:
        page.tell(NEXT)
        await page.shows(NEXT, *NEWEST)
        if is_busy:
            page.line.is_busy = True
            page.line.drop()
        else:
            await page.line.cut()
        await page.says("Disconnected: what is shown may be old. Trying again.")
        page.tell(OTHER)
        page.withdraw(ROWS[7])
        if is_busy:
            page.line.is_busy = False
        else:
            await page.line.join()
        await page.says(CONNECTED)
        await page.shows(OTHER, NEXT, *NEWEST[1:])


async def test_a_form_that_cannot_be_asked_for_says_so_and_is_asked_again(tmp_path: Path) -> None:
    async with live(tmp_path) as page:
        await page.line.cut()
        await page.page.locator("#bots").select_option("only")
        await page.says("Disconnected: what is shown does not follow the form. Trying again.")
        await page.line.join()
        await page.shows(*(row for row in NEWEST if row.scores[0].provenance.is_bot))
        await page.says(CONNECTED)
