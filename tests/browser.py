"""Pages as people see them: the system's own Chromium, without a window."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_SERIOUS: Final = frozenset({"serious", "critical"})
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
DESK: Final[ViewportSize] = {"width": 1280, "height": 800}


def _chromium() -> str:
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    message = f"none of {', '.join(_NAMES)} is installed"
    if os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(message)
    pytest.skip(message)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Chromium. Absent: skip, or fail where REQUIRE_BROWSER is set."""
    path = _chromium()
    async with async_playwright() as driver:
        # Root has no sandbox, and what is shown is our own.
        browser = await driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


class Shown:
    """A page, with all that went wrong while it was shown.

    Attributes:
        page: To be driven.
        errors: What scripts raised and the console was told.
        hosts: All that the browser asked, as scheme, host and port.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: self.hosts.add("/".join(request.url.split("/")[:3])))

    async def barriers(self) -> list[str]:
        """Return what axe finds that keeps people from reading the page: rule, and where."""
        axe = files("axe_playwright_python").joinpath("axe.min.js").read_text()
        await self.page.evaluate(axe)
        told: Any = await self.page.evaluate("axe.run()")
        return [
            f"{each['id']}: {node['target']}"
            for each in told["violations"]
            if each["impact"] in _SERIOUS
            for node in each["nodes"]
        ]


@asynccontextmanager
async def shown(
    browser: Browser,
    address: str,
    *,
    theme: Literal["light", "dark"] = "light",
    size: ViewportSize = DESK,
    scripts: bool = True,
) -> AsyncIterator[Shown]:
    """Open a page.

    Args:
        browser: That shows it.
        address: ``http:`` or ``file:``.
        theme: What the person prefers.
        size: Of the window, in CSS pixels.
        scripts: Whether scripts run.
    """
    context: BrowserContext = await browser.new_context(
        color_scheme=theme, viewport=size, java_script_enabled=scripts
    )
    try:
        seen = Shown(await context.new_page())
        await seen.page.goto(address)
        yield seen
    finally:
        await context.close()
