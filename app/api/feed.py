"""The push feed over HTTP: server-sent events, which browsers and curl read as they are."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.answers import Resources
from app.api.endpoint import Handler
from app.api.lists import parameters_of, single_parameters
from app.feed import Feed
from app.feed_place import FeedPlace, parse_place
from app.feed_reader import Subscription
from app.feed_text import end_event, gap_event, place_event
from app.metrics import Face
from app.row_filter import NAMES, parse_filter
from schemas.errors import NotReady, RequestInvalid

_RETRY_MILLISECONDS: Final = 2000
_WIKIS_MOST: Final = 1000


class FeedFace:
    """The handler of ``/feed``."""

    def __init__(self, resources: Resources, feed: Feed | None) -> None:
        self._catalogue = resources.catalogue
        self._freshness = resources.reader.freshness
        self._feed = feed

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {"/feed": (Face.FEED, self._read)}

    async def _read(self, request: Request) -> Response:
        """Answer with the events from now on, or from where the reader stopped.

        1. Read what is wanted, and how far the reader had come.
        2. Join, so that nothing is lost between what was missed and what comes.
        """
        pairs = parameters_of(request)  # 1
        single = single_parameters(pairs, ("bots", "since", "last_event_id"), several=(*NAMES, "wiki"))
        wiki_ids = frozenset(
            one for name, value in pairs if name == "wiki" for one in value.split("|") if one
        )
        if len(wiki_ids) > _WIKIS_MOST:
            raise RequestInvalid(f"At most {_WIKIS_MOST} wikis can be asked for at once.", parameter="wiki")
        row_filter = parse_filter([pair for pair in pairs if pair[0] in NAMES], self._catalogue, wiki_ids)
        since = _last_place(request.headers.get("last-event-id") or single.get("last_event_id", ""))
        feed, freshness = self._feed, self._freshness()
        if feed is None:
            raise NotReady("This process has no feed. Ask a worker, or a replica.")
        if not freshness.is_ready:
            raise NotReady(
                f"The tables are not complete yet ({', '.join(freshness.reasons)}). Ask again in a few "
                "seconds."
            )
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        reader = feed.subscribe(row_filter)  # 2
        if since is None and row_filter.since_us is not None:
            since = feed.oldest()
        return FeedResponse(feed, reader, since)


class FeedResponse(Response):
    """Sends events for as long as the reader takes them.

    Args:
        feed: Where they come from.
        reader: Joined already.
        since: How far the reader had come; None for one that is new.
    """

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, reader: Subscription, since: FeedPlace | None) -> None:
        self.status_code = 200
        self.background = None
        self._feed = feed
        self._reader = reader
        self._since = since
        self._until = feed.place()
        # Proxies that gather an answer before they pass it on would hold events back.
        self.init_headers({"x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the reader leaves, or is too slow, or the process stops."""
        sending, leaving = asyncio.create_task(self._send(send)), asyncio.create_task(_left(receive))
        try:
            await asyncio.wait(
                {sending, leaving, self._reader.abandoned}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._feed.leave(self._reader)
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for text in self._texts():
            if text:
                await send({"type": "http.response.body", "body": text, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _texts(self) -> AsyncIterator[bytes]:
        feed, reader = self._feed, self._reader
        yield b"retry: %d\n" % _RETRY_MILLISECONDS + place_event(self._since or self._until)
        if self._since is not None:
            if feed.lost(self._since):
                yield gap_event("too_long_ago")
            async for text in feed.replay(reader.row_filter, self._since, self._until):
                yield text
        while reader.ended is None:
            yield await reader.take()
        yield end_event(reader.ended)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _last_place(text: str) -> FeedPlace | None:
    place = parse_place(text)
    if place is None:
        raise RequestInvalid(
            "Last-Event-ID is no id of an event of this feed. Leave it out to begin with what comes now.",
            parameter="last_event_id",
        )
    return place or None
