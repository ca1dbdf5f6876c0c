"""The pages of a worker that `revstream run` started, as its user sees them."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser import chromium, shown
from tests.programs import Program


@pytest.mark.slow
async def test_the_user_of_a_fresh_install_watches_the_sample_and_asks_why(tmp_path: Path) -> None:
    with Program(
        tmp_path, "run", "--http-port=0", "--pace-events-per-second=5", has_terminal=True
    ) as program:
        program.until_answered("/readyz")
        async with chromium() as browser:
            async with shown(browser, f"{program.address}/live?wiki=samplewiki") as seen:
                rows = seen.page.locator("#changes tbody tr")
                await expect(seen.page.locator("#state")).to_have_class("state on")
                count = await rows.count()
                # Scores appear by themselves.
                await expect(rows.nth(count + 4)).to_be_attached(timeout=60_000)
                assert await seen.barriers() == []
                await seen.page.locator("#pause").click()
                link = rows.nth(2).locator("th a")
                rev_id = await link.inner_text()
                await link.click()
                assert await seen.page.title() == f"Revision {rev_id} of samplewiki - revstream"
                await seen.page.get_by_role("button", name="reverted").click()
                features = seen.page.get_by_role("region", name="What spoke for true, and what against it")
                await expect(features).to_be_visible(timeout=60_000)
                assert await features.locator("tbody tr").count() > 5
                await seen.page.locator("dl a").first.click()
                assert await seen.page.locator("svg.chart circle").count() >= 1
                assert seen.errors == []
            async with shown(browser, f"{program.address}/ui/models/samplewiki/reverted") as seen:
                assert await seen.page.locator("svg.chart .mark").count() == 2
                assert seen.errors == []
            async with shown(browser, f"{program.address}/status") as seen:
                text = await seen.page.inner_text("main")
                assert "A worker" in text
                assert re.search(r"\d+\nscoring processes", text)
                assert "This process does not know." not in text
                assert await seen.barriers() == []
                assert seen.errors == []
