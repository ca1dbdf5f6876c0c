"""Rules and models changed under running processes: on the embedded engine, on replicas and on Kafka."""

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer

from agents.embedded.log import Log
from batch.sample_wiki import BUNDLED
from models.stages import Stage
from models.staging import admit_artefact, promote_artefact
from schemas.keys import PAGE_CHANGE_TOPIC
from tests.artefacts import write_artefact
from tests.audit import records
from tests.input_events import encoded, page_change
from tests.kafka_broker import KafkaBroker
from tests.programs import Answer, Program, ask

pytestmark = pytest.mark.slow

WIKIS = '--wikis={"mosswiki":{"models":{"revid":"testwiki-revid"}}}'
REVID_STREAM = "mediawiki.revision_score_revid"
_WHOLE_SAMPLE_SECONDS = 300.0
SAMPLE = '--wikis={"samplewiki":{"models":{"revid":"tiny-revid"}}}'


def event(rev_id: int, **fields: Any) -> bytes:
    made = page_change(wiki_id="mosswiki") | fields
    made["revision"] |= {"rev_id": rev_id}
    made["page"] |= {"page_id": rev_id}
    del made["meta"]["id"], made["meta"]["dt"]
    return encoded(made)


def rules(path: Path, output: str, *, topic: str = PAGE_CHANGE_TOPIC, kind: str = "edit") -> Path:
    """Write one rule, which sends scores to a stream of its own."""
    path.write_text(
        f"rules: {{moss: {{topic: {topic}, match: {{wiki_id: mosswiki, page_change_kind: {kind}}}, "
        f"output: {{revision_score: {output}}}}}}}"
    )
    return path


def post(program: Program, path: str, body: bytes = b"") -> Answer:
    return ask(program.address + path, body)


def metric(program: Program, name: str) -> float:
    lines = program.get("/metrics").body.decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), -1.0)


def applied(program: Program) -> float:
    return metric(program, 'revstream_config_reloads_total{outcome="applied"}')


def refused(program: Program) -> float:
    return metric(program, 'revstream_config_reloads_total{outcome="refused"}')


