"""Two workers over a real Kafka broker, through a crash of one and a restart of the broker."""

import asyncio
import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.kafka import TopicSpec, declare_topics
from app.settings import Settings, load_settings
from batch.local_source import DumpRevisionSource
from batch.sample_wiki import SampleFiles, SampleSpec, generate
from schemas.errors import BrokerUnavailable, SettingsError
from schemas.keys import PAGE_CHANGE_TOPIC
from tests.audit import Audit, ServedModels, audit
from tests.kafka_broker import KafkaBroker
from tests.kafka_mirror import kafka_backlog, mirror, produce_events
from tests.programs import Program

pytestmark = pytest.mark.kafka

REVISIONS = 240
PARTITIONS = 4
WAIT_SECONDS = 90.0


@pytest.fixture(scope="module", name="kafka_broker")
def kafka_broker_fixture(kafka_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker of which all is audited: no other test's events may be there."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka-audited"))
    broker.start()
    yield broker
    broker.stop()


class Cluster:
    """A broker, a generated wiki, and workers of one application."""

    def __init__(self, broker: KafkaBroker, folder: Path, app_id: str) -> None:
        self.broker = broker
        self.folder = folder
        self.app_id = app_id
        self.files: SampleFiles = generate(SampleSpec(pages=30, revisions=REVISIONS, packing="gz"), folder)
        lines = gzip.decompress(self.files.events.read_bytes()).splitlines()
        self.lines = [*lines[: len(lines) // 2], b'{"no":"event"}', *lines[len(lines) // 2 :]]

    @property
    def flags(self) -> dict[str, str]:
        return {
            "app_id": self.app_id,
            "broker": f"kafka://{self.broker.bootstrap}",
            "partitions": str(PARTITIONS),
            "http_port": "0",
            "log_format": "json",
        }

    def program(self, verb: str, name: str, **flags: str) -> Program:
        """Start a command with a data directory of its own, which a second start of that name finds again."""
        given = self.flags | flags | {"data_dir": str(self.folder / f"{name}-data")}
        if verb == "serve":
            del given["partitions"]
        options = [f"--{flag.replace('_', '-')}={text}" for flag, text in given.items()]
        return Program(self.folder / f"{name}-{time.monotonic_ns()}", verb, *options)

    def worker(self, name: str, **flags: str) -> Program:
        return self.program(
            "worker",
            name,
            content=str(self.files.dump),
            broker_session_timeout_seconds="3",
            window_events="8",
            **flags,
        )

    def settings(self) -> Settings:
        return load_settings(flags=self.flags, environ={}, cwd=self.folder)

    async def audit(self) -> Audit:
        """Compare all that is on the broker with what its events ask for."""
        await mirror(self.broker.bootstrap, self.app_id, self.folder / "mirror" / "log.db")
        return await audit(
            data_dir=self.folder / "mirror",
            app_id=self.app_id,
            lines=self.lines,
            models=ServedModels.of(self.settings()),
            content=DumpRevisionSource(self.files.dump, cache_dir=self.folder / "scratch"),
            is_at_least_once=True,
        )


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not is_so():  # noqa: ASYNC110 - other processes, which signal nothing
            await asyncio.sleep(0.1)


def scored(program: Program) -> list[int]:
    """Return the revisions that a worker says it has scored."""
    return [line["rev_id"] for line in program.logged if line.get("outcome") == "scored"]


@pytest.mark.slow
async def test_two_workers_lose_and_double_nothing_when_one_is_killed_and_the_broker_restarts(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, tmp_path: Path
) -> None:
    cluster = Cluster(kafka_broker, tmp_path, f"{kafka_topic_prefix}app")
    third = len(cluster.lines) // 3
    with cluster.worker("first") as first, cluster.worker("second") as second:
        await until(lambda: first.get("/readyz").status == second.get("/readyz").status == 200)
        await produce_events(kafka_broker.bootstrap, cluster.lines[:third])
        # Both share the partitions.
        await until(lambda: len(scored(first)) > 5 and len(scored(second)) > 5)
        first.kill()
        await produce_events(kafka_broker.bootstrap, cluster.lines[third : 2 * third])
        await asyncio.to_thread(kafka_broker.restart)
        await produce_events(kafka_broker.bootstrap, cluster.lines[2 * third :])
        with cluster.worker("first") as again, cluster.program("serve", "replica") as replica:
            async with asyncio.timeout(WAIT_SECONDS):
                while await kafka_backlog(kafka_broker.bootstrap, cluster.app_id):
                    assert again.process.poll() is second.process.poll() is None
                    await asyncio.sleep(0.5)
            rev_id = scored(second)[-1]
            await until(lambda: replica.get(f"/scores/samplewiki/{rev_id}").status == 200)
            answer = replica.get(f"/scores/samplewiki/{rev_id}")
            assert "age" in answer.headers
            assert replica.stop() == again.stop() == second.stop() == 0
            # The answer outlives the workers, in every process that follows them.
            assert json.loads(answer.body)["rev_id"] == rev_id
    found = await cluster.audit()
    assert found.scored_events > REVISIONS * 0.8
    assert found.faults == 0, found


async def test_another_number_of_partitions_is_refused_and_named(
    kafka_bootstrap: str, kafka_topic_prefix: str
) -> None:
    topic = f"{kafka_topic_prefix}source"
    topics = [TopicSpec(topic, is_compacted=True, is_cut_alike=True)]
    await declare_topics(kafka_bootstrap, topics, partitions=2)
    await declare_topics(kafka_bootstrap, topics, partitions=2)
    with pytest.raises(SettingsError, match="has 2 partitions, and the setting partitions is 3"):
        await declare_topics(kafka_bootstrap, topics, partitions=3)


async def test_a_broker_that_is_not_there_is_named() -> None:
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 cannot be used"):
        await declare_topics("127.0.0.1:1", [TopicSpec(PAGE_CHANGE_TOPIC)], partitions=1)
