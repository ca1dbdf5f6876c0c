"""One reader of the feed, and the events that wait for it."""

import asyncio
from collections import deque
from typing import Final

from app.row_filter import RowFilter

BUFFER_EVENTS: Final = 1000
"""So many events wait for one reader; who leaves more is dropped."""

LAST_WORD_SECONDS: Final = 30.0


class FeedEvent:
    """One event, as all its readers get it. Its text is gone once what it tells is withdrawn."""

    __slots__ = ("__weakref__", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text


class Subscription:
    """One reader.

    Args:
        row_filter: What it wants.

    Attributes:
        waiting: What it has not taken yet.
        ended: Why nothing more comes; None while something may.
        abandoned: Done some time after the end: whoever does not even take the word of it is cut off.
    """

    def __init__(self, row_filter: RowFilter) -> None:
        self.row_filter = row_filter
        self.ended: str | None = None
        self.abandoned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting: deque[FeedEvent] = deque()
        self._wake = asyncio.Event()

    def put(self, events: list[FeedEvent]) -> bool:
        """Hand over events; return whether there was room."""
        if len(self.waiting) + len(events) > BUFFER_EVENTS:
            return False
        self.waiting += events
        self._wake.set()
        return True

    def end(self, reason: str) -> None:
        """End it; what it has not taken is dropped."""
        if self.ended is None:
            self.waiting.clear()
            self.ended = reason
            self._wake.set()
            asyncio.get_running_loop().call_later(LAST_WORD_SECONDS, self._abandon)

    def _abandon(self) -> None:
        if not self.abandoned.done():
            self.abandoned.set_result(None)

    async def take(self) -> bytes:
        """Return the text of the events that wait, once there are any, or once it is over."""
        await self._wake.wait()
        self._wake.clear()
        text = b"".join(event.text for event in self.waiting)
        self.waiting.clear()
        return text
