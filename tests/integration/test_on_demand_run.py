"""On-demand scoring by real workers: a miss becomes a hit, on both engines."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.fault.test_bad_input import write_parsing_model
from tests.integration.test_wiki_outage import PARTITIONS, Embedded
from tests.kafka_broker import KafkaBroker
from tests.kafka_mirror import produce_events
from tests.mediawiki_api import MediaWikiApi, WikiRevision
from tests.pipelines import edit
from tests.programs import Program
from tests.unit.test_withdrawals import act

# No other test over the same broker has it.
WIKI = "demandwiki"
REVISIONS = range(1, 41)
SLOW = 900
WAIT_SECONDS = 60.0

Give = Callable[[Sequence[bytes]], Awaitable[None]]


class Engine:
    """An engine with as many workers as it may have."""

    def __init__(self, workers: int, flags: Sequence[str], give: Give) -> None:
        self.workers = workers
        self.flags = flags
        self.give = give


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "embedded":
        return Engine(1, (), Embedded(tmp_path / "0").give)
    broker: KafkaBroker = request.getfixturevalue("kafka_session")
    app_id = request.getfixturevalue("kafka_topic_prefix") + "app"
    flags = (f"--broker=kafka://{broker.bootstrap}", f"--app-id={app_id}")

    async def give(events: Sequence[bytes]) -> None:
        await produce_events(broker.bootstrap, events)

    return Engine(2, flags, give)


def start(folder: Path, number: int, engine: Engine, api: MediaWikiApi) -> Program:
    """Start a worker that asks the stand-in for texts."""
    return Program(
        folder / f"worker-{number}-{time.monotonic_ns()}",
        "worker",
        f"--data-dir={folder / str(number) / 'data'}",
        f"--partitions={PARTITIONS}",
        "--http-port=0",
        "--log-format=json",
        f"--model-folders={folder / 'models'}",
        f'--wikis={{"{WIKI}":{{"domain":"moss.example.org",'
        '"models":{"reverted":"enwiki-reverted","parsing":"parsing"}}}',
        "--content=mediawiki",
        "--mediawiki-contact=tests@example.org",
        f"--mediawiki-url={api.url}",
        "--score-cpu-limit-seconds=1",
        *engine.flags,
    )


@pytest.fixture
async def api() -> AsyncIterator[MediaWikiApi]:
    revisions = [
        WikiRevision(
            rev_id, f"Moss {rev_id} grows.", page_id=rev_id // 4 + 1, timestamp="2026-11-01T10:00:00Z"
        )
        for rev_id in REVISIONS
    ]
    hostile = WikiRevision(SLOW, "{{a|" * 8192, page_id=SLOW, timestamp="2026-11-01T10:00:00Z")
    async with MediaWikiApi([*revisions, hostile]).serving() as wiki:
        yield wiki


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - other processes, which signal nothing
            await asyncio.sleep(0.05)


async def ready(workers: Sequence[Program]) -> None:
    for worker in workers:
        await asyncio.to_thread(worker.until_answered, "/readyz")


def counted(workers: Sequence[Program], name: str) -> int:
    """Return the sum of a metric over workers."""
    pattern = re.compile(rf"^{re.escape(name)} (\S+)$", re.MULTILINE)
    texts = [worker.get("/metrics").body.decode() for worker in workers]
    return sum(int(float(each)) for text in texts for each in pattern.findall(text))


@pytest.mark.slow
async def test_what_was_asked_for_once_is_stored_wherever_it_belongs_and_withdrawn_like_all(
    engine: Engine, api: MediaWikiApi, tmp_path: Path
) -> None:
    write_parsing_model(tmp_path / "models")
    numbers = range(engine.workers)
    workers = [start(tmp_path, number, engine, api) for number in numbers]
    try:
        await ready(workers)
        rev_ids = "|".join(map(str, REVISIONS))
        path = f"/v3/scores/{WIKI}?revids={rev_ids}"
        answer = await asyncio.to_thread(workers[0].get, path)
        assert answer.status == 200
        scores = answer.document[WIKI]["scores"]
        assert [one for one in scores.values() if not all("score" in each for each in one.values())] == []
        # One by one, and whichever worker is asked.
        for worker in workers:
            for rev_id in REVISIONS:
                await until(lambda w=worker, r=rev_id: w.get(f"/scores/{WIKI}/{r}").status == 200)  # type: ignore[misc]  # mypy takes no defaults in a lambda
        asked = len(api.requests)
        assert (await asyncio.to_thread(workers[-1].get, path)).document == answer.document
        assert len(api.requests) == asked
        assert counted(workers, 'revstream_on_demand_stored_total{outcome="kept"}') == len(REVISIONS)

        # A text that takes too long is answered as ORES does, and is not tried again.
        hostile = f"/v3/scores/{WIKI}/{SLOW}/parsing"
        for _ in range(2):
            answer = await asyncio.to_thread(workers[0].get, hostile)
            error = answer.document[WIKI]["scores"][str(SLOW)]["parsing"]["error"]
            assert error["type"] == "TimeoutError"
            await until(lambda: workers[0].get(f"/scores/{WIKI}/{SLOW}").status == 200)
        assert counted(workers, 'revstream_scorer_kills_total{limit="cpu"}') == 1

        # Restarted, they have it still; and a deletion takes it away.
        codes = [await asyncio.to_thread(worker.stop) for worker in workers]
        assert codes == [0] * engine.workers
        workers = [start(tmp_path, number, engine, api) for number in numbers]
        await ready(workers)
        page_id = 3
        await engine.give([act("delete", 8, minute=30, page_id=page_id, wiki_id=WIKI)])
        await until(lambda: workers[0].get(f"/scores/{WIKI}/9").status == 410)
        assert workers[-1].get(f"/scores/{WIKI}/{REVISIONS[-1]}").status == 200
        await engine.give([edit(50, page_id=20, wiki_id=WIKI)])
        for worker in workers:
            assert await asyncio.to_thread(worker.stop) == 0
            assert "Traceback" not in worker.stderr
            assert "too_many_requests" not in json.dumps(worker.logged)
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                await asyncio.to_thread(worker.kill)
