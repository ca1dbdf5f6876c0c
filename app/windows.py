"""The windows of a worker: over its sources, what was put off, scores for clients, and rows of snapshots."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, cast

from faust.types import TopicT

from agents.loaded_rows import LoadKeeper
from agents.on_demand_scores import OnDemandKeeper
from agents.ordered import OrderedWindow, Turns, UnacknowledgedEvent, Wait
from agents.pipeline import Pipeline
from app.stream_app import StreamApp
from app.stream_metrics import StreamStatus
from schemas.retry import retry_topic

_RETRIES_AT_ONCE: Final = 16
# Each holds some hundred rows until it is committed.
_LOADS_AT_ONCE: Final = 8


class Windows:
    """Reads topics of sources, their retry topics, scores that clients asked for, and rows of snapshots.

    Each has a window. A page has one turn at a time in all together but the last, which need none, so that no
    two events write its rows at once.

    Args:
        app: The app.
        pipeline: Handles the events.
        wait: Holds those that were put off until they are due.
        source_topics: What is read.
        partitions: Of the retry topics.
        size: Events of sources in flight.
        retry_size: Events in memory that were put off.
        ready: Awaited before the first event is taken.
        keeper: Takes the scores that clients asked for into the tables; None where there are none.
        loads: Takes rows of snapshots into the tables; None where there are none.
    """

    def __init__(
        self,
        app: StreamApp,
        pipeline: Pipeline,
        wait: Wait,
        *,
        source_topics: Iterable[str],
        partitions: int,
        size: int,
        retry_size: int,
        ready: Callable[[], Awaitable[None]],
        keeper: OnDemandKeeper | None = None,
        loads: LoadKeeper | None = None,
    ) -> None:
        self._app = app
        self._pipeline = pipeline
        self._wait = wait
        self._size = size
        self._retry_size = retry_size
        self._ready = ready
        self._turns = Turns()
        self._places = asyncio.Semaphore(_RETRIES_AT_ONCE)
        self._sources: OrderedWindow | None = None
        self._retries: OrderedWindow | None = None
        self._asked: OrderedWindow | None = None
        self._loads: OrderedWindow | None = None
        self.source_topics = tuple(source_topics)
        self._source_channel = _channel(app, self.source_topics, partitions)
        self._retry_channel = _channel(app, self.retry_topics, partitions)
        app.read(self._source_channel, self._read_sources, name="page_changes")
        app.read(self._retry_channel, self._read_retries, name="put_off_page_changes")
        if keeper is not None:
            channel = _channel(app, (keeper.topic,), partitions)
            app.read(channel, self._reader_of(keeper), name="on_demand_scores")
        if loads is not None:
            channel = _channel(app, (loads.topic,), partitions)
            app.read(channel, self._loader_of(loads), name="loaded_rows")

    def read(self, source_topics: Iterable[str]) -> None:
        """Read these topics from the start on. Call it before the app starts."""
        self.source_topics = tuple(source_topics)
        self._source_channel.topics = self.source_topics
        self._retry_channel.topics = self.retry_topics

    @property
    def retry_topics(self) -> tuple[str, ...]:
        """Where the events of these sources are put off to."""
        return tuple(retry_topic(self._app.conf.id, topic) for topic in self.source_topics)

    def status(self, wikis_let_alone: int) -> StreamStatus:
        """Return how far behind the stream is."""
        return StreamStatus(
            {"source": self._app.lag(self.source_topics), "retry": self._app.lag(self.retry_topics)},
            0 if self._retries is None else self._retries.waiting,
            wikis_let_alone,
        )

    def drop_stale(self) -> None:
        """Begin a generation, see `OrderedWindow.drop_stale`."""
        for window in self._opened:
            window.drop_stale()

    async def close(self, *, drain_seconds: float) -> bool:
        """Finish what is in flight, see `OrderedWindow.close`; return whether anything was ever read."""
        await asyncio.gather(*(window.close(drain_seconds=drain_seconds) for window in self._opened))
        return bool(self._opened)

    @property
    def _opened(self) -> list[OrderedWindow]:
        windows = (self._sources, self._retries, self._asked, self._loads)
        return [window for window in windows if window is not None]

    async def _read_sources(self, stream: Any) -> None:
        await self._ready()
        self._sources = self._window(self._pipeline.handle, self._size)
        self._app.take_by(self.source_topics, self._sources)
        await self._sources.run(_events(stream))

    async def _read_retries(self, stream: Any) -> None:
        await self._ready()
        self._retries = self._window(self._handle_put_off, self._retry_size, self._wait)
        self._app.take_by(self.retry_topics, self._retries)
        await self._retries.run(_events(stream))

    def _reader_of(self, keeper: OnDemandKeeper) -> Callable[[Any], Awaitable[None]]:
        async def read(stream: Any) -> None:
            self._asked = self._window(keeper.handle, self._size)
            self._app.take_by((keeper.topic,), self._asked)
            await self._asked.run(_events(stream))

        return read

    def _loader_of(self, loads: LoadKeeper) -> Callable[[Any], Awaitable[None]]:
        async def read(stream: Any) -> None:
            # Their records are of many pages each, and take no turn of any.
            self._loads = self._window(loads.handle, _LOADS_AT_ONCE, turns=Turns())
            self._app.take_by((loads.topic,), self._loads)
            await self._loads.run(_events(stream))

        return read

    async def _handle_put_off(self, event: UnacknowledgedEvent) -> None:
        # Many may come due together, and each holds a text.
        async with self._places:
            await self._pipeline.handle_put_off(event)

    def _window(
        self,
        handle: Callable[[UnacknowledgedEvent], Awaitable[None]],
        size: int,
        wait: Wait | None = None,
        *,
        turns: Turns | None = None,
    ) -> OrderedWindow:
        return OrderedWindow(
            handle,
            size=size,
            generation=lambda: self._app.consumer_generation_id,
            admit=self._app.admit,
            on_fatal=self._app.fail,
            turns=turns or self._turns,
            wait=wait,
        )


def _channel(app: StreamApp, topics: Sequence[str], partitions: int) -> TopicT:
    return app.topic(
        *topics,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        partitions=partitions,
    )


def _events(stream: Any) -> AsyncIterable[Any]:
    return cast(AsyncIterable[Any], stream.noack().events())
