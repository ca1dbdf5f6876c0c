"""An intake in memory, for tests of sources."""

import asyncio
from collections.abc import Callable, Sequence

from agents.intake import SourceEvent


class MemoryIntake:
    """Keeps what was taken, batch by batch, with the cursor of the last batch of each source.

    Args:
        before_take: Called before each batch is taken; what it raises keeps the batch out.
    """

    def __init__(self, before_take: Callable[[Sequence[SourceEvent]], None] | None = None) -> None:
        self.batches: list[tuple[SourceEvent, ...]] = []
        self.cursors: dict[str, str] = {}
        self.taken_at: list[float] = []
        self._before_take = before_take
        # Where it is there, nothing may be taken before it is set.
        self.full: asyncio.Event | None = None

    def cursor(self, source_id: str) -> str | None:
        return self.cursors.get(source_id)

    async def room(self) -> None:
        if self.full is not None:
            await self.full.wait()

    async def take(self, source_id: str, events: Sequence[SourceEvent], cursor: str) -> None:
        assert events, "an empty batch was taken"
        if self._before_take is not None:
            self._before_take(events)
        self.batches.append(tuple(events))
        self.cursors[source_id] = cursor
        self.taken_at.append(asyncio.get_running_loop().time())

    @property
    def values(self) -> list[bytes]:
        return [event.value for batch in self.batches for event in batch]
