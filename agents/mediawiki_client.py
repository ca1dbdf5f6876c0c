"""Asks one wiki's api.php, politely and more than once if need be."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import aiohttp
import msgspec
from msgspec import Struct

from agents.backoff import Backoff, retry_after_seconds
from agents.mediawiki_answer import Absent, Answer, ApiError, Oversized, Part, Unanswered, parse_part

Observe = Callable[[str, float], None]

_RATE_LIMIT_CODES = frozenset({"ratelimited", "too-many-requests"})


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


class _Transient(Exception):
    """The same request may succeed later."""

    def __init__(self, outcome: str, reason: str, pause_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.pause_seconds = pause_seconds


class _Refused(Exception):
    """The same request will fail again, whatever is asked."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


class _Culprit(Exception):
    """One of the things asked for makes the request fail."""

    def __init__(self, outcome: str, reason: str, *, is_size: bool = False) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.is_size = is_size


class MediaWikiClient:
    """Asks one api.php for revisions and users by id.

    Args:
        url: Of api.php.
        http: Session to use; it carries User-Agent and timeouts.
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
        self._url = url
        self._http = http
        self._slots = slots
        self._limits = limits
        self._backoff = backoff
        self._observe = observe
        self._sleep = sleep
        self._monotonic = monotonic
        # A wiki that asked for a pause is left alone by every request until then.
        self._open_at = 0.0

    async def ask(self, rev_ids: Sequence[int], user_ids: Sequence[int]) -> Answer:
        """Return what the wiki says of some revisions and users, in one query where it can be one.

        Args:
            rev_ids: At most 50, distinct.
            user_ids: At most 50, distinct.
        """
        answer = Answer({}, {})
        reason = "the wiki's answer leaves it out"
        try:
            await self._ask_parts(rev_ids, user_ids, answer)
        except (_Transient, _Refused) as error:
            reason = str(error)
        except _Culprit as error:
            reason = str(error)
            for fewer_rev_ids, fewer_user_ids in _fewer(rev_ids, user_ids, answer):
                part = await self.ask(fewer_rev_ids, fewer_user_ids)
                answer.revisions.update(part.revisions)
                answer.users.update(part.users)
            if error.is_size and len(rev_ids) + len(user_ids) == 1:
                answer.revisions.update((rev_id, Oversized()) for rev_id in rev_ids)
                answer.users.update((user_id, Oversized()) for user_id in user_ids)
        for rev_id in rev_ids:
            answer.revisions.setdefault(rev_id, Unanswered(reason))
        for user_id in user_ids:
            answer.users.setdefault(user_id, Unanswered(reason))
        return answer

    async def _ask_parts(self, rev_ids: Sequence[int], user_ids: Sequence[int], answer: Answer) -> None:
        """Follow continuation until the wiki has told all; what came before a failure is kept."""
        parameters = self._parameters(rev_ids, user_ids)
        is_single = len(rev_ids) + len(user_ids) == 1
        resume: dict[str, str] = {}
        while True:
            part = await self._exchange(parameters | resume, is_single=is_single)
            known = len(answer.revisions) + len(answer.users)
            answer.revisions.update((rev_id, Absent()) for rev_id in part.absent_rev_ids)
            answer.revisions.update(part.revisions)
            answer.users.update(
                (user_id, Absent() if user.missing else user) for user_id, user in part.users.items()
            )
            if not part.resume:
                return
            if len(answer.revisions) + len(answer.users) == known:
                raise _Transient("invalid_answer", f"{self._url} continues without telling anything new")
            resume = part.resume

    def _parameters(self, rev_ids: Sequence[int], user_ids: Sequence[int]) -> dict[str, str]:
        parameters = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "maxlag": str(self._limits.maxlag_seconds),
        }
        if rev_ids:
            parameters |= {
                "prop": "revisions",
                "revids": "|".join(map(str, rev_ids)),
                "rvslots": "main",
                "rvprop": "ids|timestamp|user|userid|comment|content|contentmodel",
            }
        if user_ids:
            parameters |= {
                "list": "users",
                "ususerids": "|".join(map(str, user_ids)),
                "usprop": "groups|registration",
            }
        return parameters

    async def _exchange(self, parameters: dict[str, str], *, is_single: bool) -> Part:
        """Send one request until it is answered or the attempts are used up.

        A fault that one of several things may cause is handed up at once: asking for the halves finds it,
        asking again does not.
        """
        attempt = 1
        while True:
            pause_seconds = self._open_at - self._monotonic()
            if pause_seconds > 0:
                await self._sleep(pause_seconds)
            try:
                return await self._observed(parameters)
            except (_Transient, _Culprit) as error:
                is_final = isinstance(error, _Culprit) and (error.is_size or not is_single)
                if is_final or attempt >= self._limits.max_attempts:
                    raise
                if isinstance(error, _Transient) and error.pause_seconds is not None:
                    bounded_seconds = min(error.pause_seconds, self._limits.max_wait_seconds)
                    self._open_at = max(self._open_at, self._monotonic() + bounded_seconds)
            await self._sleep(self._backoff.seconds(attempt))
            attempt += 1

    async def _observed(self, parameters: dict[str, str]) -> Part:
        async with self._slots:
            start = self._monotonic()
            outcome = "ok"
            try:
                return await self._once(parameters)
            except (_Transient, _Refused, _Culprit) as error:
                outcome = error.outcome
                raise
            except TimeoutError as error:
                outcome = "timeout"
                raise _Transient(outcome, f"{self._url} did not answer in time") from error
            except (aiohttp.ClientError, OSError) as error:
                outcome = "connection_error"
                detail = f"{type(error).__name__}: {error}"
                raise _Transient(outcome, f"the connection to {self._url} failed: {detail}") from error
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            finally:
                self._observe(outcome, self._monotonic() - start)

    async def _once(self, parameters: dict[str, str]) -> Part:
        # Redirects are refused: the host was chosen by us, and no other may be reached through it.
        async with self._http.get(self._url, params=parameters, allow_redirects=False) as response:
            pause_seconds = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
            body = await self._body(response)
            status = response.status
        part = _parsed(body)
        if part is not None and part.error is not None:
            raise self._failure(part.error, pause_seconds)
        if status == 429:
            raise _Transient("rate_limited", f"{self._url} answered 429: too many requests", pause_seconds)
        if status >= 500 or status == 408:
            raise _Transient("http_error", f"{self._url} answered {status}", pause_seconds)
        if status != 200:
            raise _Refused("http_error", f"{self._url} answered {status}: is the address right, and may we?")
        if part is None:
            raise _Transient(
                "invalid_answer", f"{self._url} answered {len(body)} bytes that are no API answer"
            )
        return part

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size_bytes = 0
        async for chunk in response.content.iter_chunked(1 << 16):
            size_bytes += len(chunk)
            if size_bytes > self._limits.max_answer_bytes:
                # The rest is unread, so this connection can carry no other request.
                response.close()
                limit = self._limits.max_answer_bytes
                raise _Culprit("too_large", f"the answer of {self._url} is over {limit} bytes", is_size=True)
            chunks.append(chunk)
        return b"".join(chunks)

    def _failure(self, error: ApiError, pause_seconds: float | None) -> _Transient | _Culprit:
        reason = f"{self._url} refused with {error.code}: {error.info[:200]}"
        if error.code == "maxlag":
            return _Transient("maxlag", reason, max(pause_seconds or 0.0, error.lag or 0.0))
        if error.code in _RATE_LIMIT_CODES:
            return _Transient("rate_limited", reason, pause_seconds)
        if error.code.startswith("internal_api_error"):
            return _Culprit("api_error", reason)
        return _Transient("api_error", reason, pause_seconds)


def _parsed(body: bytes) -> Part | None:
    try:
        return parse_part(body)
    except msgspec.DecodeError:
        return None


def _fewer(
    rev_ids: Sequence[int], user_ids: Sequence[int], answer: Answer
) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Return smaller questions about what is not answered; none when there was but one thing to ask."""
    if len(rev_ids) + len(user_ids) == 1:
        return []
    open_rev_ids = [rev_id for rev_id in rev_ids if rev_id not in answer.revisions]
    open_user_ids = [user_id for user_id in user_ids if user_id not in answer.users]
    if open_user_ids and open_rev_ids:
        return [(open_rev_ids, ()), ((), open_user_ids)]
    middle_rev = (len(open_rev_ids) + 1) // 2
    middle_user = (len(open_user_ids) + 1) // 2
    questions = [
        (open_rev_ids[:middle_rev], open_user_ids[:middle_user]),
        (open_rev_ids[middle_rev:], open_user_ids[middle_user:]),
    ]
    return [question for question in questions if any(question)]
