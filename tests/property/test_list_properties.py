"""Lists hold what rows say, in whatever order scores, withdrawals, erasures and repeats came."""

import itertools
import weakref
from collections.abc import Coroutine, Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from faust.streams import _current_event
from faust.types import TP, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.embedded.topics import EmbeddedTopicReader
from agents.embedded.transport import Producer, Transport
from app.api.batch_lines import BatchLines, Plan
from app.api.documents import compact, row_document
from schemas.errors import PredictionWithdrawn
from schemas.keys import REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow
from tables.changelog import TopicRecord
from tables.codec import row_head
from tables.copies import Copy
from tables.follower import Follower
from tables.lists import ListedRows, PredictionLists
from tables.partition_files import OFFSET_KEY
from tables.predictions import Predictions
from tables.reader import Freshness, PredictionReader, RowSource
from tables.replica_reader import ReplicaReader
from tables.row_index import RowIndex, Stream, rows_of
from tables.withdrawal import Act
from tests.any_rows import START, few_rows
from tests.served import following, until
from tests.table_apps import table_app

SOURCE = "changes"
REV_IDS, PAGE_IDS = range(1, 5), range(1, 3)
# The log and the tables are the same for all examples: each has a wiki of its own.
_wikis = itertools.count(1)

scores = few_rows(rev_ids=st.sampled_from(REV_IDS), page_ids=st.sampled_from(PAGE_IDS)).map(
    lambda row: replace(row, withdrawal=None)
)
acts = st.builds(
    Act,
    wiki_id=st.just(""),
    page_id=st.sampled_from(PAGE_IDS),
    rev_id=st.sampled_from(REV_IDS),
    rev_dt=st.integers(0, 2).map(lambda seconds: START + timedelta(seconds=seconds)),
    acted_dt=st.integers(0, 3).map(lambda seconds: START + timedelta(seconds=seconds)),
    source_offset=st.integers(0, 2),
    is_hidden=st.booleans(),
)
erasures = acts.map(lambda act: replace(act, is_hidden=True, is_erasure=True))
steps = st.lists(
    st.tuples(st.just("score"), scores)
    | st.tuples(st.sampled_from(("page", "revision")), acts | erasures)
    | st.tuples(st.just("commit"), st.integers(1, 4)),
    max_size=25,
)


class Tables:
    """The worker's tables over an embedded log, written to and committed without a stream."""

    def __init__(self, folder: Path) -> None:
        self.app = table_app("lists", folder, topic_partitions=1)
        self.predictions = Predictions(self.app, partitions=1)
        self.app.consumer_generation_id = 1
        self.producer = cast(Producer, self.app.producer)
        self.next = self.committed = 0
        self.get = self.predictions.get
        self.get_many = self.predictions.get_many
        self.hidden_among = self.predictions.hidden_among
        self.listed = self.predictions.listed
        for topic in (SOURCE, *self.predictions.changelog_topics.values()):
            cast(Transport, self.app.transport).ensure_topic(topic)

    def freshness(self) -> Freshness:
        return Freshness(True, (), None)

    def handle(self, what: str, subject: Any) -> None:
        """Handle one event, whose number is the next one of the source."""
        message = Message(SOURCE, 0, self.next, 0.0, 0, None, b"", b"", None)
        message.generation_id = 1
        self.next += 1
        event: Any = self.app.create_event(b"", b"", None, message)
        token = _current_event.set(weakref.ref(event))
        try:
            if what == "score":
                finish(self.predictions.upsert(event, subject))
            elif what == "page":
                finish(self.predictions.act_on_page(event, subject))
            else:
                finish(self.predictions.act_on_revision(event, subject))
        finally:
            _current_event.reset(token)

    def commit(self, count: int) -> None:
        """Commit so many events more."""
        self.committed = min(self.next, self.committed + count)
        offsets = {TP(SOURCE, 0): self.committed}
        taken = self.producer.held.take(offsets, self.app.tables.changelog_topics)
        log = cast(Transport, self.app.transport).log
        taken.tell(log.transact(taken.records, group_id="lists", offsets=offsets))
        for store in self.predictions.stores.values():
            store.flush_committed(offsets)

    def unlisted(self, wiki_id: str) -> frozenset[int]:
        """Return the revisions with other scores, page or time than are committed.

        Look-ups show them with the withdrawal that they follow, lists once they are committed.
        """
        store = self.predictions.stores[REVISIONS_TABLE]
        keys = {rev_id: row_key(wiki_id, rev_id) for rev_id in REV_IDS}
        shown = {
            rev_id: (store.committed(key), store._db_for_partition(0).get(key))
            for rev_id, key in keys.items()
        }
        return frozenset(
            rev_id
            for rev_id, (row, written) in shown.items()
            if row is not None and (written is None or row_head(row) != row_head(written))
        )

    async def close(self) -> None:
        for store in self.predictions.stores.values():
            await store.stop()
        cast(Transport, self.app.transport).log.close()


@pytest.fixture
async def tables(tmp_path: Path) -> Any:
    tables = Tables(tmp_path)
    yield tables
    await tables.close()


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run to its end what only gives way to others."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as ended:
            return ended.value


