"""Events recorded in a file, one JSON object a line."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from agents.intake import Intake, SourceEvent
from agents.lines import MAX_LINE_BYTES, Line, refusal
from agents.pace import Pace
from agents.recorded_file import RecordedFile
from schemas.errors import SourceError

_LOG = logging.getLogger(__name__)

_Result = TypeVar("_Result")

MAX_BATCH_EVENTS = 100


class _Cursor(Struct, frozen=True):
    """The place after the last event taken, and which file it is a place in.

    Attributes:
        offset: Uncompressed bytes before it.
        line_number: Lines before it.
        head_bytes: How much of the start of the file the digest covers.
        head_digest: BLAKE2b of that, in hexadecimal.
    """

    offset: int
    line_number: int
    head_bytes: int
    head_digest: str


class RecordedEvents:
    """Takes events from a file, each once, and ends with it.

    Blank lines are passed over. A line that is no event is taken like any other: the stream tells why it is
    refused. A line over the limit is replaced by a record that says so.

    The cursor holds the place and a digest of the first bytes. A file that starts otherwise is another file
    under the same name and is read from its start. A file that has grown goes on where reading stopped; one
    that has become shorter is an error.

    Args:
        path: Plain, or compressed as .gz, .bz2 or .zst.
        key_of: Gives the topic key of an event; never raises.
        pace_events_per_second: None for as fast as they can be taken.
        max_line_bytes: Limit on one event.
        sleep: Waits; replaced in tests.
        monotonic: Clock in seconds.
    """

    def __init__(
        self,
        path: Path,
        key_of: Callable[[bytes], bytes],
        *,
        pace_events_per_second: float | None = None,
        max_line_bytes: int = MAX_LINE_BYTES,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source_id = f"file:{path.absolute()}"
        self._path = path
        self._key_of = key_of
        self._rate = pace_events_per_second
        self._max_line_bytes = max_line_bytes
        self._sleep = sleep
        self._monotonic = monotonic

    async def run(self, intake: Intake) -> None:
        """Take every event after the stored place.

        Cancelling loses nothing: what was not taken is read again.

        Raises:
            SourceError: The file cannot be opened, is damaged, or is shorter than what was read before.
        """
        file = RecordedFile(self._path, self._max_line_bytes)
        # Reading and decompressing stay off the event loop, which answers look-ups meanwhile.
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorded-events")
        try:
            await self._feed(file, reader, intake)
        finally:
            # Each step is short, so that the wait for the one under way is.
            reader.shutdown(wait=True, cancel_futures=True)
            file.close()

    async def _feed(self, file: RecordedFile, reader: ThreadPoolExecutor, intake: Intake) -> None:
        head = await self._resume(file, reader, intake.cursor(self.source_id))
        pace = None if self._rate is None else Pace(self._rate, monotonic=self._monotonic)
        waiting: deque[Line] = deque()
        while True:
            while not waiting:
                lines = await _in_thread(reader, file.lines)
                if not lines:
                    return
                waiting.extend(line for line in lines if line.value.strip())
            due = MAX_BATCH_EVENTS if pace is None else pace.allowance()
            if pace is not None and due <= 0:
                await self._sleep(pace.wait_seconds())
                continue
            await intake.room()
            batch = [waiting.popleft() for _ in range(min(due, len(waiting), MAX_BATCH_EVENTS))]
            await intake.take(self.source_id, [self._event(line) for line in batch], _cursor(batch[-1], head))
            if pace is not None:
                pace.spend(len(batch))
            await asyncio.sleep(0)

    async def _resume(
        self, file: RecordedFile, reader: ThreadPoolExecutor, stored: str | None
    ) -> tuple[int, str]:
        """Open the file, go to the stored place in it, and return its head for further cursors."""
        await _in_thread(reader, file.open)
        if stored is None:
            return await _in_thread(reader, file.head)
        try:
            cursor = msgspec.json.decode(stored, type=_Cursor)
        except msgspec.DecodeError:
            raise SourceError(
                f"the stored place in {self._path} cannot be read ({stored[:80]!r}): another version wrote "
                "it; give the file another name to read it from its start",
                path=str(self._path),
            ) from None
        head = await _in_thread(reader, lambda: file.head(cursor.head_bytes))
        if head != (cursor.head_bytes, cursor.head_digest):
            _LOG.warning("%s is another file than the one read before: reading it from its start", self._path)
            return head
        while not await _in_thread(reader, lambda: file.skip(cursor.offset, cursor.line_number)):
            pass
        return head

    def _event(self, line: Line) -> SourceEvent:
        value = line.value.strip()
        if not line.is_whole:
            value = refusal(self.source_id, f"line {line.number}", line.size_bytes, line.value)
        return SourceEvent(self._key_of(value), value)


def _cursor(line: Line, head: tuple[int, str]) -> str:
    return msgspec.json.encode(_Cursor(line.end_offset, line.number, *head)).decode()


async def _in_thread(reader: ThreadPoolExecutor, step: Callable[[], _Result]) -> _Result:
    return await asyncio.get_running_loop().run_in_executor(reader, step)
