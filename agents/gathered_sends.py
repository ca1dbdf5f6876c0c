"""A producer that hands what several events send to the client at once, so that it leaves in one request.

Each request to a broker takes the client as long as a look-up of a few hundred rows, however little is in it,
and each batch is compressed by itself. The client's own linger holds back each partition of each topic by its
own clock, so that many partitions still leave one by one.
"""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any, Final

from faust.transport.drivers.aiokafka import Producer
from faust.types import HeadersArg, RecordMetadata

GATHER_SECONDS: Final = 0.1

_Sent = asyncio.Future[RecordMetadata]
_Arguments = tuple[str, bytes | None, bytes | None, int | None, float | None, HeadersArg | None]


class GatheringProducer(Producer):
    """Faust's producer, whose records wait for others for `GATHER_SECONDS`, and keep their order."""

    _waiting: list[tuple[_Arguments, _Sent]]
    _sending: asyncio.Task[None] | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._waiting = []
        self._sending = None

    async def send(  # noqa: PLR0917 - Faust's
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: HeadersArg | None,
        *,
        transactional_id: str | None = None,
    ) -> Awaitable[RecordMetadata]:
        """Take a record; return a future of where it lies in the log.

        Raises:
            NotReady: The producer is not started, or has been stopped.
        """
        self._ensure_producer()
        future: _Sent = asyncio.get_running_loop().create_future()
        self._waiting.append(((topic, key, value, partition, timestamp, headers), future))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_soon(), name="gathered_sends")
        return future

    async def flush(self) -> None:
        """Wait until all that was taken is in the log."""
        await self._drain()
        await super().flush()

    async def on_stop(self) -> None:
        """Send what waits, then stop."""
        await self._drain()
        await super().on_stop()

    async def _drain(self) -> None:
        while self._sending is not None:
            await asyncio.wait((self._sending,))

    async def _send_soon(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(GATHER_SECONDS)
                waiting, self._waiting = self._waiting, []
                for arguments, future in waiting:
                    await self._send_one(arguments, future)
        finally:
            self._sending = None

    async def _send_one(self, arguments: _Arguments, future: _Sent) -> None:
        try:
            sent: Any = await super().send(*arguments)
        except Exception as error:
            if not future.done():
                future.set_exception(error)
        else:
            sent.add_done_callback(partial(_pass_on, future))


def _pass_on(future: _Sent, sent: _Sent) -> None:
    if future.done():
        return
    if sent.cancelled():
        future.cancel()
        return
    error = sent.exception()
    if error is None:
        future.set_result(sent.result())
    else:
        future.set_exception(error)
