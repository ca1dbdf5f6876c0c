"""Several workers over a real Kafka broker that answer as one."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.integration.test_worker_kafka import Cluster, scored, until
from tests.kafka_broker import KafkaBroker
from tests.kafka_mirror import kafka_backlog, produce_events
from tests.programs import Answer, Program, ask

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

BATCH = "/v3/scores/samplewiki/?revids={}&format=json"


def without_place(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


def paths_of(program: Program, count: int) -> list[str]:
    """Return paths about revisions and pages that a worker says it has scored."""
    lines = [line for line in program.logged if line.get("outcome") == "scored"][:count]
    return [
        path
        for line in lines
        for path in (
            f"/scores/samplewiki/{line['rev_id']}",
            f"/scores/samplewiki/{line['rev_id']}?provenance=1",
            f"/pages/samplewiki/{line['page_id']}",
            f"/v3/scores/samplewiki/{line['rev_id']}",
        )
    ]


async def drained(cluster: Cluster) -> None:
    async with asyncio.timeout(120):
        while await kafka_backlog(cluster.broker.bootstrap, cluster.app_id):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.3)


async def test_every_worker_answers_alike_about_rows_of_all(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, tmp_path: Path
) -> None:
    cluster = Cluster(kafka_broker, tmp_path, f"{kafka_topic_prefix}app")
    with cluster.worker("first") as first, cluster.worker("second") as second:
        await until(lambda: first.get("/readyz").status == second.get("/readyz").status == 200)
        await produce_events(kafka_broker.bootstrap, cluster.lines)
        await drained(cluster)
        assert len(scored(first)) > 5
        assert len(scored(second)) > 5
        for path in (*paths_of(first, 20), *paths_of(second, 20)):
            here, there = first.get(path), second.get(path)
            assert here.status == 200, (path, here)
            assert without_place(here) == without_place(there), path
        rev_ids = [*scored(first)[:20], *scored(second)[:20]]
        batch = BATCH.format("|".join(map(str, rev_ids)))
        here, there = first.get(batch), second.get(batch)
        assert without_place(here) == without_place(there)
        scores = json.loads(here.body)["samplewiki"]["scores"]
        assert all("score" in scores[str(rev_id)]["reverted"] for rev_id in rev_ids)
        # What does not exist is absent for all, and said so at once.
        for path in ("/scores/samplewiki/999999999", "/pages/samplewiki/999999999"):
            assert first.get(path).status == second.get(path).status == 404
        assert b"revstream_peer_questions_total" in first.get("/metrics").body
        # Only who knows the token from the group is answered.
        assert ask(first.address + "/peers/lookup", b"nonsense").status == 401
        first.kill()
        # Nobody holds a copy: the truth is that nobody knows, until the other has recovered.
        gone = [f"/scores/samplewiki/{rev_id}" for rev_id in scored(first)[:10]]
        statuses = {second.get(path).status for path in gone}
        async with asyncio.timeout(90):
            while any(second.get(path).status != 200 for path in gone):
                seen = [second.get(path) for path in gone]
                statuses |= {answer.status for answer in seen}
                refused = [answer for answer in seen if answer.status == 503]
                assert all("retry-after" in answer.headers for answer in refused)
                await asyncio.sleep(0.1)
        assert statuses <= {200, 503}
        assert second.stop() == 0


async def test_a_standby_answers_and_takes_over_with_the_tail_alone(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, tmp_path: Path
) -> None:
    cluster = Cluster(kafka_broker, tmp_path, f"{kafka_topic_prefix}app")
    with (
        cluster.worker("first", standby_replicas="1") as first,
        cluster.worker("second", standby_replicas="1") as second,
    ):
        await until(lambda: first.get("/readyz").status == second.get("/readyz").status == 200)
        await produce_events(kafka_broker.bootstrap, cluster.lines)
        await drained(cluster)
        gone = [f"/scores/samplewiki/{rev_id}" for rev_id in scored(first)]
        assert len(gone) > 5
        before = {path: first.get(path).body for path in gone}
        await until(lambda: not second.get("/readyz").document["recovering"])
        first.kill()
        # Before anybody has noticed, the standby answers, and says how old that may be.
        answers = {path: second.get(path) for path in gone}
        assert {answer.status for answer in answers.values()} == {200}
        assert {path: answer.body for path, answer in answers.items()} == before
        assert "age" in answers[gone[0]].headers
        # All the while until it owns them itself, too.
        async with asyncio.timeout(90):
            while (answer := second.get(gone[0])).status != 200 or "age" in answer.headers:
                # For a moment its files are neither the standby's any more nor open as its own.
                assert {second.get(path).status for path in gone[:10]} <= {200, 503}
                await asyncio.sleep(0.1)
        assert {path: second.get(path).body for path in gone} == before
        taken = [line for line in second.logged if line.get("event") == "partitions_taken"]
        assert sum(line["rows_read"] for line in taken[-1:]) < len(gone)
        assert second.stop() == 0


async def test_while_partitions_move_to_a_new_worker_nothing_is_said_to_be_absent(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, tmp_path: Path
) -> None:
    cluster = Cluster(kafka_broker, tmp_path, f"{kafka_topic_prefix}app")
    with cluster.worker("first") as first:
        await until(lambda: first.get("/readyz").status == 200)
        await produce_events(kafka_broker.bootstrap, cluster.lines)
        await drained(cluster)
        known = [f"/scores/samplewiki/{rev_id}" for rev_id in scored(first)[::10]]
        expected = {path: first.get(path).body for path in known}
        with cluster.worker("second") as second:
            seen: set[int] = set()

            def both_answer() -> bool:
                """Ask both about all, and tell whether the new one owns some and all is answered."""
                answers = [worker.get(path) for worker in (first, second) for path in known]
                # Nobody listens yet where the new one has not come that far.
                seen.update(answer.status for answer in answers if answer.status)
                is_sharing = b'revstream_partitions{role="owned"} 2.0' in second.get("/metrics").body
                return is_sharing and {answer.status for answer in answers} == {200}

            await until(both_answer)
            assert seen <= {200, 503}
            for worker in (first, second):
                assert {path: worker.get(path).body for path in known} == expected
            assert second.stop() == first.stop() == 0
