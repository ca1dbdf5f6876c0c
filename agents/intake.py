"""Where input events go, with the place in their source."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class SourceEvent(Struct, frozen=True):
    """One event as it came, with its topic key."""

    key: bytes
    value: bytes


class Intake(Protocol):
    """Takes events and the source's cursor in one transaction, so that each event is taken once."""

    def cursor(self, source_id: str) -> str | None:
        """Return the cursor stored with the last events taken from this source; None at first."""
        ...

    async def room(self) -> None:
        """Wait while too much that was taken is not done yet. Sources call it before they read on."""
        ...

    async def take(self, source_id: str, events: Sequence[SourceEvent], cursor: str) -> None:
        """Append the events and store the cursor, both or neither; return when they are durable."""
        ...
