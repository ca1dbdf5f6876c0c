"""One event in, all output streams out: real workers on the embedded engine and on a real Kafka broker."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from agents.embedded.log import Log
from schemas.keys import PAGE_CHANGE_TOPIC
from schemas.prediction import ScoreKind
from tests.artefacts import write_artefact
from tests.audit import records
from tests.contract.test_schemas_equal_in_effect import their_validator
from tests.fault.test_suppression import event, found, secret, suppression
from tests.input_events import encoded
from tests.kafka_broker import KafkaBroker
from tests.kafka_mirror import kafka_backlog, produce_events
from tests.log_events import append_events
from tests.programs import Program

WAIT_SECONDS = 90.0
PARTITIONS = 4


class Streams:
    """Output streams with names that nobody else has, and the rules that send to them."""

    def __init__(self, prefix: str, folder: Path) -> None:
        self.scores, self.pages, self.tags = (f"{prefix}{name}" for name in ("scores", "pages", "tags"))
        self.wiki_id = f"{prefix.replace('.', '')}wiki"
        write_artefact(folder / "models", "tiny", kind=ScoreKind.MULTICLASS)
        write_artefact(folder / "models", "other")
        (folder / "rules.yaml").write_text(
            f"rules: {{moss: {{topic: {PAGE_CHANGE_TOPIC}, "
            f"match: {{wiki_id: {self.wiki_id}, page_change_kind: edit}}, "
            f"output: {{revision_score: {self.scores}, prediction_classification_change: {self.pages}, "
            f"weighted_tags: {self.tags}}}}}}}"
        )
        models = json.dumps({self.wiki_id: {"models": {"topics": "tiny", "other": "other"}}})
        self.flags = (
            f"--wikis={models}",
            f"--model-folders={folder / 'models'}",
            f"--rules={folder / 'rules.yaml'}",
            f"--partitions={PARTITIONS}",
        )

    @property
    def all(self) -> tuple[str, ...]:
        return self.scores, self.pages, self.tags

    def events(self) -> list[bytes]:
        """Return edits of three pages, of which one is deleted and one is suppressed after that."""
        given = [
            *(encoded(event(1000 * page_id, page_id=page_id)) for page_id in (1, 2)),
            secret(3000, page_id=3, has_title=True),
            encoded(event(1000, page_id=1, kind="delete", minute=5)),
            suppression(3000, page_id=3, kind="delete"),
        ]
        return [encoded(json.loads(each) | {"wiki_id": self.wiki_id}) for each in given]

    def check(self, told: Mapping[str, list[Any]], shared: Path, *, is_erased: bool) -> None:
        """Check all that was told, by Wikimedia's own schemas as well."""
        for each in (one for stream in self.all for one in told[stream]):
            assert their_validator(shared, each["$schema"]).is_valid(each)
        changes = [each for each in told[self.scores] if each["meta"].get("domain") != "canary"]
        assert {each["rev_id"] for each in changes} == ({1000, 2000} if is_erased else {1000, 2000, 3000})
        assert all(each["scores"].keys() == {"topics", "other"} for each in changes)
        pages = sorted(
            (each["page"]["page_id"], each["changelog_kind"], each["predicted_classification"]["model_name"])
            for each in told[self.pages]
            if each["meta"].get("domain") != "canary"
        )
        models = ("other", "topics")
        assert pages == [
            *((1, kind, name) for kind in ("delete", "update") for name in models),
            *((2, "update", name) for name in models),
            *((3, kind, name) for kind in ("delete", "update")[: 1 if is_erased else 2] for name in models),
        ]
        tags = sorted(
            (each["page"]["page_id"], *each["weighted_tags"])
            for each in told[self.tags]
            if each["meta"].get("domain") != "canary"
        )
        assert tags == [
            (1, "clear"),
            (1, "set"),
            (2, "set"),
            *((3, kind) for kind in ("clear", "set")[: 1 if is_erased else 2]),
        ]
        notices = [each for stream in self.all[1:] for each in told[stream] if _is_notice(each)]
        assert len(notices) == 3
        assert all(
            each["page"]["page_title"] == "<suppressed>" and "uri" not in each["meta"] for each in notices
        )
        canaries = [
            one["meta"] for each in told.values() for one in each if one["meta"].get("domain") == "canary"
        ]
        assert {each["stream"] for each in canaries} == set(self.all)
        ids = [one["meta"]["id"] for each in told.values() for one in each]
        assert len(set(ids)) == len(ids)


def _is_notice(told: Any) -> bool:
    withdraws = told.get("changelog_kind") == "delete" or "clear" in told.get("weighted_tags", {})
    return bool(told["page"]["page_id"] == 3 and withdraws)


def test_on_the_embedded_engine_what_is_suppressed_goes_and_the_notice_of_it_stays(
    tmp_path: Path, shared: Path
) -> None:
    streams = Streams("moss.", tmp_path)
    flags = (*streams.flags, f"--data-dir={tmp_path / 'data'}")
    log = Log(tmp_path / "data" / "log.db")

    def told() -> Mapping[str, list[Any]]:
        log.refresh()
        return {
            stream: [json.loads(record.value or b"") for _, record in records(log, stream)]
            for stream in streams.all
        }

    with Program(tmp_path / "worker", "worker", *flags, "--http-port=0", "--log-format=json") as worker:
        worker.until_answered("/readyz")
        append_events(log, streams.events(), partitions=PARTITIONS)
        # From another process, beside the worker.
        with Program(tmp_path / "canary", "canary", *flags) as canary:
            assert canary.process.wait(timeout=WAIT_SECONDS) == 0
            assert len(canary.stdout.splitlines()) == 3
        worker.until(lambda: any(map(_is_notice, told()[streams.pages])))
        worker.until(lambda: not found(tmp_path / "data"))
        assert worker.stop() == 0
    streams.check(told(), shared, is_erased=True)
    log.close()


@pytest.mark.kafka
@pytest.mark.slow
async def test_on_kafka_every_stream_is_declared_and_told(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, tmp_path: Path, shared: Path
) -> None:
    streams = Streams(kafka_topic_prefix, tmp_path)
    bootstrap, app_id = kafka_broker.bootstrap, f"{kafka_topic_prefix}app"
    flags = (*streams.flags, f"--broker=kafka://{bootstrap}", f"--data-dir={tmp_path / 'data'}")
    more = (
        "--http-port=0",
        "--log-format=json",
        f"--app-id={app_id}",
        "--mediawiki-contact=moss@example.org",
    )
    with Program(tmp_path / "worker", "worker", *flags, *more) as worker:
        await asyncio.to_thread(worker.until_answered, "/readyz")
        await produce_events(bootstrap, streams.events())
        with Program(tmp_path / "canary", "canary", *flags) as canary:
            assert await asyncio.to_thread(canary.process.wait, WAIT_SECONDS) == 0
        deadline = time.monotonic() + WAIT_SECONDS
        while await kafka_backlog(bootstrap, app_id):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.3)
        assert await asyncio.to_thread(worker.stop) == 0
    streams.check(await read(bootstrap, streams.all), shared, is_erased=False)


async def read(bootstrap: str, topics: tuple[str, ...]) -> Mapping[str, list[Any]]:
    """Return what lies in some topics."""
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    told: dict[str, list[Any]] = {topic: [] for topic in topics}
    try:
        while batches := await consumer.getmany(timeout_ms=3000):
            for place, batch in batches.items():
                told[place.topic] += [json.loads(record.value) for record in batch]
    finally:
        await consumer.stop()
    return told
