"""A worker and its replicas restarted one after another, while a balancer sends look-ups to who is ready."""

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.programs import LIGHT_MODELS, Program

RATE = 200
DELAY = "--shutdown-delay-seconds=1"
REVISIONS = range(1, 6)


class Balancer:
    """Sends requests in turn to those that said to be ready a moment ago, and tries none twice.

    It keeps connections, and asks ``/readyz`` ten times a second, as balancers do.
    """

    def __init__(
        self, session: aiohttp.ClientSession, addresses: Sequence[str], rev_ids: Sequence[int]
    ) -> None:
        self._session = session
        self._rev_ids = rev_ids
        self._addresses = addresses
        self._turn = itertools.count()
        self.ready: list[str] = list(addresses)
        self.answers: Counter[str] = Counter()

    async def watch(self) -> None:
        while True:
            self.ready = [one for one in self._addresses if await self._is_ready(one)]
            await asyncio.sleep(0.1)

    async def _is_ready(self, address: str) -> bool:
        try:
            async with self._session.get(f"{address}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def send(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due += 1 / RATE
                await asyncio.sleep(max(0.0, due - loop.time()))
                group.create_task(self._ask(self._rev_ids[number % len(self._rev_ids)]))

    async def _ask(self, rev_id: int) -> None:
        if not self.ready:
            self.answers["nobody is ready"] += 1
            return
        address = self.ready[next(self._turn) % len(self.ready)]
        try:
            async with self._session.get(f"{address}/scores/samplewiki/{rev_id}") as response:
                body = await response.text()
                told = str(response.status)
                self.answers[told if response.status == 200 else f"{told} {address} {rev_id} {body}"] += 1
        except aiohttp.ClientError as error:
            self.answers[repr(error)] += 1


@asynccontextmanager
async def balanced(*addresses: str, rev_ids: Sequence[int] = REVISIONS) -> AsyncIterator[Balancer]:
    """Send look-ups while something is done."""
    async with aiohttp.ClientSession() as session:
        balancer = Balancer(session, addresses, rev_ids)
        tasks = [asyncio.create_task(balancer.watch()), asyncio.create_task(balancer.send())]
        try:
            yield balancer
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_no_look_up_fails_while_replicas_and_their_worker_are_restarted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    log = f"--broker=embedded://{data / 'log.db'}"
    worker_arguments = ("run", LIGHT_MODELS, "--http-port=0", f"--data-dir={data}", log, DELAY)

    def replica(number: int, port: int = 0) -> Program:
        folder = tmp_path / f"replica-{number}"
        arguments = (
            "serve",
            LIGHT_MODELS,
            f"--http-port={port}",
            f"--data-dir={folder / 'data'}",
            log,
            DELAY,
        )
        return Program(folder, *arguments)

    def wait(program: Program) -> str:
        for rev_id in REVISIONS:
            program.until_answered(f"/scores/samplewiki/{rev_id}")
        return program.address

    with Program(tmp_path / "worker", *worker_arguments, "--pace-events-per-second=0") as worker:
        wait(worker)
        with replica(0) as first, replica(1) as second:
            addresses = [await asyncio.to_thread(wait, one) for one in (first, second)]
            async with balanced(*addresses) as balancer:
                await asyncio.sleep(0.5)
                for number, old in enumerate((first, second)):
                    port = int(addresses[number].rpartition(":")[2])
                    assert await asyncio.to_thread(old.stop, signal.SIGTERM) == 0
                    new = replica(number, port)
                    (first, second)[number].process = new.process
                    await asyncio.to_thread(wait, new)
                    async with asyncio.timeout(20):
                        while addresses[number] not in balancer.ready:  # noqa: ASYNC110 - another task sets it
                            await asyncio.sleep(0.05)
                assert await asyncio.to_thread(worker.stop, signal.SIGTERM) == 0
                with Program(tmp_path / "again", *worker_arguments) as again:
                    await asyncio.to_thread(wait, again)
                    await asyncio.sleep(0.5)
    assert balancer.answers.keys() == {"200"}
    assert balancer.answers["200"] > 3 * RATE
