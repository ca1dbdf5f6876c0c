"""What waits for a scoring process, and which of them gets what. Decides alone: no clock, no socket."""

from collections import deque
from collections.abc import Hashable, Iterable
from itertools import islice
from typing import Generic, TypeVar

from models.pool_call import PoolCall
from models.priority import Priority

_BATCH_CALLS = 16
_BATCH_CHARACTERS = 32_768
_PAGES_KEPT = 16_384
_LOOK_AHEAD = 16
_OVERTAKEN_MOST = 16

Process = TypeVar("Process", bound=Hashable)


class PoolQueue(Generic[Process]):
    """Calls by priority and in their order, handed out to idle processes.

    * No call is handed out while one of a class before its own waits.
    * A page goes to the process that had it last, which may still hold what it made of its text, when that
      one is idle. While it is busy, others of the next calls go first: to read a page anew takes several
      times as long as its next edit. A call is overtaken so often at most, and never by none: no process
      stays idle while anything waits.
    * While many wait, a process gets several small ones at once: half of its share, so that all processes
      come to the end together.

    Args:
        processes: How many share the work.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._classes: dict[Priority, deque[PoolCall]] = {priority: deque() for priority in Priority}
        self._processes_by_page: dict[tuple[str, int], Process] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._classes.values()))

    def waiting(self) -> dict[Priority, int]:
        """Return how many wait, by class."""
        return {priority: len(calls) for priority, calls in self._classes.items()}

    def append(self, call: PoolCall) -> None:
        """Let a call wait behind all others of its class."""
        self._classes[call.priority].append(call)

    def put_back(self, calls: Iterable[PoolCall]) -> None:
        """Let calls wait before others of their class, in their order, each to be handed out alone."""
        for call in reversed([call for call in calls if not call.future.done()]):
            call.is_alone = True
            self._classes[call.priority].appendleft(call)

    def discard(self, call: PoolCall) -> None:
        """Forget a call, whether or not it waits."""
        calls = self._classes[call.priority]
        if call in calls:
            calls.remove(call)

    def clear(self) -> list[PoolCall]:
        """Forget all calls, and return them."""
        cleared = [call for calls in self._classes.values() for call in calls]
        for calls in self._classes.values():
            calls.clear()
        return cleared

    def hand_out(self, idle: list[Process]) -> tuple[Process, list[PoolCall]]:
        """Take the first call, and choose who scores it and what goes along.

        Args:
            idle: Processes to choose from, at least one; the one that was busy last, whose memory is in the
                processor's caches, comes last. The chosen one is removed.

        Returns:
            The process and its calls, in their order; all of one class.
        """
        waiting = next(calls for calls in self._classes.values() if calls)
        place, process = self._choose(waiting, idle)
        idle.remove(process)
        first = waiting[place]
        del waiting[place]
        calls = [first]
        share = (len(waiting) + 1) // (2 * self._processes)
        room = 0 if first.is_alone else _BATCH_CHARACTERS - first.characters
        while len(calls) < min(share, _BATCH_CALLS) and place < len(waiting):
            following = waiting[place]
            room -= following.characters
            if following.is_alone or room < 0 or self._home(following) not in (None, process):
                break
            calls.append(following)
            del waiting[place]
        for call in calls:
            self._remember(call, process)
        return process, calls

    def _choose(self, waiting: deque[PoolCall], idle: list[Process]) -> tuple[int, Process]:
        """Return the place of the call that goes first, and to which process."""
        for place, call in enumerate(islice(waiting, _LOOK_AHEAD)):
            home = self._home(call)
            if home is None or home in idle:
                for overtaken in islice(waiting, place):
                    overtaken.times_overtaken += 1
                return place, idle[-1] if home is None else home
            if call.is_alone or call.times_overtaken >= _OVERTAKEN_MOST:
                return place, idle[-1]
        return 0, idle[-1]

    def _home(self, call: PoolCall) -> Process | None:
        return self._processes_by_page.get(call.page)

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
