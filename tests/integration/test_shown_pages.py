"""Our pages as people see them, in a real browser."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import ViewportSize

from tests.browser import DESK, PHONE, chromium, shown
from tests.rows import binary, catalogue, row, stored
from tests.served import served

WIKIS = catalogue({"enwiki": ("damaging",)})
ROWS = [row(stored("damaging", binary(0.25)), rev_id=12345)]
PAGES = {"/docs": "API", "/ui/?wiki=enwiki&revids=12345&go=1": "Score revisions"}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_anybody_can_read_our_pages_which_ask_no_other_host(
    tmp_path: Path, theme: Literal["light", "dark"], size: ViewportSize
) -> None:
    async with served(tmp_path, WIKIS, ROWS) as server, chromium() as browser:
        for path, title in PAGES.items():
            async with shown(browser, f"{server.url}{path}", theme=theme, size=size) as seen:
                assert title in await seen.page.title()
                assert await seen.barriers() == []
                assert seen.errors == []
                assert seen.hosts == {server.url}
                width = await seen.page.evaluate("document.documentElement.scrollWidth")
                assert width <= size["width"]
