"""The workers that are alive, as a process knows them that is none itself."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from schemas.errors import EngineError

_LOOK_SECONDS: Final = 1.0

_log = structlog.get_logger("revstream.cluster")


class Directory(Protocol):
    """Where workers tell their addresses."""

    async def addresses(self) -> tuple[str, ...]:
        """Return them, sorted.

        Raises:
            EngineError: They cannot be read now.
        """
        ...

    async def close(self) -> None:
        """Release connections and files. Idempotent."""
        ...


class KnownWorkers:
    """Looks for the workers again and again.

    Args:
        directory: Where they tell their addresses. Closed by `close`.
        changed: Called when others are alive than before.

    Attributes:
        addresses: Of those that are alive, as of the last look that succeeded.
    """

    def __init__(self, directory: Directory, changed: Callable[[], None] = lambda: None) -> None:
        self._directory = directory
        self._changed = changed
        self.addresses: tuple[str, ...] = ()

    async def run(self) -> None:
        """Look until cancelled; trouble is waited out and told once."""
        trouble = ""
        while True:
            try:
                found = await self._directory.addresses()
            except EngineError as error:
                if error.code != trouble:
                    _log.warning("workers_unknown", code=error.code, error=str(error))
                trouble = error.code
            else:
                trouble = ""
                if found != self.addresses:
                    self.addresses = found
                    _log.info("workers_known", count=len(found))
                    self._changed()
            await asyncio.sleep(_LOOK_SECONDS)

    async def close(self) -> None:
        """Close the directory."""
        await self._directory.close()
