"""A load test: requests sent at a steady rate, whether or not those before were answered.

Who waits for an answer before sending the next one asks a slow server less, and never sees how long others
would have waited. So each request has a time at which it is due, and its latency counts from then.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import uvloop

from app.load_mix import ListedRevision, LoadMix, LoadRequest
from app.load_report import LoadReport, route_report
from schemas.errors import NotReady

_TIMEOUT_SECONDS: Final = 30.0
_IN_FLIGHT_MOST: Final = 2_000
_LATE_SECONDS: Final = 0.010
_NEWEST_MOST: Final = 100
_JSON: Final = {"content-type": "application/json"}


class Target:
    """A running server, and what it can be asked about.

    Args:
        address: ``http://HOST:PORT``.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def models(self) -> dict[str, list[str]]:
        """Return the names of the models of each wiki.

        Raises:
            NotReady: Nobody answers there, or not as revstream does.
        """
        told = self._ask("/models")
        return {wiki_id: sorted(one["models"]) for wiki_id, one in told["wikis"].items()}

    def newest(self, wiki_ids: Sequence[str]) -> list[ListedRevision]:
        """Return revisions that are stored, the newest of some wikis."""
        found = []
        for wiki_id in wiki_ids:
            told = self._ask(f"/scores/{wiki_id}?limit={_NEWEST_MOST}")
            found += [ListedRevision(wiki_id, one["rev_id"]) for one in told["revisions"]]
        return found

    def _ask(self, path: str) -> Any:
        async def ask() -> Any:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_TIMEOUT_SECONDS)) as session,
                session.get(self.address + path, raise_for_status=True) as response,
            ):
                return await response.json()

        try:
            return uvloop.run(ask())
        except (OSError, aiohttp.ClientError, ValueError) as error:
            raise NotReady(
                f"{self.address}{path} does not answer as revstream does ({error}). Start revstream there, "
                "or name another address with --at."
            ) from error


def run_load_test(
    address: str, mix: LoadMix, *, rate: float, seconds: float, token: str = "", seed: int = 1
) -> LoadReport:
    """Send a mix of requests, and return what came of them.

    Args:
        address: Of the server.
        mix: What is asked.
        rate: Requests a second, on average; they come at random times, as those of many clients do.
        seconds: How long they are sent.
        token: Of those who post events.
        seed: Of the times.

    Raises:
        NotReady: Not one request was answered.
    """
    return uvloop.run(_Sender(address.rstrip("/"), rate, seconds, token, seed).run(mix))


class _Sender:
    def __init__(self, address: str, rate: float, seconds: float, token: str, seed: int) -> None:
        self._address = address
        self._rate = rate
        self._seconds = seconds
        self._secret: Mapping[str, str] = {"authorization": f"Bearer {token}"} if token else {}
        self._random = random.Random(seed)  # noqa: S311 - times, no secret
        self._answers: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self._late = 0

    async def run(self, mix: LoadMix) -> LoadReport:
        began_dt = datetime.now(UTC)
        connector = aiohttp.TCPConnector(limit=_IN_FLIGHT_MOST)
        timeout = aiohttp.ClientTimeout(_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            under_way: set[asyncio.Task[None]] = set()
            began = due = time.perf_counter()
            for request in mix:
                due += self._random.expovariate(self._rate)
                if due - began > self._seconds:
                    break
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                elif -wait > _LATE_SECONDS:
                    self._late += 1
                while len(under_way) >= _IN_FLIGHT_MOST:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                task = asyncio.create_task(self._send(session, request, due))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            if under_way:
                await asyncio.wait(under_way)
        answered = sum(status > 0 for answers in self._answers.values() for _, status in answers)
        if not answered:
            raise NotReady(f"{self._address} answered none of the requests. Is revstream running there?")
        routes = {name: route_report(answers, self._seconds) for name, answers in self._answers.items()}
        return LoadReport(self._address, began_dt, self._seconds, self._rate, self._late, routes)

    async def _send(self, session: aiohttp.ClientSession, request: LoadRequest, due: float) -> None:
        headers = {
            **(_JSON if request.body is not None else {}),
            **(self._secret if request.is_secret else {}),
        }
        try:
            async with session.request(
                request.method, self._address + request.path, data=request.body, headers=headers
            ) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = 0
        self._answers[request.route].append((time.perf_counter() - due, status))
