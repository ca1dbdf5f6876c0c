"""Events from standard input, one JSON object a line."""

import asyncio
import os
import select
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from agents.intake import Intake, SourceEvent
from agents.lines import MAX_LINE_BYTES, Line, LineSplitter, refusal
from schemas.errors import SourceError

_BLOCK_BYTES = 1 << 16
_MAX_BATCH_EVENTS = 100


class StandardInput:
    """Takes events from a pipe, a terminal or a redirected file, and ends with it.

    There is no place to go back to: what comes is taken, and a second run takes what comes then. The
    stored cursor is only a count of lines.

    Args:
        key_of: Gives the topic key of an event; never raises.
        descriptor: File descriptor to read; it is left open.
        max_line_bytes: Limit on one event.
    """

    source_id = "standard-input"

    def __init__(
        self, key_of: Callable[[bytes], bytes], *, descriptor: int = 0, max_line_bytes: int = MAX_LINE_BYTES
    ) -> None:
        self._key_of = key_of
        self._descriptor = descriptor
        self._max_line_bytes = max_line_bytes

    async def run(self, intake: Intake) -> None:
        """Take every event until the end of input.

        Cancelling ends it at once, though nothing comes in.

        Raises:
            SourceError: Standard input is closed or cannot be read.
        """
        splitter = LineSplitter(self._max_line_bytes)
        wake_reader, wake_writer = os.pipe()
        # asyncio's own pipe reading refuses files and leaves a terminal non-blocking for the shell.
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="standard-input")
        try:
            loop = asyncio.get_running_loop()
            while True:
                block = await loop.run_in_executor(reader, self._read, wake_reader)
                if not block:
                    break
                await self._take(intake, splitter.feed(block))
            last = splitter.finish()
            await self._take(intake, [] if last is None else [last])
        finally:
            os.write(wake_writer, b"\0")
            reader.shutdown(wait=True, cancel_futures=True)
            os.close(wake_reader)
            os.close(wake_writer)

    def _read(self, wake_reader: int) -> bytes:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(wake_reader, select.POLLIN)
        ready = dict(poll.poll())
        if wake_reader in ready:
            return b""
        if ready.get(self._descriptor, 0) & select.POLLNVAL:
            raise SourceError("standard input is closed: pipe events into the command, or name a file")
        try:
            return os.read(self._descriptor, _BLOCK_BYTES)
        except OSError as error:
            raise SourceError(
                f"standard input cannot be read ({error.strerror}): pipe events into the command, "
                "or name a file"
            ) from None

    async def _take(self, intake: Intake, lines: list[Line]) -> None:
        events = [line for line in lines if line.value.strip()]
        for start in range(0, len(events), _MAX_BATCH_EVENTS):
            await intake.room()
            batch = events[start : start + _MAX_BATCH_EVENTS]
            await intake.take(self.source_id, [self._event(line) for line in batch], str(batch[-1].number))
            await asyncio.sleep(0)

    def _event(self, line: Line) -> SourceEvent:
        value = line.value.strip()
        if not line.is_whole:
            value = refusal(self.source_id, f"line {line.number}", line.size_bytes, line.value)
        return SourceEvent(self._key_of(value), value)
