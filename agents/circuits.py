"""Which wikis are asked, and which are let alone because they do not answer."""

import asyncio
from collections.abc import Callable
from time import monotonic as monotonic_clock

_FAILURES = 5


class _Circuit:
    """One wiki. It is let alone while ``closes`` is there, which is set when it answers again."""

    __slots__ = ("closes", "failures", "next_try")

    def __init__(self) -> None:
        self.failures = 0
        self.next_try = 0.0
        self.closes: asyncio.Event | None = None


class Circuits:
    """Lets a wiki alone after several failures in a row, and tries it now and then with one event.

    Args:
        pause_seconds: Between two tries of a wiki that is let alone.
        failures: So many in a row, and it is.
        monotonic: Clock in seconds.
    """

    def __init__(
        self,
        *,
        pause_seconds: float,
        failures: int = _FAILURES,
        monotonic: Callable[[], float] = monotonic_clock,
    ) -> None:
        self._pause_seconds = pause_seconds
        self._failures = failures
        self._monotonic = monotonic
        self._circuits: dict[str, _Circuit] = {}

    @property
    def open_count(self) -> int:
        """How many wikis are let alone."""
        return sum(circuit.closes is not None for circuit in self._circuits.values())

    def is_open(self, wiki_id: str) -> bool:
        """Tell whether a wiki is let alone."""
        circuit = self._circuits.get(wiki_id)
        return circuit is not None and circuit.closes is not None

    def admits(self, wiki_id: str) -> bool:
        """Return whether the wiki may be asked now; of one that is let alone True is the turn to try it."""
        circuit = self._circuits.get(wiki_id)
        if circuit is None or circuit.closes is None:
            return True
        now = self._monotonic()
        if now < circuit.next_try:
            return False
        circuit.next_try = now + self._pause_seconds
        return True

    def answered(self, wiki_id: str) -> None:
        """Hear that the wiki answered: it is asked again."""
        circuit = self._circuits.pop(wiki_id, None)
        if circuit is not None and circuit.closes is not None:
            circuit.closes.set()

    def failed(self, wiki_id: str) -> None:
        """Hear that the wiki did not answer."""
        circuit = self._circuits.setdefault(wiki_id, _Circuit())
        circuit.failures += 1
        if circuit.failures >= self._failures:
            circuit.next_try = self._monotonic() + self._pause_seconds
            circuit.closes = circuit.closes or asyncio.Event()

    async def admitted(self, wiki_id: str, *, within_seconds: float) -> bool:
        """Wait until the wiki may be asked, and return whether it may, see `admits`."""
        give_up = self._monotonic() + within_seconds
        while not self.admits(wiki_id):
            circuit = self._circuits[wiki_id]
            now = self._monotonic()
            if now >= give_up or circuit.closes is None:
                return False
            try:
                async with asyncio.timeout(min(give_up, circuit.next_try) - now):
                    await circuit.closes.wait()
            except TimeoutError:
                pass
        return True
