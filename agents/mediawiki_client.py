"""Asks one wiki's api.php, politely and more than once if need be."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from agents.backoff import Backoff, retry_after_seconds
from agents.inflated import BodyDamaged, BodyTooLarge, inflated
from agents.mediawiki_answer import ApiError
from models.trace import carried_headers

Observe = Callable[[str, float], None]

_RATE_LIMIT_CODES = frozenset({"ratelimited", "too-many-requests"})
# What a wiki says of things that it does not have or does not show: asking again changes nothing.
_ABSENT_CODES = frozenset({"invalidtitle", "missingtitle", "nosuchpageid", "nosuchrevid", "permissiondenied"})


class Reply(Protocol):
    """One decoded answer, of whatever was asked for."""

    @property
    def error(self) -> ApiError | None:
        """Why there is nothing; None where there is something."""
        ...


_Reply = TypeVar("_Reply", bound=Reply)


class ClientLimits(Struct, frozen=True, kw_only=True):
    """How hard a wiki is asked.

    Attributes:
        max_attempts: Tries of one request, the first included.
        maxlag_seconds: A wiki whose replicas lag more refuses, and is asked later.
        max_wait_seconds: Longest pause that a wiki may impose by Retry-After.
        max_answer_bytes: Limit on one answer, uncompressed.
    """

    max_attempts: int = 5
    maxlag_seconds: int = 5
    max_wait_seconds: float = 60.0
    max_answer_bytes: int = 64 << 20


class Transient(Exception):
    """The same request may succeed later."""

    def __init__(self, outcome: str, reason: str, pause_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.pause_seconds = pause_seconds


class Refused(Exception):
    """The same request will fail again. ``absent_code`` is the wiki's own word for what it does not show."""

    def __init__(self, outcome: str, reason: str, absent_code: str | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.absent_code = absent_code


class Culprit(Exception):
    """One of the things asked for makes the request fail."""

    def __init__(self, outcome: str, reason: str, *, is_size: bool = False) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.is_size = is_size


class MediaWikiClient:
    """Sends requests to one api.php.

    Args:
        url: Of api.php.
        http: Session to use; it carries User-Agent, encodings and timeouts, and unpacks nothing.
        slots: Bounds the requests under way, over all wikis.
        limits: How hard to ask.
        backoff: Waits between attempts.
        observe: Called once a request with its outcome (``ok``, ``maxlag``, ``rate_limited``, ``http_error``,
            ``api_error``, ``invalid_answer``, ``too_large``, ``timeout``, ``connection_error``,
            ``cancelled``) and seconds.
        sleep: Waits; replaced in tests.
        monotonic: Clock in seconds.
    """

    def __init__(
        self,
        url: str,
        http: aiohttp.ClientSession,
        slots: asyncio.Semaphore,
        *,
        limits: ClientLimits,
        backoff: Backoff,
        observe: Observe,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self._http = http
        self._slots = slots
        self._limits = limits
        self._backoff = backoff
        self._observe = observe
        self._sleep = sleep
        self._monotonic = monotonic
        # A wiki that asked for a pause is left alone by every request until then.
        self._open_at = 0.0

    async def send(
        self, parameters: dict[str, str], decode: Callable[[bytes], _Reply], *, is_single: bool = True
    ) -> _Reply:
        """Send one request until it is answered or the attempts are used up.

        A fault that one of several things may cause is handed up at once: asking for the halves finds it,
        asking again does not.

        Args:
            parameters: Of the action; format and politeness are added.
            decode: Reads the answer, or raises ``msgspec.DecodeError``.
            is_single: Whether one thing is asked for.

        Raises:
            Transient: Each attempt failed.
            Refused: The wiki does not have it, does not show it, or is none.
            Culprit: One of the things asked for makes the request fail.
        """
        parameters = {
            "format": "json",
            "formatversion": "2",
            "maxlag": str(self._limits.maxlag_seconds),
            **parameters,
        }
        attempt = 1
        while True:
            pause_seconds = self._open_at - self._monotonic()
            if pause_seconds > 0:
                await self._sleep(pause_seconds)
            try:
                return await self._observed(parameters, decode)
            except (Transient, Culprit) as error:
                is_final = isinstance(error, Culprit) and (error.is_size or not is_single)
                if is_final or attempt >= self._limits.max_attempts:
                    raise
                if isinstance(error, Transient) and error.pause_seconds is not None:
                    bounded_seconds = min(error.pause_seconds, self._limits.max_wait_seconds)
                    self._open_at = max(self._open_at, self._monotonic() + bounded_seconds)
            await self._sleep(self._backoff.seconds(attempt))
            attempt += 1

    async def _observed(self, parameters: dict[str, str], decode: Callable[[bytes], _Reply]) -> _Reply:
        async with self._slots:
            start = self._monotonic()
            outcome = "ok"
            try:
                return await self._once(parameters, decode)
            except (Transient, Refused, Culprit) as error:
                outcome = error.outcome
                raise
            except TimeoutError as error:
                outcome = "timeout"
                raise Transient(outcome, f"{self.url} did not answer in time") from error
            except (aiohttp.ClientError, OSError) as error:
                outcome = "connection_error"
                detail = f"{type(error).__name__}: {error}"
                raise Transient(outcome, f"the connection to {self.url} failed: {detail}") from error
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            finally:
                self._observe(outcome, self._monotonic() - start)

    async def _once(self, parameters: dict[str, str], decode: Callable[[bytes], _Reply]) -> _Reply:
        # Redirects are refused: the host was chosen by us, and no other may be reached through it.
        asking = self._http.get(self.url, params=parameters, allow_redirects=False, headers=carried_headers())
        async with asking as response:
            pause_seconds = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
            body = await self._body(response)
            status = response.status
        reply = _decoded(body, decode)
        if reply is not None and reply.error is not None:
            raise self._failure(reply.error, pause_seconds)
        if status == 429:
            raise Transient("rate_limited", f"{self.url} answered 429: too many requests", pause_seconds)
        if status >= 500 or status == 408:
            raise Transient("http_error", f"{self.url} answered {status}", pause_seconds)
        if status != 200:
            raise Refused("http_error", f"{self.url} answered {status}: is the address right, and may we?")
        if reply is None:
            raise Transient("invalid_answer", f"{self.url} answered {len(body)} bytes that are no API answer")
        return reply

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size_bytes = 0
        async for chunk in response.content.iter_chunked(1 << 16):
            size_bytes += len(chunk)
            if size_bytes > self._limits.max_answer_bytes:
                # The rest is unread, so this connection can carry no other request.
                response.close()
                raise self._too_large()
            chunks.append(chunk)
        encoding = response.headers.get("Content-Encoding", "")
        try:
            return await inflated(b"".join(chunks), encoding, most_bytes=self._limits.max_answer_bytes)
        except BodyTooLarge:
            raise self._too_large() from None
        except BodyDamaged as error:
            reason = f"{self.url} answered what cannot be unpacked: {error}"
            raise Transient("invalid_answer", reason) from error

    def _too_large(self) -> Culprit:
        limit = self._limits.max_answer_bytes
        return Culprit("too_large", f"the answer of {self.url} is over {limit} bytes", is_size=True)

    def _failure(self, error: ApiError, pause_seconds: float | None) -> Transient | Refused | Culprit:
        reason = f"{self.url} refused with {error.code}: {error.info[:200]}"
        if error.code == "maxlag":
            return Transient("maxlag", reason, max(pause_seconds or 0.0, error.lag or 0.0))
        if error.code in _RATE_LIMIT_CODES:
            return Transient("rate_limited", reason, pause_seconds)
        if error.code in _ABSENT_CODES:
            return Refused("api_error", reason, error.code)
        if error.code.startswith("internal_api_error"):
            return Culprit("api_error", reason)
        return Transient("api_error", reason, pause_seconds)


def _decoded(body: bytes, decode: Callable[[bytes], _Reply]) -> _Reply | None:
    try:
        return decode(body)
    except msgspec.DecodeError:
        return None
