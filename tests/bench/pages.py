"""How heavy the pages are, how soon they are painted, and how late the live page shows a score.

``python -m tests.bench.pages`` prints JSON. Paint times are the browser's own (first contentful paint, from
the start of the navigation), over loopback, each in a window of its own, so that nothing is cached. A page is
asked once the browser has drawn what belongs to the window itself, which takes more than a core for a second.
What browser and machine take by themselves is told by a line of text, ``blank``, which is measured in turns
with the pages; ``over_blank`` is how many times that a page takes. Two figures tell the page's own part,
however busy the machine: ``browser_cpu_p50_ms``, what the main thread of the browser worked until all was
loaded, and ``server_p50_ms``, from the request to the last byte without a browser. The delay is from the
moment that a row is written to the log to the frame in which it is seen, both on the clock of this machine;
the feed and its server run in this process, beside the browser.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import psutil
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
_BLANK = "/healthz"
_SETTLED_SECONDS = 0.3
_SETTLED_SHARE = 0.1
_SETTLED_ROUNDS = 60
# All that was transferred, the page's own bytes among it, and when something was painted first.
_MEASURED = """() => new Promise((resolve) => {
  new PerformanceObserver((seen) => {
    const [paint] = seen.getEntriesByName("first-contentful-paint");
    if (!paint) return;
    const loaded = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
    resolve([paint.startTime, loaded.reduce((sum, one) => sum + one.transferSize, 0)]);
  }).observe({ type: "paint", buffered: true });
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


class Painted(NamedTuple):
    """What showing a page once took."""

    paint_ms: float
    browser_cpu_ms: float
    weight_bytes: int


async def settled() -> None:
    """Wait until the browser is done with its own part of a new window."""
    below = psutil.Process().children(recursive=True)
    browser = [process for process in below if process.name().startswith("chrom")]
    for _ in range(_SETTLED_ROUNDS):
        before = _cpu_seconds(browser)
        await asyncio.sleep(_SETTLED_SECONDS)
        if _cpu_seconds(browser) - before < _SETTLED_SHARE * _SETTLED_SECONDS:
            return
    raise RuntimeError("The browser does not come to rest.")


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    spent = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


async def painted(browser: Browser, server: Served, path: str) -> Painted:
    """Show a page."""
    async with shown(browser, "about:blank") as seen:
        await settled()
        tools = await seen.page.context.new_cdp_session(seen.page)
        await tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        await seen.page.goto(server.url + path)
        paint, weight = await seen.page.evaluate(_MEASURED)
        told = {one["name"]: one["value"] for one in (await tools.send("Performance.getMetrics"))["metrics"]}
    return Painted(float(paint), 1000 * told["TaskDuration"], int(weight))


async def answered(server: Served, path: str, times: int) -> float:
    """Return how long the server takes to answer, in milliseconds: the median."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        async with server.session.get(server.url + path, headers={"accept": "text/html"}) as response:
            await response.read()
        took.append(1000 * (time.perf_counter() - began))
    return median(took)


async def paints(browser: Browser, server: Served, times: int) -> dict[str, Any]:
    """Return weight and paint times of all pages and of a blank one, measured in turns."""
    # The first pages of a browser pay for its start.
    for path in ("/", _BLANK):
        await painted(browser, server, path)
    measured: dict[str, list[Painted]] = {path: [] for path in (_BLANK, *PATHS)}
    for _ in range(times):
        for path, found in measured.items():
            found.append(await painted(browser, server, path))
    blank = median(one.paint_ms for one in measured[_BLANK])
    told: dict[str, Any] = {}
    for path, found in measured.items():
        first = [one.paint_ms for one in found]
        told["blank" if path == _BLANK else path] = {
            "weight_bytes": max(one.weight_bytes for one in found),
            "first_paint_p50_ms": round(median(first), 1),
            "first_paint_least_ms": round(min(first), 1),
            "first_paint_max_ms": round(max(first), 1),
            "over_blank": round(median(first) / blank, 2),
            "browser_cpu_p50_ms": round(median(one.browser_cpu_ms for one in found), 1),
            "server_p50_ms": round(await answered(server, path, times), 1),
        }
    return told


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
            pages = await paints(browser, server, times)
            live = await delays(browser, server, log, events, events_per_second)
    blank = pages.pop("blank")
    return {
        "blank": blank,
        "pages": pages,
        "live": live,
        "heaviest_bytes": max(page["weight_bytes"] for page in pages.values()),
        "slowest_first_paint_p50_ms": max(page["first_paint_p50_ms"] for page in pages.values()),
        "most_over_blank": max(page["over_blank"] for page in pages.values()),
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
