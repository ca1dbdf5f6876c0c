"""Misses on workers and replicas over a real Kafka broker: one worker scores, everybody answers."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.kafka_broker import KafkaBroker
from tests.mediawiki_api import MediaWikiApi, WikiRevision
from tests.programs import Answer, Program

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

# No other test over the same broker has it.
WIKI = "clusterwiki"
REVISIONS = range(1, 61)
WAIT_SECONDS = 90.0


class SlowWiki(MediaWikiApi):
    """A wiki that takes its time, so that questions meet while one is worked on."""

    def scored(self) -> Counter[int]:
        """Return how often the text of each revision was asked for."""
        return Counter(
            int(number) for asked in self.requests for number in asked.get("revids", "").split("|") if number
        )


async def late(_: web.Request) -> web.StreamResponse | None:
    await asyncio.sleep(0.3)
    return None


@pytest.fixture(name="wiki")
async def wiki_fixture() -> AsyncIterator[SlowWiki]:
    revisions = [
        WikiRevision(rev_id, f"Moss {rev_id}.", page_id=rev_id, timestamp="2026-11-01T10:00:00Z")
        for rev_id in REVISIONS
    ]
    async with SlowWiki(revisions, chance=lambda: late).serving() as api:
        assert isinstance(api, SlowWiki)
        yield api


class Cluster:
    """Workers and replicas of one application, each with a data directory of its own."""

    def __init__(self, folder: Path, flags: Sequence[str], api: MediaWikiApi) -> None:
        self.folder = folder
        self.api = api
        self._flags = (
            *flags,
            "--http-port=0",
            "--log-format=json",
            f'--wikis={{"{WIKI}":{{"domain":"moss.example.org","models":{{"reverted":"enwiki-reverted"}}}}}}',
        )

    def worker(self, name: str) -> Program:
        return self._program(
            "worker",
            name,
            "--content=mediawiki",
            "--mediawiki-contact=tests@example.org",
            f"--mediawiki-url={self.api.url}",
            "--partitions=4",
            "--broker-session-timeout-seconds=3",
            "--standby-replicas=1",
        )

    def replica(self, name: str, *flags: str) -> Program:
        return self._program("serve", name, *flags)

    def _program(self, verb: str, name: str, *flags: str) -> Program:
        folder = self.folder / f"{name}-{time.monotonic_ns()}"
        return Program(folder, verb, f"--data-dir={self.folder / name}", *self._flags, *flags)


@pytest.fixture(name="cluster")
def cluster_fixture(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, tmp_path: Path, wiki: SlowWiki
) -> Cluster:
    flags = (f"--broker=kafka://{kafka_broker.bootstrap}", f"--app-id={kafka_topic_prefix}app")
    return Cluster(tmp_path, flags, wiki)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - other processes, which signal nothing
            await asyncio.sleep(0.1)


def path_of(rev_id: int) -> str:
    return f"/v3/scores/{WIKI}/{rev_id}/reverted"


@contextmanager
def asking_all(programs: Sequence[Program]) -> Iterator[Callable[[str], list[Answer]]]:
    """Give what asks all of them at the same time."""
    with ThreadPoolExecutor(len(programs)) as threads:
        yield lambda path: list(threads.map(lambda one: one.get(path), programs))


def is_score(answer: Answer, rev_id: int) -> bool:
    return answer.status == 200 and "score" in answer.document[WIKI]["scores"][str(rev_id)]["reverted"]


async def test_a_miss_asked_for_everywhere_at_a_time_is_scored_once_in_the_cluster(
    cluster: Cluster, wiki: SlowWiki
) -> None:
    with (
        cluster.worker("first") as first,
        cluster.worker("second") as second,
        cluster.replica("one") as one,
        cluster.replica("two") as two,
        cluster.replica("three", "--workers=2") as three,
    ):
        programs = [first, second, one, two, three]
        await until(lambda: all(program.get("/readyz").status == 200 for program in programs))
        await until(lambda: all('"count":2' in program.stderr for program in (one, two, three)))
        asked = REVISIONS[:12]
        with asking_all(programs) as ask_all:
            for rev_id in asked:
                answers = await asyncio.to_thread(ask_all, path_of(rev_id))
                assert all(is_score(answer, rev_id) for answer in answers), answers
                assert len({answer.body for answer in answers}) == 1
        assert wiki.scored() == dict.fromkeys(asked, 1)
        # Both had their share.
        counts = [program.get("/metrics").body.decode() for program in (first, second)]
        assert all('face="peers"' in text for text in counts)
        # It went to the tables, and from there to all, who say how old it may be.
        for program in (one, two, three):
            for rev_id in asked:
                await asyncio.to_thread(program.until_answered, f"/scores/{WIKI}/{rev_id}")
            assert "age" in program.get(path_of(asked[0])).headers
        assert wiki.scored() == dict.fromkeys(asked, 1)
        for program in reversed(programs):
            assert await asyncio.to_thread(program.stop) == 0
            assert "Traceback" not in program.stderr


async def test_replicas_answer_what_is_stored_while_workers_die_and_come_back(
    cluster: Cluster, wiki: SlowWiki
) -> None:
    stored, fresh = REVISIONS[:10], iter(REVISIONS[10:])
    with cluster.replica("one") as one, cluster.worker("second") as second:
        with cluster.worker("first") as first:
            await until(lambda: all(each.get("/readyz").status == 200 for each in (one, first, second)))
            for rev_id in stored:
                await until(lambda rev_id=rev_id: is_score(one.get(path_of(rev_id)), rev_id))  # type: ignore[misc]  # mypy takes no defaults in a lambda
            await until(lambda: {one.get(f"/scores/{WIKI}/{rev_id}").status for rev_id in stored} == {200})
            first.kill()
        # From the first moment on: what is stored is there, and the other worker scores what is not.
        for rev_id in stored:
            assert is_score(await asyncio.to_thread(one.get, path_of(rev_id)), rev_id)
        for rev_id in (next(fresh), next(fresh), next(fresh), next(fresh)):
            assert is_score(await asyncio.to_thread(one.get, path_of(rev_id)), rev_id)
        with cluster.worker("first") as again:
            await until(lambda: again.get("/readyz").status == 200)
            second.kill()
            for rev_id in stored:
                assert is_score(await asyncio.to_thread(one.get, path_of(rev_id)), rev_id)
            rev_id = next(fresh)
            await until(lambda: is_score(one.get(path_of(rev_id)), rev_id))
            again.kill()
        # Nobody is left who could score, and that is what is said.
        for rev_id in stored:
            answer = await asyncio.to_thread(one.get, path_of(rev_id))
            assert is_score(answer, rev_id)
            assert "age" in answer.headers
        answer = await asyncio.to_thread(one.get, path_of(next(fresh)))
        assert answer.status == 503
        assert "retry-after" in answer.headers
        assert "peer:" not in answer.body.decode()
        assert one.stop() == 0
    assert set(wiki.scored().values()) == {1}


async def test_a_replica_of_the_embedded_engine_has_its_worker_score(tmp_path: Path, wiki: SlowWiki) -> None:
    cluster = Cluster(tmp_path, (f"--broker=embedded://{tmp_path / 'log.db'}",), wiki)
    with cluster.replica("one") as one, cluster.replica("two", "--workers=2") as two:
        assert one.get(path_of(1)).status in {0, 503}
        with cluster.worker("only") as worker:
            await until(lambda: all(each.get("/readyz").status == 200 for each in (one, two, worker)))
            await until(lambda: '"count":1' in one.stderr and '"count":1' in two.stderr)
            with asking_all([one, two, worker]) as ask_all:
                for rev_id in REVISIONS[:5]:
                    answers = await asyncio.to_thread(ask_all, path_of(rev_id))
                    assert all(is_score(answer, rev_id) for answer in answers), answers
            assert wiki.scored() == dict.fromkeys(REVISIONS[:5], 1)
            await until(
                lambda: one.get(f"/scores/{WIKI}/1").status == two.get(f"/scores/{WIKI}/1").status == 200
            )
            assert await asyncio.to_thread(worker.stop) == 0
        assert is_score(await asyncio.to_thread(one.get, path_of(1)), 1)
        assert (await asyncio.to_thread(one.get, path_of(9))).status == 503
        assert one.stop() == two.stop() == 0
