"""How heavy the pages are, how soon they are painted, and how late the live page shows a score.

``python -m tests.bench.pages`` prints JSON. Paint times are the browser's own (first contentful paint, from
the start of the navigation), over loopback and with a new context for each, so that nothing is cached. The
delay is from the moment that a row is written to the log to the frame in which it is seen, both on the clock
of this machine; the feed and its server run in this process, beside the browser.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import structlog
from playwright.async_api import Browser

from tests.bench.report import emit
from tests.browser import chromium, shown
from tests.replica_log import MemoryLog
from tests.scorers import ReversedDigits
from tests.served import Served, fill, served
from tests.shown_wiki import shown_catalogue, shown_row, shown_rows

PATHS = (
    "/",
    "/live",
    "/live?wiki=enwiki&model=damaging&at_least=0.5",
    "/revision/enwiki/1000042",
    "/revision/enwiki/1000042?features=damaging",
    "/page/enwiki/1",
    "/ui/models",
    "/ui/models/enwiki/damaging",
    "/status",
    "/ui/?wiki=enwiki&revids=1000042&go=1",
    "/docs",
)
# A line of text: what the browser and the machine take by themselves, much on one that is busy.
_CONTROL = "/healthz"
# All that was transferred, the page's own bytes among it, and when something was painted first.
_MEASURED = """() => new Promise((resolve) => {
  const told = () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    if (!paint) return setTimeout(told, 10);
    const loaded = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
    const bytes = loaded.reduce((sum, one) => sum + one.transferSize, 0);
    resolve([paint.startTime, bytes, loaded[0].responseEnd - loaded[0].requestStart]);
  };
  told();
})"""
# Notes when each row is in a frame that is drawn.
_WATCH = """() => {
  window.seen = {};
  new MutationObserver((changes) => {
    const keys = changes.flatMap((one) => [...one.addedNodes].map((node) => node.dataset.key));
    requestAnimationFrame(() => setTimeout(() => {
      for (const key of keys) window.seen[key] ??= Date.now() / 1000;
    }));
  }).observe(document.querySelector("#changes tbody"), { childList: true });
}"""


async def painted(browser: Browser, server: Served, path: str, times: int) -> dict[str, Any]:
    """Return weight and paint times of a page."""
    measured = []
    for _ in range(times):
        async with shown(browser, server.url + path) as seen:
            measured.append(await seen.page.evaluate(_MEASURED))
    paints, weights, answers = zip(*measured, strict=True)
    return {
        "weight_bytes": max(weights),
        "first_paint_p50_ms": round(median(paints), 1),
        "first_paint_max_ms": round(max(paints), 1),
        "answered_p50_ms": round(median(answers), 1),
    }


async def delays(
    browser: Browser, server: Served, log: MemoryLog, events: int, events_per_second: float
) -> dict[str, Any]:
    """Return how late scores are seen."""
    written: dict[str, float] = {}
    async with shown(browser, f"{server.url}/live") as seen:
        await seen.page.wait_for_selector("#state.on")
        await seen.page.evaluate(_WATCH)
        for number in range(1000, 1000 + events):
            row = shown_row(number)
            written[f"{row.wiki_id}/{row.rev_id}"] = time.time()
            fill(log, [row])
            await asyncio.sleep(1 / events_per_second)
        await asyncio.sleep(1)
        found: dict[str, float] = await seen.page.evaluate("window.seen")
    late = [found[key] - at for key, at in written.items() if key in found]
    percentiles = quantiles(late, n=100)
    return {
        "events": events,
        "events_shown": len(late),
        "delay_p50_ms": round(1000 * percentiles[49], 1),
        "delay_p99_ms": round(1000 * percentiles[98], 1),
        "delay_max_ms": round(1000 * max(late), 1),
    }


async def measure(times: int, events: int, events_per_second: float) -> dict[str, Any]:
    """Return the figures of all pages, and of the live one."""
    log = MemoryLog()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            served(
                Path(folder), shown_catalogue(), shown_rows(), log=log, on_demand=ReversedDigits()
            ) as server,
            chromium() as browser,
        ):
            # The first page of a browser pays for its start.
            await painted(browser, server, "/", 2)
            control = await painted(browser, server, _CONTROL, times)
            pages = {path: await painted(browser, server, path, times) for path in PATHS}
            live = await delays(browser, server, log, events, events_per_second)
    return {
        "pages": pages,
        "live": live,
        "control_first_paint_p50_ms": control["first_paint_p50_ms"],
        "heaviest_bytes": max(page["weight_bytes"] for page in pages.values()),
        "slowest_first_paint_p50_ms": max(page["first_paint_p50_ms"] for page in pages.values()),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--events-per-second", type=float, default=10.0)
    asked = parser.parse_args()
    # Lines about each request would be counted as work of the pages.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    emit("pages", asyncio.run(measure(asked.times, asked.events, asked.events_per_second)))


if __name__ == "__main__":
    main()
