"""What waits for a scoring process, and which of them gets what. Decides alone: no clock, no socket."""

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from models.pool_call import PoolCall

_BATCH_CALLS = 16
_BATCH_CHARACTERS = 32_768
_PAGES_KEPT = 16_384

Process = TypeVar("Process", bound=Hashable)


class PoolQueue(Generic[Process]):
    """Calls in their order, handed out to idle processes.

    * A page goes to the process that had it last, which may still hold what it made of its text, when that
      one is idle. Nothing ever waits for a certain process.
    * While many wait, a process gets several small ones at once: half of its share, so that all processes
      come to the end together.

    Args:
        processes: How many share the work.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._calls: deque[PoolCall] = deque()
        self._processes_by_page: dict[tuple[str, int], Process] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._calls)

    def append(self, call: PoolCall) -> None:
        """Let a call wait behind all others."""
        self._calls.append(call)

    def put_back(self, calls: Iterable[PoolCall]) -> None:
        """Let calls wait before all others, in their order, each to be handed out by itself."""
        waiting = [call for call in calls if not call.future.done()]
        for call in waiting:
            call.is_alone = True
        self._calls.extendleft(reversed(waiting))

    def discard(self, call: PoolCall) -> None:
        """Forget a call, whether or not it waits."""
        if call in self._calls:
            self._calls.remove(call)

    def clear(self) -> list[PoolCall]:
        """Forget all calls, and return them."""
        calls = list(self._calls)
        self._calls.clear()
        return calls

    def hand_out(self, idle: list[Process]) -> tuple[Process, list[PoolCall]]:
        """Take the first call, and choose who scores it and what goes along.

        Args:
            idle: Processes to choose from, at least one; the one that was busy last, whose memory is in the
                processor's caches, comes last. The chosen one is removed.

        Returns:
            The process and its calls, in their order.
        """
        first = self._calls.popleft()
        last = self._processes_by_page.get(first.page)
        process = idle[-1] if last is None or last not in idle else last
        idle.remove(process)
        calls = [first]
        share = (len(self._calls) + 1) // (2 * self._processes)
        room = 0 if first.is_alone else _BATCH_CHARACTERS - first.characters
        while len(calls) < min(share, _BATCH_CALLS):
            following = self._calls[0]
            room -= following.characters
            if following.is_alone or room < 0 or self._processes_by_page.get(following.page) in idle:
                break
            calls.append(self._calls.popleft())
        for call in calls:
            self._remember(call, process)
        return process, calls

    def forget(self, process: Process) -> None:
        """Forget which pages a process had: it has ended."""
        self._processes_by_page = {
            page: last for page, last in self._processes_by_page.items() if last != process
        }

    def _remember(self, call: PoolCall, process: Process) -> None:
        pages = self._processes_by_page
        pages.pop(call.page, None)
        pages[call.page] = process
        if len(pages) > _PAGES_KEPT:
            del pages[next(iter(pages))]