def told(log: Path, stream: str) -> list[Any]:
    """Return what a stream tells, in order."""
    opened = Log(log)
    try:
        return [json.loads(record.value) for _, record in records(opened, stream) if record.value]
    finally:
        opened.close()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a folder with a version that scores in the pool, and another that came in since."""
    folder = tmp_path / "models"
    write_artefact(folder, reads_content=True)
    write_artefact(folder, version="2.0.0", reads_content=True)
    admit_artefact(folder, "tiny-revid", "2.0.0")
    return folder


def promote(models: Path) -> None:
    promote_artefact([models], "tiny-revid@2.0.0", Stage.PRODUCTION, by="the tests", at=datetime.now(UTC))


def test_an_event_is_decided_by_the_rules_in_force_and_a_broken_file_leaves_them(tmp_path: Path) -> None:
    path = rules(tmp_path / "rules.yaml", "moss.before")
    flags = (WIKIS, f"--rules={path}", f"--data-dir={tmp_path / 'data'}", f"--content={BUNDLED.dump}")
    arguments = (*flags, "--http-port=0", "--intake=open", "--log-format=json")
    with Program(tmp_path / "worker", "worker", *arguments) as worker:
        worker.until_answered("/readyz")
        began = metric(worker, "revstream_config_hash")
        assert post(worker, "/v1/events", event(1)).status == 201
        worker.until_answered("/scores/mosswiki/1")

        path.write_text("rules: {moss: {topic: [}}")
        broken = post(worker, "/v1/reload")
        assert (broken.status, broken.document["error"]["code"]) == (409, "reload_refused")
        assert str(path) in broken.document["error"]["message"]
        assert post(worker, "/v1/events", event(2)).status == 201
        worker.until_answered("/scores/mosswiki/2")
        worker.process.send_signal(signal.SIGHUP)
        worker.until(lambda: refused(worker) == 2)
        assert metric(worker, "revstream_config_last_reload_successful") == 0
        assert "could not be put in force" in worker.get("/status").body.decode()
        status = worker.get("/status.json").document
        assert status["configuration"]["reloads_by_outcome"] == {"applied": 0, "refused": 2}
        assert status["tables"]["tables"]["revisions"]["keys"] > 0
        assert metric(worker, "revstream_config_hash") == began
        assert [one["code"] for one in worker.logged if one["event"] == "configuration_refused"] == [
            "settings_invalid"
        ] * 2

        rules(path, "moss.after")
        answer = post(worker, "/v1/reload")
        assert answer.status == 200, answer
        assert (answer.document["is_changed"], answer.document["rules"]) == (True, 1)
        assert metric(worker, "revstream_config_last_reload_successful") == 1
        assert metric(worker, "revstream_config_hash") != began
        assert not post(worker, "/v1/reload").document["is_changed"]
        assert post(worker, "/v1/events", event(3)).status == 201
        worker.until_answered("/scores/mosswiki/3")

        rules(path, "moss.after", kind="create")
        worker.process.send_signal(signal.SIGHUP)
        worker.until(lambda: applied(worker) == 3)
        assert post(worker, "/v1/events", event(4)).status == 201
        assert post(worker, "/v1/events", event(5, page_change_kind="create")).status == 201
        worker.until_answered("/scores/mosswiki/5")
        assert worker.get("/scores/mosswiki/4").status == 404
        assert worker.stop() == 0
    log = tmp_path / "data" / "log.db"
    streams = [told(log, name) for name in ("moss.before", "moss.after")]
    assert [sorted(one["rev_id"] for one in stream) for stream in streams] == [[1, 2], [3, 5]]


@contextmanager
def asked_all_the_while(ask_once: Callable[[], Answer]) -> Iterator[Counter[int]]:
    """Ask again and again while something is done, and count the statuses."""
    statuses: Counter[int] = Counter()
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(0.005):
            statuses[ask_once().status] += 1

    asking = threading.Thread(target=go_on)
    asking.start()
    try:
        yield statuses
    finally:
        is_over.set()
        asking.join(timeout=60)


def sample_worker(tmp_path: Path, models: Path, *more: str) -> Program:
    flags = (SAMPLE, f"--model-folders={models}", f"--data-dir={tmp_path / 'data'}", "--http-port=0")
    return Program(tmp_path / "worker", "run", *flags, "--log-format=json", *more)


def versions_told(log: Path) -> dict[int, str]:
    """Return revision to the version that was asked for its score, in the order in which they were told."""
    events = told(log, REVID_STREAM)
    answers = [(event["rev_id"], event.get("scores") or event["errors"]) for event in events]
    return {rev_id: answer["revid"]["model_version"] for rev_id, answer in answers}


def until_all_is_done(worker: Program) -> None:
    """Wait until the source has ended, and nothing it gave waits any more."""
    worker.until(lambda: "the source has ended" in worker.stderr, _WHOLE_SAMPLE_SECONDS)
    worker.until(lambda: waiting(worker) == 0, _WHOLE_SAMPLE_SECONDS)


def waiting(worker: Program) -> float:
    """Return how many events are not done."""
    lines = worker.get("/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("revstream_lag_events{"))


def assert_nothing_was_lost(worker: Program, log: Path) -> None:
    """Assert that each revision that the source told of is scored, unless it was withdrawn since."""
    edits = [one for one in told(log, PAGE_CHANGE_TOPIC) if one["page_change_kind"] in {"create", "edit"}]
    assert len(edits) > 100
    found = {one["revision"]["rev_id"] for one in edits}
    statuses = {rev_id: worker.get(f"/scores/samplewiki/{rev_id}").status for rev_id in found}
    assert {rev_id: status for rev_id, status in statuses.items() if status not in {200, 410}} == {}


def test_a_new_version_takes_over_under_a_steady_stream_and_no_look_up_fails(
    tmp_path: Path, models: Path
) -> None:
    with sample_worker(tmp_path, models, "--pace-events-per-second=30", "--intake=open") as worker:
        worker.until_answered("/scores/samplewiki/1")
        scorers = metric(worker, "revstream_scorers")
        with asked_all_the_while(lambda: worker.get("/scores/samplewiki/1")) as statuses:
            promote(models)
            answer = post(worker, "/v1/reload")
            assert answer.status == 200, answer
            assert answer.document["models_added"] == ["tiny-revid@2.0.0"]
            log = tmp_path / "data" / "log.db"
            worker.until(lambda: "2.0.0" in versions_told(log).values())
            # The processes of the former version leave once nothing is under way by it.
            worker.until(lambda: metric(worker, "revstream_scorers") == scorers)
        assert statuses.keys() == {200}
        assert post(worker, "/v1/reload").document["is_changed"] is False
        lines = worker.logged
        [switched, _] = [
            datetime.fromisoformat(line["timestamp"])
            for line in lines
            if line["event"] == "configuration_applied"
        ]
        assert worker.stop() == 0
    with sample_worker(tmp_path, models, "--pace-events-per-second=0") as worker:
        until_all_is_done(worker)
        assert_nothing_was_lost(worker, log)
        assert worker.stop() == 0
    by = versions_told(log)
    # One that had begun before the switch ends with the version that it began with.
    assert {by[rev_id] for rev_id in scored_between(lines, None, switched)} == {"1.0.0"}
    assert {by[rev_id] for rev_id in scored_between(lines, switched, None)} == {"2.0.0"}


def scored_between(
    lines: Sequence[dict[str, Any]], after: datetime | None, before: datetime | None
) -> set[int]:
    """Return the revisions that were begun after one moment, or done before another."""
    found = set()
    for line in lines:
        if line.get("outcome") != "scored":
            continue
        done = datetime.fromisoformat(line["timestamp"])
        began = done - timedelta(seconds=line["seconds"])
        if (before is not None and done < before) or (after is not None and began > after):
            found.add(line["rev_id"])
    assert found
    return found


def test_a_worker_killed_while_it_reloads_begins_again_with_the_new_version_and_loses_nothing(
    tmp_path: Path, models: Path
) -> None:
    log = tmp_path / "data" / "log.db"
    with sample_worker(tmp_path, models, "--pace-events-per-second=30") as worker:
        worker.until_answered("/scores/samplewiki/1")
        promote(models)
        scorers = metric(worker, "revstream_scorers")
        processes = len(worker.family())
        worker.process.send_signal(signal.SIGHUP)
        worker.until(lambda: len(worker.family()) > processes)
        assert metric(worker, "revstream_scorers") == scorers
        worker.kill()
    with sample_worker(tmp_path, models, "--pace-events-per-second=0") as worker:
        until_all_is_done(worker)
        assert worker.get("/models/samplewiki/revid").document["model_version"] == "2.0.0"
        assert_nothing_was_lost(worker, log)
        assert worker.stop() == 0
    assert set(versions_told(log).values()) == {"1.0.0", "2.0.0"}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_server_reloads_in_all_its_processes_and_those_that_come_later_too(
    tmp_path: Path, models: Path, processes: int
) -> None:
    flags = (SAMPLE, f"--model-folders={models}", "--http-port=0", "--log-format=json")
    log = f"--broker=embedded://{tmp_path / 'log.db'}"
    more = (log, f"--data-dir={tmp_path / 'data'}", f"--workers={processes}", "--intake=open")

    def shown(server: Program) -> set[str]:
        # A new connection each time: any of the processes answers.
        answers = [server.get("/models/samplewiki/revid") for _ in range(20)]
        return {one.document["model_version"] for one in answers if one.status == 200}

    with Program(tmp_path / "server", "serve", *flags, *more) as server:
        server.until_answered("/models/samplewiki/revid")
        assert shown(server) == {"1.0.0"}
        promote(models)
        with asked_all_the_while(lambda: server.get("/models/samplewiki/revid")) as statuses:
            server.process.send_signal(signal.SIGHUP)
            server.until(lambda: applied(server) == 1)
            server.until(lambda: shown(server) == {"2.0.0"})
        assert statuses.keys() == {200}
        stages = next(models.rglob("models.yaml"))
        sound = stages.read_bytes()
        stages.write_text("models: [")
        answer = post(server, "/v1/reload")
        assert (answer.status, answer.document["error"]["code"]) == (409, "reload_refused")
        server.until(lambda: refused(server) == 1)
        if processes > 1:
            # One that takes the place of another goes by what is in force, not by what is broken.
            for child in psutil.Process(server.process.pid).children():
                child.kill()
            server.until(lambda: metric(server, "revstream_serving_restarts_total") >= processes)
            server.until(lambda: shown(server) == {"2.0.0"})
        stages.write_bytes(sound)
        answer = post(server, "/v1/reload")
        assert (answer.status, answer.document["is_changed"]) == (200, False)
        server.until(lambda: applied(server) == 2)
        assert server.stop() == 0


@pytest.mark.kafka
async def test_on_kafka_other_streams_are_written_at_once_and_other_topics_want_a_restart(
    kafka_broker: KafkaBroker, kafka_topic_prefix: str, tmp_path: Path
) -> None:
    path = rules(tmp_path / "rules.yaml", f"{kafka_topic_prefix}before")
    flags = (WIKIS, f"--rules={path}", f"--data-dir={tmp_path / 'data'}", f"--content={BUNDLED.dump}")
    broker = (f"--broker=kafka://{kafka_broker.bootstrap}", f"--app-id={kafka_topic_prefix}app")
    arguments = (*flags, *broker, "--http-port=0", "--intake=open", "--log-format=json")
    with Program(tmp_path / "worker", "worker", *arguments) as worker:
        worker.until_answered("/readyz")
        assert post(worker, "/v1/events", event(1)).status == 201
        worker.until_answered("/scores/mosswiki/1")
        topic = f"{kafka_topic_prefix}elsewhere"
        rules(path, f"{kafka_topic_prefix}after", topic=f"[{PAGE_CHANGE_TOPIC}, {topic}]")
        answer = post(worker, "/v1/reload")
        assert (answer.status, answer.document["error"]["code"]) == (409, "reload_refused")
        assert topic in answer.document["error"]["message"]
        assert "POST /v1/restart" in answer.document["error"]["message"]
        rules(path, f"{kafka_topic_prefix}after")
        assert post(worker, "/v1/reload").status == 200
        assert post(worker, "/v1/events", event(2)).status == 201
        worker.until_answered("/scores/mosswiki/2")
        assert worker.stop() == 0
    before, after = f"{kafka_topic_prefix}before", f"{kafka_topic_prefix}after"
    assert await revisions_told(kafka_broker.bootstrap, before, after) == {before: [1], after: [2]}


async def revisions_told(bootstrap: str, *streams: str) -> dict[str, list[int]]:
    """Return the revisions that streams tell of."""
    consumer = AIOKafkaConsumer(*streams, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    told: dict[str, list[int]] = {stream: [] for stream in streams}
    try:
        while batches := await consumer.getmany(timeout_ms=3000):
            for place, batch in batches.items():
                told[place.topic] += [json.loads(record.value)["rev_id"] for record in batch]
    finally:
        await consumer.stop()
    return told
