"""Events live from Wikimedia's EventStreams, or from any server that speaks like it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
from msgspec import Struct

from agents.backoff import Backoff, retry_after_seconds
from agents.event_batch import EventBatch
from agents.intake import Intake
from agents.lines import MAX_LINE_BYTES
from agents.sse import SseParser
from agents.stream_position import StreamPosition
from agents.user_agent import require_contact
from schemas.errors import SourceError

_LOG = logging.getLogger(__name__)

DEFAULT_URL = "https://stream.wikimedia.org/v2/stream/mediawiki.page_change.v1"

# Refusals that pass: too slow, too early, too many.
_TRANSIENT_STATUSES = frozenset({408, 425, 429})


class EventStreamsLimits(Struct, frozen=True, kw_only=True):
    """How events are gathered and when a connection counts as lost.

    Attributes:
        max_batch_events: Events taken in one transaction.
        batch_seconds: How long the first event of a batch waits for others.
        connect_timeout_seconds: Limit on making a connection and on the head of its answer.
        idle_timeout_seconds: A connection without a byte for so long is given up. Keep it above the
            server's silences: a quiet stream is kept open by comments.
        max_pause_seconds: Longest pause that a server may impose by Retry-After or ``retry:``.
        max_event_bytes: Limit on one event.
    """

    max_batch_events: int = 100
    batch_seconds: float = 0.1
    connect_timeout_seconds: float = 20.0
    idle_timeout_seconds: float = 60.0
    max_pause_seconds: float = 300.0
    max_event_bytes: int = MAX_LINE_BYTES


class _LostError(Exception):
    """The connection is of no more use; come back after a while."""

    def __init__(self, outcome: str, reason: str, pause_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.pause_seconds = pause_seconds


def _ignore(outcome: str) -> None:
    """Observe nothing."""


class EventStreams:
    """Takes events from a stream of server-sent events, for ever, each once.

    It goes on from the stored place after a break of the connection and after a restart. Servers close
    connections by themselves (Wikimedia's after 15 minutes); that is no fault.

    Args:
        url: Of the stream.
        key_of: Gives the topic key of an event; never raises.
        user_agent: Names the tool and a contact.
        limits: How events are gathered.
        backoff: Waits before coming back.
        observe: Called with ``connected``, ``closed``, ``idle``, ``connection_error``, ``timeout``,
            ``http_error`` or ``server_error`` as it happens.
        sleep: Waits; replaced in tests.
        monotonic: Clock in seconds.

    Raises:
        SettingsError: The user agent names no contact.
    """

    def __init__(
        self,
        key_of: Callable[[bytes], bytes],
        *,
        user_agent: str,
        url: str = DEFAULT_URL,
        limits: EventStreamsLimits | None = None,
        backoff: Backoff | None = None,
        observe: Callable[[str], None] = _ignore,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source_id = f"eventstreams:{url}"
        self._url = url
        self._key_of = key_of
        self._user_agent = require_contact(user_agent)
        self._limits = limits or EventStreamsLimits()
        self._backoff = backoff or Backoff(first_seconds=1.0, most_seconds=60.0)
        self._observe = observe
        self._sleep = sleep
        self._monotonic = monotonic
        self._retry_seconds: float | None = None
        self._has_come = False

    async def run(self, intake: Intake) -> None:
        """Take events until cancelled, or until the server says by status 204 that there will be no more.

        Cancelling loses nothing: what was not taken comes again.

        Raises:
            SourceError: The server refuses for good (4xx), redirects, or sends no event stream.
        """
        position = StreamPosition(intake.cursor(self.source_id))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_timeout_seconds)
        headers = {"User-Agent": self._user_agent, "Accept": "text/event-stream", "Cache-Control": "no-store"}
        attempt = 0
        async with aiohttp.ClientSession(
            headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as http:
            while True:
                batch = self._batch(intake, position)
                self._has_come = False
                pause_seconds = None
                try:
                    if await self._listen(http, position.resume_id(), batch):
                        return
                except _LostError as error:
                    self._observe(error.outcome)
                    pause_seconds = error.pause_seconds
                    # Servers and proxies end good connections as well, and not always politely.
                    level = logging.INFO if self._has_come else logging.WARNING
                    _LOG.log(level, "%s: %s; coming back", self._url, error)
                # A connection that brought something was a good one, however it ended.
                attempt = 1 if self._has_come else attempt + 1
                asked_seconds = min(
                    pause_seconds or self._retry_seconds or 0.0, self._limits.max_pause_seconds
                )
                await self._sleep(max(asked_seconds, self._backoff.seconds(attempt)))

    def _batch(self, intake: Intake, position: StreamPosition) -> EventBatch:
        return EventBatch(
            intake,
            self.source_id,
            self._key_of,
            position,
            max_events=self._limits.max_batch_events,
            batch_seconds=self._limits.batch_seconds,
            monotonic=self._monotonic,
        )

    async def _listen(self, http: aiohttp.ClientSession, resume_id: str | None, batch: EventBatch) -> bool:
        """Take what one connection brings; return whether the server wants no more clients."""
        headers = {} if resume_id is None else {"Last-Event-ID": resume_id}
        try:
            async with asyncio.timeout(self._limits.connect_timeout_seconds):
                # Redirects are refused: no other host than the one named is spoken to.
                response = await http.get(self._url, headers=headers, allow_redirects=False)
        except TimeoutError:
            raise _LostError("timeout", "no answer in time") from None
        except aiohttp.InvalidURL as error:
            raise SourceError(f"{self._url!r} is no address of a stream", url=self._url) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _LostError("connection_error", f"{type(error).__name__}: {error}") from None
        async with response:
            if response.status == 204:
                return True
            await self._check(response)
            self._observe("connected")
            try:
                await self._read(response.content, batch)
            except (aiohttp.ClientError, OSError) as error:
                await batch.flush()
                raise _LostError("connection_error", f"{type(error).__name__}: {error}") from None
        return False

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status >= 500 or status in _TRANSIENT_STATUSES:
            pause_seconds = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
            raise _LostError("http_error", f"answered {status}", pause_seconds)
        if status != 200:
            text = await self._excerpt(response)
            raise SourceError(
                f"{self._url} refuses with status {status}: {text!r}. Check the address of the stream and "
                "the User-Agent; a refused Last-Event-ID means that the stored place is unknown there",
                url=self._url,
                status=status,
            )
        if response.content_type != "text/event-stream":
            raise SourceError(
                f"{self._url} answers with {response.content_type}, which is no event stream: is the address "
                "right (…/v2/stream/NAME)?",
                url=self._url,
            )

    async def _excerpt(self, response: aiohttp.ClientResponse) -> str:
        try:
            async with asyncio.timeout(self._limits.connect_timeout_seconds):
                return (await response.content.read(300)).decode("utf-8", "replace")
        except (TimeoutError, aiohttp.ClientError, OSError):
            return ""

    async def _read(self, content: aiohttp.StreamReader, batch: EventBatch) -> None:
        parser = SseParser(self._limits.max_event_bytes)
        while True:
            batch_seconds = batch.seconds_left()
            idle_seconds = self._limits.idle_timeout_seconds
            try:
                async with asyncio.timeout(idle_seconds if batch_seconds is None else batch_seconds):
                    chunk = await content.readany()
            except TimeoutError:
                if batch_seconds is None:
                    raise _LostError("idle", f"silent for {idle_seconds:g} seconds") from None
                await batch.flush()
                continue
            if not chunk:
                await batch.flush()
                self._observe("closed")
                return
            for event in parser.feed(chunk):
                if event.kind == "message":
                    self._has_come = True
                    await batch.add(event)
                elif event.kind == "error":
                    await batch.flush()
                    reason = event.data[:300].decode("utf-8", "replace")
                    raise _LostError("server_error", f"the server reports {reason}")
            if parser.retry_seconds is not None:
                self._retry_seconds = parser.retry_seconds
            # A server that closes the connection meanwhile is asked again from the place where we stand.
            await batch.room()
