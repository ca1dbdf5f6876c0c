"""Questions to other workers: those of one turn of the loop in one request, over connections that stay."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

import aiohttp
from msgspec import DecodeError
from msgspec.msgpack import Decoder, Encoder

from app.cluster.addresses import without_token
from app.cluster.node import Ask, Reply
from schemas.errors import OwnerUnavailable

PATH: Final = "/peers/lookup"
ASKS_MOST: Final = 100
CONTENT_TYPE: Final = "application/msgpack"
_ANSWER_SECONDS: Final = 2.0
_CONNECT_SECONDS: Final = 0.5
_CONNECTIONS: Final = 8
_KEEP_ALIVE_SECONDS: Final = 20.0
_WAITING_MOST: Final = 2000
# Whoever did not answer is not asked again for so long: the others need not wait for him.
_SILENT_SECONDS: Final = 0.5

encode_asks: Final = Encoder().encode
decode_asks: Final = Decoder(list[Ask]).decode
encode_replies: Final = Encoder().encode
decode_replies: Final = Decoder(list[Reply]).decode

_Waiting = tuple[Ask, "asyncio.Future[Reply]"]


class Peers:
    """A client of other workers' `PATH`. Use it on one loop.

    Args:
        clock: Seconds for durations.

    Attributes:
        asked: Questions by what came of them: ``answered`` or ``failed``.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._waiting: dict[str, list[_Waiting]] = {}
        self._in_flight: dict[str, int] = {}
        self._silent_until: dict[str, float] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self.asked = {"answered": 0, "failed": 0}

    async def ask(self, address: str, ask: Ask) -> Reply:
        """Ask a worker.

        Args:
            address: As it advertises itself: ``http://HOST:PORT``.
            ask: The question.

        Raises:
            OwnerUnavailable: It does not answer in time, or too many questions to it wait.
        """
        if self._clock() < self._silent_until.get(address, 0.0):
            raise _unavailable(address, "it did not answer a moment ago")
        if self._in_flight.get(address, 0) >= _WAITING_MOST:
            raise _unavailable(address, f"{_WAITING_MOST} questions to it wait already")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        waiting = self._waiting.setdefault(address, [])
        if not waiting:
            loop.call_soon(self._send, address)
        waiting.append((ask, future))
        self._in_flight[address] = self._in_flight.get(address, 0) + 1
        try:
            reply = await future
        except OwnerUnavailable:
            self.asked["failed"] += 1
            raise
        finally:
            self._in_flight[address] -= 1
        self.asked["answered"] += 1
        return reply

    def _send(self, address: str) -> None:
        waiting = self._waiting.pop(address, [])
        for start in range(0, len(waiting), ASKS_MOST):
            task = asyncio.create_task(self._exchange(address, waiting[start : start + ASKS_MOST]))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _exchange(self, address: str, waiting: Sequence[_Waiting]) -> None:
        try:
            replies = await self._post(address, [ask for ask, _ in waiting])
        except (aiohttp.ClientError, TimeoutError, OSError, DecodeError, ValueError) as error:
            self._silent_until[address] = self._clock() + _SILENT_SECONDS
            for _, future in waiting:
                if not future.done():
                    future.set_exception(_unavailable(address, f"{type(error).__name__} {error}".strip()))
            return
        for (_, future), reply in zip(waiting, replies, strict=True):
            if not future.done():
                future.set_result(reply)

    async def _post(self, address: str, asks: Sequence[Ask]) -> list[Reply]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, limit_per_host=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_SECONDS
                ),
                timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=_CONNECT_SECONDS),
                headers={"content-type": CONTENT_TYPE},
            )
        body = encode_asks(asks)
        try:
            return await self._post_once(self._session, address, body, len(asks))
        except aiohttp.ServerDisconnectedError:
            # The other side closed a connection that had been idle; a question may be asked twice.
            return await self._post_once(self._session, address, body, len(asks))

    async def _post_once(
        self, session: aiohttp.ClientSession, address: str, body: bytes, count: int
    ) -> list[Reply]:
        async with session.post(address.rstrip("/") + PATH, data=body) as response:
            answer = await response.read()
            if response.status != 200:
                raise ValueError(f"status {response.status}")
        replies = decode_replies(answer)
        if len(replies) != count:
            raise ValueError(f"{len(replies)} answers to {count} questions")
        return replies

    async def close(self) -> None:
        """Close the connections; what waits is told so."""
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        for waiting in self._waiting.values():
            for _, future in waiting:
                future.cancel()
        if self._session is not None:
            await self._session.close()
            self._session = None


def _unavailable(address: str, why: str) -> OwnerUnavailable:
    return OwnerUnavailable(
        f"The worker at {without_token(address)}, which the row belongs to, does not answer ({why}), and no "
        "other has a copy. Ask again in a few seconds."
    )
