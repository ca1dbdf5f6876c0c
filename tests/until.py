"""Waiting in tests for what happens elsewhere."""

import asyncio
from collections.abc import Callable


async def until(is_so: Callable[[], bool], timeout_seconds: float = 10.0) -> None:
    """Return as soon as something is so; fail when it is not in time."""
    async with asyncio.timeout(timeout_seconds):
        while not is_so():  # noqa: ASYNC110 - state of the code under test has no event to wait on
            await asyncio.sleep(0.002)
