"""`revstream snapshot export` of tables whose changelogs are on a real Kafka broker."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from agents.kafka import TopicSpec, declare_topics
from app.topic_readers import changelog_topics
from batch.snapshot import open_snapshot
from batch.snapshot_verify import verify_snapshot
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow, Withdrawal
from tables.codec import encode_row
from tests.programs import Program
from tests.rows import REV_DT, binary, row, stored

pytestmark = pytest.mark.kafka

PARTITIONS = 3
PAGES = 9
HIDDEN_PAGE = 4
WAIT_SECONDS = 120.0


async def test_an_export_has_what_a_broker_holds_and_nothing_withdrawn(
    tmp_path: Path, kafka_bootstrap: str, kafka_topic_prefix: str
) -> None:
    app_id = f"{kafka_topic_prefix}export"
    topics = changelog_topics(app_id)
    specs = [TopicSpec(topic, is_compacted=True, is_cut_alike=True) for topic in topics.values()]
    await declare_topics(kafka_bootstrap, specs, partitions=PARTITIONS)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()

    async def put(table: str, value: PredictionRow) -> None:
        key = row_key(value.wiki_id, value.page_id if table == PAGES_TABLE else value.rev_id)
        await producer.send(topics[table], encode_row(value), key, value.page_id % PARTITIONS)

    try:
        for rev_id in range(1, 91):
            scores = (stored(name, binary(rev_id / 100)) for name in ("damaging", "goodfaith"))
            await put(REVISIONS_TABLE, row(*scores, rev_id=rev_id, page_id=rev_id % PAGES))
        hidden = Withdrawal(is_hidden=True, acted_dt=REV_DT + timedelta(days=1), source_offset=9)
        await put(PAGES_TABLE, replace(row(rev_id=85, page_id=HIDDEN_PAGE), withdrawal=hidden))
        await producer.flush()
    finally:
        await producer.stop()

    arguments = (f"--into={tmp_path / 'snapshots'}", "--name=one")
    where = (f"--broker=kafka://{kafka_bootstrap}", f"--app-id={app_id}")
    with Program(tmp_path / "export", "snapshot", "export", *arguments, *where) as exporting:
        assert exporting.process.wait(timeout=WAIT_SECONDS) == 0, exporting.stderr
        document = json.loads(exporting.stdout)
    snapshot = open_snapshot(tmp_path / "snapshots" / "snapshot=one")
    expected = [rev_id for rev_id in range(1, 91) if rev_id % PAGES != HIDDEN_PAGE]
    assert document["rows"] == 2 * len(expected)
    found = list(snapshot.rows(model_name="damaging"))
    assert sorted(one.rev_id for one in found) == expected
    assert all(one.outcome == binary(one.rev_id / 100) for one in found)
    assert verify_snapshot(snapshot.path) == []
