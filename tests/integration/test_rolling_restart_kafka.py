"""Workers of one cluster restarted one after another, while a balancer sends look-ups to who is ready."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.integration.test_rolling_restart import RATE, Balancer, balanced
from tests.integration.test_worker_kafka import Cluster, scored, until
from tests.kafka_broker import KafkaBroker
from tests.kafka_mirror import kafka_backlog, produce_events
from tests.programs import Program

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

NAMES = ("first", "second", "third")


async def drained(cluster: Cluster) -> None:
    async with asyncio.timeout(120):
        while await kafka_backlog(cluster.broker.bootstrap, cluster.app_id):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.3)


def worker(cluster: Cluster, name: str, port: int = 0) -> Program:
    return cluster.worker(name, standby_replicas="1", shutdown_delay_seconds="1", http_port=str(port))


def is_copied(program: Program) -> bool:
    """Tell whether a worker is ready and fills nothing, neither its own nor a copy."""
    ready = program.get("/readyz")
    return ready.status == 200 and not ready.document.get("recovering")


async def until_ready(balancer: Balancer, address: str) -> None:
    async with asyncio.timeout(120):
        while address not in balancer.ready:  # noqa: ASYNC110 - another task sets it
            await asyncio.sleep(0.05)


async def test_no_look_up_fails_while_the_workers_of_a_cluster_are_restarted(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, tmp_path: Path
) -> None:
    cluster = Cluster(kafka_broker, tmp_path, f"{kafka_topic_prefix}app")
    programs = [worker(cluster, name) for name in NAMES]
    try:
        await until(lambda: all(is_copied(one) for one in programs))
        await produce_events(kafka_broker.bootstrap, cluster.lines)
        await drained(cluster)
        known = [rev_id for one in programs for rev_id in scored(one)[:20]]
        known = [rev_id for rev_id in known if programs[0].get(f"/scores/samplewiki/{rev_id}").status == 200]
        assert len(known) > 20
        await until(lambda: all(is_copied(one) for one in programs))
        addresses = [one.address for one in programs]
        async with balanced(*addresses, rev_ids=known) as balancer:
            await asyncio.sleep(0.5)
            for number, name in enumerate(NAMES):
                assert await asyncio.to_thread(programs[number].stop, signal.SIGTERM) == 0
                port = int(addresses[number].rpartition(":")[2])
                programs[number] = worker(cluster, name, port)
                await until_ready(balancer, addresses[number])
                await until(lambda: all(is_copied(one) for one in programs))
        assert balancer.answers.keys() == {"200"}
        assert balancer.answers["200"] > 3 * RATE
        for program in programs:
            assert program.stop() == 0
    finally:
        for program in programs:
            program.__exit__(None, None, None)
