"""A wiki that fails now and then, and is down for a while: nothing is lost, and nothing told twice."""

import asyncio
import contextlib
import json
import random
import re
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer

from agents.embedded.log import Log
from schemas.decode import peek_key
from schemas.keys import DEAD_LETTER_TOPIC
from schemas.revision_score import STREAM_PREFIX
from tests.audit import records
from tests.kafka_broker import KafkaBroker
from tests.kafka_mirror import mirror
from tests.log_events import append_events
from tests.mediawiki_api import Fault, MediaWikiApi, WikiRevision
from tests.pipelines import edit
from tests.programs import Program

# No other test over the same broker has it.
WIKI = "outagewiki"
PAGES = 12
EVENTS = 120
PARTITIONS = 4


class Weather(deque[Fault]):
    """What befalls requests to the wiki, one after the other, for as long as it lasts."""

    def __init__(self) -> None:
        super().__init__()
        self.failing_share = 0.2
        self._random = random.Random(5)

    def __bool__(self) -> bool:
        return self._random.random() < self.failing_share

    def popleft(self) -> Fault:
        return unavailable


async def unavailable(_: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


class Engine(Protocol):
    """All in which the engines differ."""

    flags: Sequence[str]
    is_exactly_once: bool

    async def give(self, events: Sequence[bytes]) -> None:
        """Let events come."""
        ...

    async def log(self) -> Log:
        """Return all topics after the worker has stopped."""
        ...


class Embedded:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "data" / "log.db"
        self.flags: Sequence[str] = ()
        self.is_exactly_once = True

    async def give(self, events: Sequence[bytes]) -> None:
        log = Log(self._path)
        append_events(log, events, partitions=PARTITIONS)
        log.close()

    async def log(self) -> Log:
        return Log(self._path)


class Kafka:
    """Two streams: one keyed by pages, one without keys and with partitions of its own."""

    def __init__(self, folder: Path, broker: KafkaBroker, prefix: str) -> None:
        self._folder = folder
        self._bootstrap = broker.bootstrap
        self._prefix = prefix
        self.app_id = f"{prefix}app"
        self.is_exactly_once = False
        rules = folder / "rules.yaml"
        rules.write_text(f"rules: {{all: {{topics: '/^{re.escape(prefix)}source/'}}}}")
        self.flags: Sequence[str] = (
            f"--broker=kafka://{self._bootstrap}",
            f"--app-id={self.app_id}",
            f"--rules={rules}",
        )

    async def create(self) -> None:
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic

        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        await admin.create_topics(
            [
                NewTopic(f"eqiad.{self._prefix}source-keyed", PARTITIONS, 1),
                NewTopic(f"{self._prefix}source-scattered", PARTITIONS + 3, 1),
            ]
        )
        await admin.close()

    async def give(self, events: Sequence[bytes]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
        await producer.start()
        for number, event in enumerate(events):
            if number % 3:
                await producer.send(f"eqiad.{self._prefix}source-keyed", event, peek_key(event))
            else:
                await producer.send(f"{self._prefix}source-scattered", event)
        await producer.stop()

    async def log(self) -> Log:
        path = self._folder / "mirror.db"
        await mirror(self._bootstrap, self.app_id, path)
        return Log(path)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    if request.param == "embedded":
        yield Embedded(tmp_path)
        return
    broker = request.getfixturevalue("kafka_broker")
    kafka = Kafka(tmp_path, broker, request.getfixturevalue("kafka_topic_prefix"))
    await kafka.create()
    yield kafka


def start(folder: Path, engine: Engine, api: MediaWikiApi) -> Program:
    """Start a worker that asks the stand-in for texts and repeats soon."""
    return Program(
        folder / f"worker-{time.monotonic_ns()}",
        "worker",
        f"--data-dir={folder / 'data'}",
        f"--partitions={PARTITIONS}",
        "--http-port=0",
        "--log-format=json",
        f'--wikis={{"{WIKI}":{{"models":{{"reverted":"enwiki-reverted"}}}}}}',
        "--content=mediawiki",
        "--mediawiki-contact=tests@example.org",
        f"--mediawiki-url={api.url}",
        "--mediawiki-max-attempts=1",
        "--retry-limit=30",
        "--retry-delay-seconds=0.5",
        "--retry-factor=1",
        "--wiki-pause-seconds=0.5",
        "--window-events=8",
        *engine.flags,
    )


def lag(topics: str) -> str:
    return f'revstream_lag_events{{topics="{topics}"}}'


async def metric(worker: Program, name: str) -> float:
    """Return the value of a metric; -1 where the worker does not tell."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", await told(worker), re.MULTILINE)
    return -1.0 if found is None else float(found[1])


async def told(worker: Program) -> str:
    """Return all metrics of a worker, which has to run."""
    assert worker.process.poll() is None
    return (await asyncio.to_thread(worker.get, "/metrics")).body.decode()


async def until_metric(worker: Program, name: str, *, is_zero: bool) -> None:
    async with asyncio.timeout(90):
        while (value := await metric(worker, name)) < 0 or (value == 0) is not is_zero:
            assert worker.process.poll() is None
            await asyncio.sleep(0.2)


async def until_handled(worker: Program, count: int) -> None:
    async with asyncio.timeout(90):
        while True:
            counts = re.findall(r"^revstream_events_total\{.*\} (\S+)$", await told(worker), re.MULTILINE)
            if sum(map(float, counts)) >= count:
                return
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def wiki() -> AsyncIterator[tuple[MediaWikiApi, Weather]]:
    weather = Weather()
    revisions = [
        WikiRevision(rev_id, f"Moss {rev_id} grows.", page_id=rev_id // 2 % PAGES + 1)
        for rev_id in range(1, 2 * EVENTS + 3)
    ]
    async with MediaWikiApi(revisions, faults=weather).serving() as api:
        yield api, weather


@pytest.mark.slow
async def test_a_wiki_that_fails_and_is_down_for_a_while_means_lag_and_no_loss(
    engine: Engine, tmp_path: Path
) -> None:
    rev_ids = range(2, 2 * EVENTS + 2, 2)
    events = [edit(rev_id, page_id=rev_id // 2 % PAGES + 1, wiki_id=WIKI) for rev_id in rev_ids]
    third = EVENTS // 3
    async with wiki() as (api, weather):
        with start(tmp_path, engine, api) as worker:
            await asyncio.to_thread(worker.until_answered, "/readyz")
            await engine.give([*events[:third], b'{"no":"event"}'])
            await until_handled(worker, third + 1)
            await until_metric(worker, lag("source"), is_zero=True)
            weather.failing_share = 1.0
            await engine.give(events[third : 2 * third])
            await until_metric(worker, "revstream_wikis_let_alone", is_zero=False)
            await until_metric(worker, lag("source"), is_zero=True)
            await until_metric(worker, lag("retry"), is_zero=False)
            await asyncio.to_thread(worker.kill)
        with start(tmp_path, engine, api) as worker:
            await asyncio.to_thread(worker.until_answered, "/readyz")
            await engine.give(events[2 * third :])
            await until_metric(worker, lag("source"), is_zero=True)
            weather.failing_share = 0.2
            await until_metric(worker, lag("retry"), is_zero=True)
            assert await metric(worker, "revstream_wikis_let_alone") == 0
            for rev_id in rev_ids:
                answer = worker.get(f"/scores/{WIKI}/{rev_id}")
                assert answer.status == 200
                assert "probability" in json.dumps(answer.document), answer.document
            newest = {rev_id // 2 % PAGES + 1: rev_id for rev_id in rev_ids}
            for page_id, rev_id in newest.items():
                assert worker.get(f"/pages/{WIKI}/{page_id}").document["rev_id"] == rev_id
            assert await asyncio.to_thread(worker.stop) == 0
    log = await engine.log()
    outputs = [one for one in _decoded(log, f"{STREAM_PREFIX}reverted") if one["database"] == WIKI]
    letters = _decoded(log, DEAD_LETTER_TOPIC)
    log.close()
    told = {output["meta"]["id"]: output for output in outputs}
    assert sorted(output["rev_id"] for output in told.values()) == list(rev_ids)
    assert all("scores" in output for output in outputs)
    # A repetition, which Kafka allows, says the same.
    assert all(output == told[output["meta"]["id"]] for output in outputs)
    if engine.is_exactly_once:
        assert max(Counter(output["meta"]["id"] for output in outputs).values()) == 1
        assert len(letters) == 1


def _decoded(log: Log, topic: str) -> list[Any]:
    return [msgspec.json.decode(record.value or b"") for _, record in records(log, topic)]
