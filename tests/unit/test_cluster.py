"""Rows found with the worker that owns them, over real HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from agents.assignor import Placement
from app.api.asgi import create_api
from app.api.on_demand import OnDemand
from app.api.server import bind, run_server
from app.cluster.addresses import authorization_of, with_token, without_token
from app.cluster.finder import ClusterFinder
from app.cluster.node import Ask, HistoryPart, Node
from app.cluster.peering import Peering
from app.cluster.peers import PATH, Peers
from app.metrics import Face, Metrics
from app.stream_app import StreamApp
from schemas.catalogue import Catalogue
from schemas.errors import OwnerUnavailable, PredictionWithdrawn, Recovering
from schemas.keys import PAGES_TABLE, PLACES, REVISIONS_TABLE, place_key, place_partition, row_key
from tables.codec import encode_row
from tables.copies import Copies
from tables.lists import ListedRows, PredictionLists
from tables.predictions import CommittingTables, Predictions, PredictionTable
from tables.reader import Freshness, PredictionReader
from tests.pipelines import WIKI, CommittedRows, edit, pipeline
from tests.programs import ask
from tests.replica_log import TOPICS, MemoryLog, MemoryTopicReader
from tests.served import until
from tests.unit.test_withdrawals import delete

PLACES_TOPIC = "test-places"
PARTITIONS = 2
REVISIONS = list(range(1, 31))
NO_SCORES = cast(OnDemand, None)
NOWHERE = "http://127.0.0.1:9"


class Worker:
    """What one worker holds, served at an address."""

    def __init__(self, predictions: Predictions, log: MemoryLog, folder: Path) -> None:
        topics = {**TOPICS, PLACES: PLACES_TOPIC}
        self.copies = Copies(
            MemoryTopicReader(log),
            topics,
            lambda table, partition: folder / f"{table}-{partition}.db",
            poll_seconds=0.01,
        )
        self.reader = PredictionReader(CommittedRows(predictions))
        self.node = Node(predictions, self.reader, self.copies, partitions=PARTITIONS)
        self.metrics = Metrics()
        self.address = ""
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        listener = bind("127.0.0.1", 0)
        self.address = with_token(f"http://127.0.0.1:{listener.getsockname()[1]}")
        api = create_api(
            reader=self.reader,
            catalogue=Catalogue({}),
            on_demand=None,
            readiness=tuple,
            metrics=self.metrics,
            peering=Peering(authorization_of(self.address), NO_SCORES, NO_SCORES, self.node),
        )
        self._tasks = [
            asyncio.create_task(run_server(api, "", 0, stop=self._stop, listener=listener)),
            asyncio.create_task(self.copies.run()),
        ]

    async def follow(self, table: str, partitions: list[int]) -> None:
        self.copies.follow(table, partitions)
        await until(lambda: all(self.copies.whole(table, each) for each in partitions))

    async def stop(self) -> None:
        self._stop.set()
        await self._tasks[0]
        self._tasks[1].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks[1]
        await self.copies.close()

    @property
    def requests(self) -> int:
        return sum(self.metrics.faces[Face.PEERS].statuses.values())


class Cluster:
    """An owner of all rows, another worker that holds none, and what finds rows for that one."""

    def __init__(self, owner: Worker, other: Worker, log: MemoryLog) -> None:
        self.owner, self.other, self.log = owner, other, log
        self.peers = Peers()
        self.placement = Placement({0: owner.address, 1: owner.address}, {})
        self.finder = ClusterFinder(other.node, self.peers, lambda: self.placement, lambda: other.address)

    def copy_rows(self) -> None:
        """Write what the owner has to the changelogs that standbys follow."""
        for table, numbers in ((REVISIONS_TABLE, REVISIONS), (PAGES_TABLE, [31])):
            for number in numbers:
                find = self.owner.reader.revision if table == REVISIONS_TABLE else self.owner.reader.page
                row = find(WIKI, number)
                assert row is not None
                self.log.append(TOPICS[table], row_key(WIKI, number), encode_row(row))


def idle_predictions(folder: Path) -> Predictions:
    """Return the tables of a worker that has no partition."""
    app = StreamApp(
        "idle",
        broker=f"embedded://{folder / 'idle.db'}",
        store="committed://",
        datadir=str(folder / "idle"),
        Table=PredictionTable,
        TableManager=CommittingTables,
    )
    return Predictions(app, partitions=PARTITIONS)


@contextlib.asynccontextmanager
async def cluster(folder: Path, *more: bytes) -> AsyncIterator[Cluster]:
    async with pipeline(folder) as given:
        for rev_id in REVISIONS:
            given.give(edit(rev_id))
        given.give(*more)
        await given.until_done()
        log = MemoryLog(partitions=PARTITIONS)
        log.topics[PLACES_TOPIC] = [{} for _ in range(PARTITIONS)]
        for table, numbers in ((REVISIONS_TABLE, REVISIONS), (PAGES_TABLE, [31])):
            for number in numbers:
                key = place_key(table, row_key(WIKI, number))
                log.append(PLACES_TOPIC, key, b"0", partition=place_partition(key, PARTITIONS))
        owner = Worker(given.predictions, log, folder / "owner")
        other = Worker(idle_predictions(folder), log, folder / "other")
        for worker in (owner, other):
            await worker.start()
        await owner.follow(PLACES, [0, 1])
        made = Cluster(owner, other, log)
        try:
            yield made
        finally:
            await made.peers.close()
            for worker in (owner, other):
                await worker.stop()


async def test_a_row_is_found_with_its_owner_as_it_is_there(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        found = await made.finder.revision(WIKI, 7)
        assert found.row == made.owner.reader.revision(WIKI, 7)
        assert found.row is not None
        assert found.freshness == Freshness(True, (), None)
        assert (await made.finder.page(WIKI, 31)).row == made.owner.reader.page(WIKI, 31)
        assert made.peers.asked == {"answered": 2, "failed": 0}


async def test_what_is_nowhere_is_absent_for_certain(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        assert (await made.finder.revision(WIKI, 999)).row is None
        assert (await made.finder.page("otherwiki", 31)).row is None
        # With the places at hand nobody is asked about what is nowhere.
        await made.other.follow(PLACES, [0, 1])
        before = made.owner.requests
        assert (await made.finder.revision(WIKI, 999)).row is None
        assert made.owner.requests == before
        assert (await made.finder.revision(WIKI, 7)).row is not None


async def test_a_batch_is_one_request(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        found = await asyncio.gather(*(made.finder.revision(WIKI, rev_id) for rev_id in (*REVISIONS, 999)))
        assert [one.row is not None for one in found] == [True] * len(REVISIONS) + [False]
        assert made.owner.requests == 1


async def test_what_is_withdrawn_does_not_leave_its_worker_and_is_told_in_the_same_words(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path, delete) as made:
        reply = made.owner.node.answer(Ask(REVISIONS_TABLE, WIKI, 7, 0))
        assert (reply.kind, reply.withdrawn, reply.row) == ("withdrawn", "page", None)
        with pytest.raises(PredictionWithdrawn) as here:
            made.owner.reader.revision(WIKI, 7)
        with pytest.raises(PredictionWithdrawn) as there:
            await made.finder.revision(WIKI, 7)
        assert (there.value.message, there.value.fields) == (
            here.value.message,
            {**here.value.fields, "rev_id": 7},
        )


async def test_an_owner_that_is_gone_is_named_and_is_no_404(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        made.placement = Placement({0: NOWHERE, 1: NOWHERE}, {})
        with pytest.raises(OwnerUnavailable) as raised:
            await made.finder.revision(WIKI, 7)
        assert raised.value.retryable
        assert made.peers.asked["failed"] == 1
        made.placement = Placement({}, {})
        with pytest.raises(Recovering):
            await made.finder.revision(WIKI, 7)


async def test_a_standby_answers_for_an_owner_that_is_gone_and_says_its_age(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        made.copy_rows()
        for table in (REVISIONS_TABLE, PAGES_TABLE):
            await made.other.follow(table, [0])
        await made.other.follow(PLACES, [0, 1])
        made.placement = Placement({0: NOWHERE, 1: NOWHERE}, {0: (made.other.address,)})
        found = await made.finder.revision(WIKI, 7)
        assert found.row == made.owner.reader.revision(WIKI, 7)
        age_seconds = found.freshness.age_seconds
        assert age_seconds is not None
        assert 0 <= age_seconds < 60
        # What the standby lacks may be late: nobody can say that it does not exist.
        key = place_key(REVISIONS_TABLE, row_key(WIKI, 500))
        made.log.append(PLACES_TOPIC, key, b"0", partition=place_partition(key, PARTITIONS))
        places = made.other.copies.whole(PLACES, place_partition(key, PARTITIONS))
        assert places is not None
        await until(lambda: places.get(key) is not None)
        with pytest.raises(OwnerUnavailable):
            await made.finder.revision(WIKI, 500)


async def test_a_standby_elsewhere_is_asked_too(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        made.placement = Placement(
            {0: NOWHERE, 1: NOWHERE}, {0: (made.owner.address,), 1: (made.owner.address,)}
        )
        assert (await made.finder.revision(WIKI, 7)).row is not None


async def test_a_page_has_the_same_history_wherever_it_is_asked_for(tmp_path: Path) -> None:
    newest_first = sorted(REVISIONS, reverse=True)
    async with cluster(tmp_path) as made:
        part, found = HistoryPart(limit=12), list[int]()
        while True:
            history = (await made.finder.history(WIKI, 31, part)).part
            assert history is not None
            found += [row.rev_id for row in history.rows]
            if history.next is None:
                break
            part = HistoryPart(12, *history.next)
        assert sorted(found, reverse=True) == newest_first
        here = PredictionLists(cast(ListedRows, made.owner.reader.source)).of_page(WIKI, 31, limit=500)
        assert here is not None
        assert [row.rev_id for row in here.rows] == found
        assert (await made.finder.history(WIKI, 999, HistoryPart(limit=5))).part is None


async def test_a_standby_tells_a_history_and_its_age(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        made.copy_rows()
        for table in (REVISIONS_TABLE, PAGES_TABLE):
            await made.other.follow(table, [0])
        await made.other.follow(PLACES, [0, 1])
        made.placement = Placement({0: NOWHERE, 1: NOWHERE}, {0: (made.other.address,)})
        found = await made.finder.history(WIKI, 31, HistoryPart(limit=500))
        assert found.part is not None
        assert len(found.part.rows) == len(REVISIONS)
        assert found.freshness.age_seconds is not None


async def test_a_worker_of_before_there_were_histories_is_not_taken_for_one_without_rows(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path) as made:
        answer = made.owner.node.answer
        made.owner.node.answer = lambda ask: answer(replace(ask, history=None))  # type: ignore[method-assign]  # as one of before
        with pytest.raises(Recovering):
            await made.finder.history(WIKI, 31, HistoryPart(limit=5))


async def test_a_hidden_page_has_no_history_anywhere(tmp_path: Path) -> None:
    async with cluster(tmp_path, delete) as made:
        with pytest.raises(PredictionWithdrawn):
            await made.finder.history(WIKI, 31, HistoryPart(limit=5))
        reply = made.owner.node.answer(Ask(PAGES_TABLE, WIKI, 31, 0, HistoryPart(limit=5)))
        assert (reply.kind, reply.history) == ("withdrawn", None)


async def test_nonsense_is_refused(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        url = without_token(made.owner.address) + PATH
        shown = {"authorization": authorization_of(made.owner.address)}
        answer = await asyncio.to_thread(ask, url, b"\xc1", shown)
        assert answer.status == 400
        with pytest.raises(ValueError, match="NUL"):
            await made.finder.revision("a\0b", 1)


async def test_where_copies_are_kept_a_look_up_waits_while_a_partition_changes_hands(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        after = made.placement
        made.placement = Placement({0: NOWHERE, 1: NOWHERE}, {0: (NOWHERE,), 1: (NOWHERE,)})
        finding = asyncio.create_task(made.finder.revision(WIKI, 7))
        await until(lambda: made.peers.asked["failed"] > 0)
        made.placement = after
        assert (await finding).row is not None
