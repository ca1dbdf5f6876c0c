"""Holds events of retry topics until they are due."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from agents.circuits import Circuits
from agents.ordered import UnacknowledgedEvent
from agents.retries import Retries
from schemas.errors import EventError
from schemas.retry import PutOff, decode_put_off

HOLD_SECONDS = 20.0


class RetryWait:
    """Holds an event for a while, and writes it to its topic's end where it is not due by then.

    Events wait in a window, and its offsets move past them in order: without the second part one event that
    is due late would hold up the commits of all behind it, and some of them all the others.

    Args:
        retries: Writes them.
        circuits: Know which wikis are let alone; events of these wait until they answer.
        settle: As of `agents.pipeline.Pipeline`.
        is_over: Tells whether the tables leave nothing to be scored: such an event need not wait.
        hold_seconds: How long one is held.
    """

    def __init__(
        self,
        retries: Retries,
        circuits: Circuits,
        *,
        settle: Callable[[Sequence[Awaitable[Any]]], Awaitable[None]],
        is_over: Callable[[UnacknowledgedEvent, PutOff], bool],
        hold_seconds: float = HOLD_SECONDS,
    ) -> None:
        self._retries = retries
        self._circuits = circuits
        self._settle = settle
        self._is_over = is_over
        self._hold_seconds = hold_seconds

    async def __call__(self, event: UnacknowledgedEvent) -> bool:
        """Return whether an event is to be handled now; where not, it was put back and is done.

        Raises:
            StoreError: It cannot be put back.
        """
        try:
            put_off = decode_put_off(event.message.value or b"")
        except EventError:
            return True
        if self._is_over(event, put_off) or await self._is_due(put_off) or self._is_over(event, put_off):
            return True
        await self._settle((await self._retries.put_back(event),))
        return False

    async def _is_due(self, put_off: PutOff) -> bool:
        """Wait until an event is due and its wiki may be asked, but no longer than events are held."""
        give_up = monotonic() + self._hold_seconds
        due_seconds = (put_off.delay_until - datetime.now(UTC)).total_seconds()
        if due_seconds > self._hold_seconds:
            await asyncio.sleep(self._hold_seconds)
            return False
        if due_seconds > 0:
            await asyncio.sleep(due_seconds)
        return await self._circuits.admitted(put_off.wiki_id, within_seconds=give_up - monotonic())
