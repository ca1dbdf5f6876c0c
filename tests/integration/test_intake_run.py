"""Events posted to a worker, on both engines: durable once they are accepted, and the same however often."""

import base64
import json
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from agents.embedded.log import Log
from batch.sample_wiki import BUNDLED
from schemas.keys import PAGE_CONTENT_CHANGE_TOPIC
from tests.audit import records
from tests.input_events import encoded, page_change
from tests.kafka_broker import KafkaBroker
from tests.kafka_mirror import mirror
from tests.programs import Answer, Program, ask

ENGINES = ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)]
TOKEN = "moss-on-a-stone"
# Each test has a wiki of its own, as their events lie in one topic of one broker.
MODELS = '--wikis={"mosswiki":{"models":{"revid":"testwiki-revid"}}}'
OUTPUT = "mediawiki.revision_score_revid"


class Engine(Struct, frozen=True):
    """Where a worker of a test keeps its events.

    Attributes:
        folder: For its files.
        app_id: Of the worker.
        broker: None on the embedded engine.
    """

    folder: Path
    app_id: str
    broker: KafkaBroker | None

    @contextmanager
    def worker(self, *options: str) -> Iterator[Program]:
        flags = [
            f"--app-id={self.app_id}",
            f"--data-dir={self.folder / 'data'}",
            f"--content={BUNDLED.dump}",
            "--http-port=0",
            "--log-format=json",
            "--intake=token",
            "--broker-session-timeout-seconds=3",
        ]
        if self.broker is not None:
            flags.append(f"--broker=kafka://{self.broker.bootstrap}")
        environment = {"REVSTREAM_INTAKE_TOKEN": TOKEN}
        with Program(self.folder, "worker", *flags, *options, environment=environment) as program:
            program.until_answered("/readyz")
            yield program

    async def outputs(self, rev_id: int) -> list[str]:
        """Return the ids of the score events of a revision, in order."""
        path = self.folder / "data" / "log.db"
        if self.broker is not None:
            path = self.folder / "mirror.db"
            path.unlink(missing_ok=True)
            await mirror(self.broker.bootstrap, self.app_id, path)
        log = Log(path)
        try:
            events = [json.loads(record.value or b"") for _, record in records(log, OUTPUT)]
        finally:
            log.close()
        return [event["meta"]["id"] for event in events if event["rev_id"] == rev_id]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    is_kafka = request.param == "kafka"
    broker = request.getfixturevalue("kafka_apart") if is_kafka else None
    return Engine(tmp_path, f"intake-{request.node.name.partition('[')[0]}"[:60], broker)


def event(rev_id: int, wiki_id: str = "mosswiki") -> bytes:
    made = page_change(wiki_id=wiki_id)
    made["revision"] |= {"rev_id": rev_id}
    del made["meta"]["id"], made["meta"]["dt"]
    return encoded(made)


def large_event(rev_id: int) -> bytes:
    """Return an event that no compression brings below what a broker takes."""
    made = json.loads(event(rev_id))
    return encoded(made | {"note": base64.b64encode(random.Random(rev_id).randbytes(3 << 19)).decode()})


def post(worker: Program, body: bytes, path: str = "/v1/events", token: str = TOKEN) -> Answer:
    return ask(worker.address + path, body, {"authorization": f"Bearer {token}"})


@pytest.mark.slow
async def test_an_accepted_event_outlives_a_crash_and_is_the_same_event_when_it_is_posted_again(
    engine: Engine,
) -> None:
    with engine.worker(MODELS) as worker:
        assert post(worker, event(9001), token="moss").status == 401
        assert post(worker, event(9001)).status == 201
        worker.kill()
    with engine.worker(MODELS) as worker:
        worker.until_answered("/scores/mosswiki/9001")
        assert post(worker, event(9001)).status == 201
        both = post(worker, b"[" + event(9002) + b',{"meta":{}}]')
        assert both.status == 207
        assert len(both.document["invalid"]) == 1
        assert post(worker, event(9003), "/v1/events?hasty=true").status == 202
        large = post(worker, large_event(9004))
        assert large.status == (201 if engine.broker is None else 400)
        if engine.broker is not None:
            assert "message.max.bytes" in large.document["invalid"][0]["context"]["errors"][0]["message"]
        worker.until_answered("/scores/mosswiki/9002")
        worker.until_answered("/scores/mosswiki/9003")
        assert TOKEN not in worker.stderr + worker.get("/metrics").body.decode()
        assert worker.stop() == 0
    ids = await engine.outputs(9001)
    assert len(ids) >= 2
    assert len(set(ids)) == 1


@pytest.mark.slow
def test_what_would_wait_too_long_is_refused_until_the_worker_has_caught_up(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api.php"
        options = [
            "--intake-backlog-events=1",
            "--content=mediawiki",
            "--mediawiki-contact=tests@example.org",
            f"--mediawiki-url={url}",
            "--mediawiki-max-attempts=1",
            "--content-wait-seconds=600",
            "--shutdown-timeout-seconds=1",
            '--wikis={"fernwiki":{"models":{"reverted":"enwiki-reverted"}}}',
        ]
        with engine.worker(*options) as worker:
            worker.until(lambda: post(worker, event(9004, "fernwiki")).status == 201)
            # Its wiki never answers, so that it waits for ever.
            worker.until(lambda: post(worker, event(9005, "fernwiki")).status == 503)
            refused = post(worker, event(9006, "fernwiki"))
            assert refused.document["error"]["code"] == "not_ready"
            assert "intake_backlog_events" in refused.document["error"]["message"]
            assert int(refused.headers["retry-after"]) > 0


def edit_with_text(rev_id: int, parent_id: int, text: str) -> bytes:
    made = json.loads(event(rev_id, "ivywiki"))
    made["meta"]["stream"] = PAGE_CONTENT_CHANGE_TOPIC
    made["revision"] |= {"rev_parent_id": parent_id}
    made["revision"]["content_slots"]["main"]["content_body"] = text
    return encoded(made)


@pytest.mark.slow
def test_edits_whose_events_carry_their_texts_are_scored_with_no_wiki_to_ask(engine: Engine) -> None:
    options = [
        '--wikis={"ivywiki":{"models":{"reverted":"enwiki-reverted"}}}',
        "--content=mediawiki",
        "--mediawiki-contact=tests@example.org",
        "--mediawiki-url=http://127.0.0.1:1/api.php",
        "--mediawiki-max-attempts=1",
        "--retry-limit=0",
    ]
    edits = (
        edit_with_text(1, 0, "Ivy."),
        edit_with_text(2, 1, "Ivy!"),
        edit_with_text(9, 8, "I"),
    )
    with engine.worker(*options) as worker:
        assert post(worker, b"[" + b",".join(edits) + b"]").status == 201
        answers = [worker.until_answered(f"/scores/ivywiki/{rev_id}").document for rev_id in (1, 2, 9)]
        metrics = worker.get("/metrics").body.decode()
        assert worker.stop() == 0
    assert all("prediction" in answer["scores"]["reverted"] for answer in answers[:2])
    # The parent of this one went by nowhere, so that the wiki had to be asked.
    assert answers[2]["scores"]["reverted"]["error"]["code"] == "content_unavailable"
    assert 'revstream_told_parents_total{origin="kept"} 1.0' in metrics
    assert 'revstream_told_parents_total{origin="wiki"} 1.0' in metrics