def shown(rows: ListedRows, wiki_id: str, unlisted: frozenset[int] = frozenset()) -> list[PredictionRow]:
    """Return what look-ups show of a wiki, the newest first: the list made anew from the rows."""
    reader = PredictionReader(rows)
    found = []
    for rev_id in set(REV_IDS) - unlisted:
        try:
            row = reader.revision(wiki_id, rev_id)
        except PredictionWithdrawn:
            continue
        if row is not None:
            found.append(row)
    return sorted(found, key=lambda row: (row.rev_dt, row.rev_id), reverse=True)


async def paged(lists: PredictionLists, wiki_id: str, limit: int, page_id: int | None) -> list[PredictionRow]:
    """Return a whole list, taken in parts."""
    rows: list[PredictionRow] = []
    after = None
    while True:
        if page_id is None:
            part = await lists.newest(wiki_id, lambda _: True, after=after, limit=limit)
        else:
            found = lists.of_page(wiki_id, page_id, after=after, limit=limit)
            if found is None:
                return []
            part = found
        rows += part.rows
        assert len(part.rows) <= limit
        if part.next is None:
            return rows
        after = part.next


def check_batch(rows: RowSource, wiki_id: str) -> None:
    """Compare the lines of a batch with what look-ups show."""
    reader = PredictionReader(rows)
    plan = Plan(wiki_id, None, {}, needs_served=False)
    lines, _ = BatchLines(reader).lines(plan, REV_IDS)
    for rev_id, line in zip(REV_IDS, lines, strict=True):
        if line is not None:
            row = reader.revision(wiki_id, rev_id)
            assert row is not None
            assert line == compact(row_document(row, {})) + b"\n"


async def check(rows: ListedRows, wiki_id: str, limit: int, unlisted: frozenset[int] = frozenset()) -> None:
    """Compare all lists of a wiki with what look-ups show, but for revisions that lists need not have yet."""
    check_batch(rows, wiki_id)
    lists, expected = PredictionLists(rows), shown(rows, wiki_id, unlisted)
    listed = [row for row in await paged(lists, wiki_id, limit, None) if row.rev_id not in unlisted]
    assert listed == expected
    for page_id in PAGE_IDS:
        try:
            PredictionReader(rows).page(wiki_id, page_id)
        except PredictionWithdrawn as error:
            if error.fields["withdrawn"] == "page":
                with pytest.raises(PredictionWithdrawn):
                    await paged(lists, wiki_id, limit, page_id)
                continue
        found = await paged(lists, wiki_id, limit, page_id)
        listed = [row for row in found if row.rev_id not in unlisted]
        assert listed == [row for row in expected if row.page_id == page_id]


def arrived(index: RowIndex, table: str) -> list[tuple[int, bytes]]:
    stream = Stream(table, 0)
    return [(one.offset, one.key) for one in index.arrived(stream, index.floor(stream), 1_000_000)]


async def test_lists_are_those_made_anew_from_the_rows_wherever_the_rows_are(
    tables: Tables, tmp_path: Path
) -> None:
    wikis: list[str] = []

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps, st.integers(1, 3))
    def follow(taken: list[tuple[str, Any]], limit: int) -> None:
        wiki_id = f"wiki{next(_wikis)}"
        wikis.append(wiki_id)
        for what, subject in [*taken, ("commit", 1_000)]:
            if what == "commit":
                tables.commit(subject)
            else:
                tables.handle(what, replace(subject, wiki_id=wiki_id))
            # What is withdrawn is so at once, in lists as in look-ups.
            finish(check(tables, wiki_id, limit, tables.unlisted(wiki_id)))
        assert not tables.unlisted(wiki_id)

    follow()
    log = cast(Transport, tables.app.transport).log
    topics = dict(tables.predictions.changelog_topics)
    # A replica, a standby and a table that is made anew have the same.
    follower = Follower(EmbeddedTopicReader(tmp_path / "log.db"), tmp_path / "replica", topics)
    async with following(follower):
        await until(lambda: follower.freshness().is_ready)
        for wiki_id in wikis:
            assert shown(follower, wiki_id) == shown(tables, wiki_id)
            await check(follower, wiki_id, 2)
        for table in topics:
            assert arrived(follower, table) == arrived(tables.predictions, table)
        assert follower.heads() == tables.predictions.heads()
        with closing(ReplicaReader(follower.status, name="reader")) as reader:
            reader.refresh()
            for wiki_id in wikis:
                check_batch(reader, wiki_id)
    indexes = []
    for table, topic in topics.items():
        records = [
            TopicRecord(0, record.offset, record.key, record.value, record.timestamp_ms)
            for record in log.read(topic, 0, 0, limit=1_000_000)
        ]
        copy = Copy(tmp_path / f"copy-{table}", table)
        copy.apply(records)
        store = tables.predictions.stores[table]
        assert dict(copy.rows()) == dict(
            pair for pair in rows_of(store._db_for_partition(0)) if pair[0] != OFFSET_KEY
        )
        indexes.append(sorted(keys_of(copy)))
        assert indexes[-1] == sorted(keys_of(store))
        copy.close()
    assert indexes[0]
    assert not indexes[1]


def keys_of(one: Any) -> Iterable[bytes]:
    """Return all keys of both lists."""
    return [key for prefix in (b"\0\1", b"\0\2") for key in one.listed(prefix, prefix, 1_000_000)]
