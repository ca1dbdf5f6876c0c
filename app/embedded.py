"""The embedded log of a worker: fed from a source, kept small, and cleared of what was suppressed."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, cast

import structlog

from agents.embedded.erasure import Eraser
from agents.embedded.house import backlog, keep_house, keep_short
from agents.embedded.intake import LogIntake
from agents.embedded.log import Log
from agents.embedded.transport import Producer, Transport
from agents.sources import EventSource
from app.settings import Settings
from app.stream_app import StreamApp
from app.windows import Windows
from schemas.errors import SourceError
from schemas.keys import PAGE_CHANGE_TOPIC
from schemas.loaded import loaded_topic
from schemas.on_demand import on_demand_topic
from tables.predictions import Predictions

_RECOVERY_POLL_SECONDS: Final = 0.1

_logger = structlog.get_logger("revstream.worker")


class EmbeddedEngine:
    """What runs beside a worker's agents on the embedded engine.

    Args:
        settings: Of the worker.
        app: Of the worker.
        windows: Know the topics that are read.
        predictions: The tables.
    """

    def __init__(
        self, settings: Settings, app: StreamApp, windows: Windows, predictions: Predictions
    ) -> None:
        self._settings = settings
        self._app = app
        self._windows = windows
        self._predictions = predictions

    def tell_address(self, address: str) -> None:
        """Say in the log where this worker answers, for the replicas that read it."""
        self._log.tell_worker_address(address)

    def upkeep(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what keeps the log, to be run for ever."""
        settings = self._settings
        # The eraser's thread would look for the kind of the stores while this one does, and miss it.
        _ = self._predictions.stores
        kept = dict.fromkeys(self._windows.source_topics, settings.log_retention_seconds)
        # What was put off is in its own topic as well, and what clients asked for in the tables.
        kept |= dict.fromkeys((*self._windows.retry_topics, on_demand_topic(settings.app_id)), 0.0)
        eraser = Eraser(self._log, settings.app_id, self._predictions.rewrite, self._written)
        # Its records hold rows of many pages: what is suppressed is not looked for in them.
        loaded = keep_short(self._log, loaded_topic(settings.app_id), settings.app_id)
        return keep_house(self._log, kept, settings.app_id), eraser.run(), loaded

    async def feed(self, source: EventSource) -> None:
        """Take events from a source into the log until it ends.

        Raises:
            SourceError: It cannot be read. What it gave before is scored first, since a source that fails
                early would fail so at each start.
        """
        settings = self._settings
        intake = LogIntake(
            self._log,
            cast(Producer, self._app.producer).writer,
            PAGE_CHANGE_TOPIC,
            partitions=settings.partitions,
            backlog=(self._not_done, settings.source_backlog_events),
        )
        try:
            await source.run(intake)
        except SourceError as error:
            if self._not_done():
                _logger.warning("the source failed: scoring what it gave, then stopping", code=error.code)
            while self._not_done():  # noqa: ASYNC110 - a commit gives no event
                await asyncio.sleep(settings.commit_interval_seconds)
            raise
        _logger.info("the source has ended; look-ups go on", source=source.source_id)

    async def _written(self) -> None:
        """Return when the tables hold what the log has committed: recovered, and past a commit under way."""
        predictions = self._predictions
        # Recovery gives no event.
        while len(predictions.held) < self._settings.partitions or predictions.recovering:  # noqa: ASYNC110
            await asyncio.sleep(_RECOVERY_POLL_SECONDS)
        await cast(Any, self._app.consumer).maybe_wait_for_commit_to_finish()

    @property
    def _log(self) -> Log:
        return cast(Transport, self._app.transport).log

    def _not_done(self) -> int:
        topics = (*self._windows.source_topics, *self._windows.retry_topics)
        return sum(backlog(self._log, topic, self._settings.app_id) for topic in topics)
