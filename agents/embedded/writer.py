"""Writes to the embedded log from an event loop, which goes on while the disk works."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from faust.types import TP

from agents.embedded.log import Log, NewRecord, Write


class LogWriter:
    """Commits what is to be written in a thread of its own, all that waits in one transaction.

    What is written first lies first in the log, and is durable first. While one transaction is under way
    whatever comes waits for the next, so that a slow disk makes transactions larger, and nobody slower.
    To be called on one event loop. The thread starts with the first write.

    Args:
        log: The log.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: list[tuple[Write, asyncio.Future[list[int]]]] = []
        self._is_writing = False
        self._last: asyncio.Future[list[list[int] | Exception]]
        self._thread: ThreadPoolExecutor | None = None

    def write(
        self,
        records: Sequence[NewRecord] = (),
        *,
        group_id: str | None = None,
        offsets: Mapping[TP, int] | None = None,
        cursors: Mapping[str, str] | None = None,
    ) -> "asyncio.Future[list[int]]":
        """Write what `agents.embedded.log.Log.transact` does.

        Returns:
            Done when all of it is durable and readers see it, with the offset of each record; or it holds
            the error, and nothing was written. To cancel it takes nothing back.
        """
        future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((Write(records, group_id, offsets, cursors), future))
        if not self._is_writing:
            self._begin()
        return future

    async def close(self) -> None:
        """Wait until all is written, and let the thread end. Idempotent; a later write starts another."""
        while self._is_writing:
            await asyncio.wait((self._last,))
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")
        taken, self._waiting = self._waiting, []
        self._is_writing = True
        writes = [write for write, _ in taken]
        done = asyncio.get_running_loop().run_in_executor(self._thread, self._committed, writes)
        self._last = done
        done.add_done_callback(partial(self._end, [future for _, future in taken]))

    def _committed(self, writes: Sequence[Write]) -> list[list[int] | Exception]:
        """Commit some together; where that fails each by itself, as if each had come alone."""
        try:
            return list(self._log.transact_all(writes))
        except Exception as error:
            return [error] if len(writes) == 1 else [self._committed([write])[0] for write in writes]

    def _end(
        self,
        futures: Sequence["asyncio.Future[list[int]]"],
        done: "asyncio.Future[list[list[int] | Exception]]",
    ) -> None:
        self._is_writing = False
        if self._waiting:
            self._begin()
        for future, outcome in zip(futures, done.result(), strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
