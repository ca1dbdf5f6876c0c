"""Rows of snapshots, by way of the log into the tables of a running worker."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import thread_time
from typing import Any, Final

from faust.types import AppT
from structlog import get_logger

from agents.ordered import UnacknowledgedEvent
from schemas.errors import EventError
from schemas.loaded import decode_loaded, loaded_topic
from tables.loading import LoadCounts, RowEncoding
from tables.predictions import Predictions

_UNREADABLE: Final = "unreadable"
OUTCOMES: Final = (*LoadCounts._fields, _UNREADABLE)
"""What becomes of loaded rows, and of records that are none of ours."""

_SLICE_SECONDS: Final = 0.001
# The longest that rows wait for others at a time.
_PAUSE_SECONDS: Final = 0.05

_log = get_logger("revstream.loaded")


class LoadKeeper:
    """Takes records of a topic that is cut as the tables are into the tables.

    So a row is written by the one owner of its partition, and goes to the changelog as every row does:
    replicas, standbys and recovery have it from there. No output event tells of it, and no feed.

    Look-ups and events go first: rows are taken in slices of a millisecond of CPU time, and after each they
    wait for as long as the others took.

    Args:
        app: Tells the generation.
        predictions: The tables.
        settle: As of `agents.pipeline.Pipeline`.

    Attributes:
        topic: That the records come in.
        counts: What became of rows, by the names of `OUTCOMES`.
    """

    def __init__(
        self,
        app: AppT,
        predictions: Predictions,
        *,
        settle: Callable[[Sequence[Awaitable[Any]]], Awaitable[None]],
    ) -> None:
        self._app = app
        self._predictions = predictions
        self._settle = settle
        self.topic = loaded_topic(app.conf.id)
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self._done = asyncio.Event()

    async def handle(self, event: UnacknowledgedEvent) -> None:
        """Take the rows of one record into the tables. Idempotent.

        Raises:
            StoreError: Tables or log cannot be written.
        """
        message = event.message
        try:
            rows = decode_loaded(message.value or b"")
        except EventError as error:
            self.counts[_UNREADABLE] += 1
            _log.warning("loaded_rows_unreadable", message=error.message)
            return
        encoding = RowEncoding(rows, topic=message.topic, partition=message.partition)
        sent: list[Awaitable[Any]] = []
        began = thread_time()
        for page_id, loadable in encoding.pages():
            if thread_time() - began > _SLICE_SECONDS:
                await self._give_way()
                if message.generation_id != self._app.consumer_generation_id:
                    # Of a partition that was given back meanwhile nothing may be opened here.
                    return
                began = thread_time()
            of_page, counts = await self._predictions.load(event, rows.wiki_id, page_id, loadable)
            sent += of_page
            for name, count in zip(LoadCounts._fields, counts, strict=True):
                self.counts[name] += count
        await self._settle(sent)
        # Once this returns, the record is acknowledged.
        asyncio.get_running_loop().call_soon(self._done.set)

    async def commit_promptly(self) -> None:
        """Commit what is done as soon as it is, for ever: what waits for a commit takes memory, and time."""
        while True:
            await self._done.wait()
            self._done.clear()
            await self._app.consumer.commit({self.topic})

    async def _give_way(self) -> None:
        """Let all others on, and then for as long again as they took."""
        began = thread_time()
        await asyncio.sleep(0)
        taken = thread_time() - began
        if taken > _SLICE_SECONDS / 2:
            await asyncio.sleep(min(taken, _PAUSE_SECONDS))
