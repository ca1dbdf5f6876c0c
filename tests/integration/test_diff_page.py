"""The page of `snapshot diff` in a real browser."""

import io
from pathlib import Path
from typing import Literal

import matplotlib.image
import numpy as np
import pytest
from playwright.async_api import ViewportSize

from app.diff_report import PAGE, write_diff_report
from batch.snapshot_diff import diff_snapshots
from schemas.prediction import Outcome, Score, ScoreKind
from tests.browser import DESK, PHONE, chromium, shown
from tests.diff_snapshots import snapshot_of
from tests.rows import binary
from tests.snapshots import FAILURE, snapshot_row, write_snapshot

HOSTILE = "</title><script>document.title = 'owned'</script><img src=http://127.0.0.1:9/x>"
CLASSES = ("Stub", "Start", "C", "B", "GA", "FA")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on two models, with failures, flips, revisions on one side alone and a model that B lacks."""
    folder = tmp_path_factory.mktemp("diff")
    paths = []
    for name, seed in (("2026-10-01", 1), ("2026-11-01", 2)):
        random = np.random.default_rng(seed)
        rows = []
        for rev_id in range(seed, 400):
            damaging: Outcome = FAILURE if random.random() < 0.02 else binary(float(random.beta(1, 4)))
            shares = dict(zip(CLASSES, random.dirichlet(np.ones(6)).tolist(), strict=True))
            best = max(shares, key=shares.__getitem__)
            quality = Score(ScoreKind.MULTICLASS, (best,), shares)
            rows.append(snapshot_row(rev_id, damaging, page_id=rev_id // 20 + 1))
            rows.append(snapshot_row(rev_id, quality, page_id=rev_id // 20 + 1, model_name="articlequality"))
        rows += [snapshot_row(wiki_id="frwiki")] if seed == 1 else []
        paths.append(write_snapshot(folder, rows, name=name))
    write_diff_report(diff_snapshots(*paths), folder / "report")
    return folder / "report" / PAGE


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_the_page_is_readable_in_both_themes_on_a_desk_and_on_a_phone(
    report: Path, theme: Literal["light", "dark"], size: ViewportSize
) -> None:
    async with chromium() as browser, shown(browser, report.as_uri(), theme=theme, size=size) as seen:
        assert await seen.page.title() == "2026-10-01 and 2026-11-01 - revstream"
        assert await seen.barriers() == []
        assert seen.errors == []
        assert seen.hosts == {"file://"}
        # Wide tables scroll by themselves, the page does not.
        assert await seen.page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        charts = await seen.page.locator("svg.chart").all()
        assert len(charts) == len(CLASSES) + 1
        for chart in charts:
            box = await chart.bounding_box()
            assert box is not None
            assert 300 <= box["width"] <= size["width"]
        picture = matplotlib.image.imread(
            io.BytesIO(await seen.page.screenshot(full_page=True)), format="png"
        )
        brightness = float(np.median(picture[..., :3]))
        assert brightness > 0.9 if theme == "light" else brightness < 0.2
        # Both sides are drawn, each in a colour of its own that the ground does not have.
        drawn = await seen.page.evaluate(
            "[['.side-a', 'fill'], ['.side-b', 'stroke'], ['text', 'fill']].map(([name, what]) =>"
            " getComputedStyle(document.querySelector(`.chart ${name}`))[what])"
        )
        ground = await seen.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert len({*drawn, ground}) == 4


async def test_readers_of_screens_are_told_what_tables_and_charts_are(report: Path) -> None:
    async with chromium() as browser, shown(browser, report.as_uri()) as seen:
        for name in ("Models in both", "Models in one snapshot alone"):
            assert await seen.page.get_by_role("table", name=name).count() == 1
        assert await seen.page.get_by_role("table", name="Shift of probabilities").count() == 2
        for label in (*CLASSES, "true"):
            chart = seen.page.get_by_role("img", name=f"Probabilities of {label}", exact=True)
            assert await chart.count() == 1
        # What scrolls can be reached by keyboard.
        assert await seen.page.locator(".scroll:not([tabindex='0'])").count() == 0
        for link in await seen.page.locator("a").all():
            target = await link.get_attribute("href")
            assert await seen.page.locator(target or "none").count() == 1


async def test_names_are_text_whatever_they_hold(tmp_path: Path) -> None:
    score = Score(ScoreKind.MULTICLASS, (HOSTILE,), {HOSTILE: 0.75, "other": 0.25})
    other = Score(ScoreKind.MULTICLASS, ("other",), {HOSTILE: 0.25, "other": 0.75})
    paths = [
        snapshot_of(tmp_path, name, {1: outcome}, model_name=HOSTILE[:60], model_version=HOSTILE)
        for name, outcome in (("a", score), ("b", other))
    ]
    write_diff_report(diff_snapshots(*paths), tmp_path / "report")
    file = tmp_path / "report" / PAGE
    async with chromium() as browser, shown(browser, file.as_uri()) as seen:
        assert await seen.page.title() == "a and b - revstream"
        assert seen.errors == []
        assert seen.hosts == {"file://"}
        assert await seen.page.locator("script, body img").count() == 0
        assert HOSTILE in await seen.page.inner_text("body")
