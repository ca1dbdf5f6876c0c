"""A load generator for one HTTP server on loopback: keep-alive connections, one request in flight on each.

``python -m tests.bench.http_load PORT CONNECTIONS SECONDS [PAUSE]`` reads paths from standard input, one a
line, and prints one JSON object. A pause, in seconds, is made on each connection before it asks again.
"""

import asyncio
import json
import sys
import time
from array import array
from collections.abc import Iterator
from itertools import cycle, islice
from typing import cast

import uvloop

_MOST_REQUESTS = 2_000_000
_TIMEOUT_SECONDS = 60.0


class _Connection(asyncio.Protocol):
    """Sends a request as soon as the answer to the one before is whole."""

    def __init__(
        self,
        requests: Iterator[bytes],
        deadline: float,
        latencies: "array[float]",
        done: asyncio.Event,
        pause_seconds: float,
    ) -> None:
        self._requests = requests
        self._deadline = deadline
        self._latencies = latencies
        self._done = done
        self._pause_seconds = pause_seconds
        self._received = b""
        self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head = received.find(b"\r\n\r\n")
        at = received.lower().find(b"content-length: ", 0, head) if head >= 0 else -1
        if at < 0:
            self._received = received
            return
        end = received.index(b"\r", at)
        if len(received) < head + 4 + int(received[at + 16 : end]):
            self._received = received
            return
        self._received = b""
        now = time.perf_counter()
        self._latencies.append(now - self._sent)
        self.failures += not received.startswith(b"HTTP/1.1 200 ")
        if now < self._deadline and self._pause_seconds:
            asyncio.get_running_loop().call_later(self._pause_seconds, self._send)
        elif now < self._deadline:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.failures += exc is not None
        self._done.set()

    def _send(self) -> None:
        if self._transport.is_closing():
            return
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


async def load(
    port: int, paths: list[str], *, connections: int, seconds: float, pause_seconds: float = 0.0
) -> dict[str, float]:
    """Ask a server for paths in turn, for a time; return requests/s and latencies in milliseconds."""
    encoded = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode() for path in paths]
    requests = islice(cycle(encoded), _MOST_REQUESTS)
    latencies: array[float] = array("d")
    loop = asyncio.get_running_loop()
    events = [asyncio.Event() for _ in range(connections)]
    started = time.perf_counter()
    protocols = []
    for event in events:
        _, protocol = await loop.create_connection(
            lambda event=event: _Connection(requests, started + seconds, latencies, event, pause_seconds),  # type: ignore[misc]  # a bound default
            "127.0.0.1",
            port,
        )
        protocols.append(protocol)
    async with asyncio.timeout(seconds + _TIMEOUT_SECONDS):
        await asyncio.gather(*(event.wait() for event in events))
    took = time.perf_counter() - started
    ordered = sorted(latencies)
    return {
        "requests": len(ordered),
        "requests_per_second": len(ordered) / took,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
        "failures": sum(protocol.failures for protocol in protocols),
    }


if __name__ == "__main__":
    port_text, connections_text, seconds_text, *pause_text = sys.argv[1:]
    print(
        json.dumps(
            uvloop.run(
                load(
                    int(port_text),
                    sys.stdin.read().split(),
                    connections=int(connections_text),
                    seconds=float(seconds_text),
                    pause_seconds=float(pause_text[0]) if pause_text else 0.0,
                )
            )
        )
    )
