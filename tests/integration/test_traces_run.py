"""A real worker whose traces come to a real collector."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agents.embedded.headers import unpacked
from agents.embedded.intake import LogIntake
from agents.embedded.log import Log
from agents.embedded.writer import LogWriter
from agents.intake import SourceEvent
from schemas.keys import DEAD_LETTER_TOPIC
from schemas.keys import PAGE_CHANGE_TOPIC as TOPIC
from tests.audit import records
from tests.conftest import ROOT
from tests.mediawiki_api import MediaWikiApi, WikiRevision
from tests.otel_collector import Collector, collecting
from tests.pipelines import WIKI, edit
from tests.programs import Answer, Program, ask
from tests.unit.test_withdrawals import act

EDIT, OLD = 1205, 900
CALLER = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "vendor=moss",
    "x-request-id": "3f1c-request",
}
TRACE_ID, SPAN_ID = CALLER["traceparent"].split("-")[1:3]
CONSUMER, PRODUCER, SERVER = 5, 4, 2
# What page changes and the wiki here hold, and nobody is to be told.
SECRETS = (b"Moss", b"moss grows", b"Editor", b"a comment")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture
async def api() -> AsyncIterator[MediaWikiApi]:
    revisions = [
        WikiRevision(rev_id, f"moss grows {rev_id}.", parent, page_id=31, title="Talk:Moss")
        for rev_id, parent in ((EDIT - 1, 0), (EDIT, EDIT - 1), (OLD - 1, 0), (OLD, OLD - 1))
    ]
    async with MediaWikiApi(revisions).serving() as serving:
        yield serving


def worker(folder: Path, wiki_url: str, collector: Collector | None = None, **variables: str) -> Program:
    """Start a worker that asks a wiki for texts, and tells a collector."""
    url = "" if collector is None else collector.url
    return Program(
        folder,
        "worker",
        f"--data-dir={folder / 'data'}",
        "--partitions=1",
        "--http-port=0",
        "--log-format=json",
        "--log-level=debug",
        "--intake=open",
        f"--traces={'otlp' if collector else 'off'}",
        "--pool-processes=1",
        f'--wikis={{"{WIKI}":{{"domain":"moss.example.org","models":{{"reverted":"enwiki-reverted"}}}}}}',
        "--content=mediawiki",
        "--mediawiki-contact=tests@example.org",
        f"--mediawiki-url={wiki_url}",
        environment={"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "50"} | variables,
    )


def post(program: Program, event: bytes, **headers: str) -> Answer:
    sent = {"content-type": "application/json", **headers}
    return ask(f"{program.address}/v1/events", event, sent)


def give(folder: Path, event: bytes) -> None:
    """Put an event into the log of a worker that runs."""

    async def append(log: Log) -> None:
        writer = LogWriter(log)
        await LogIntake(log, writer, TOPIC, partitions=1).take("test", [SourceEvent(b"key", event)], "")
        await writer.close()

    log = Log(folder / "data" / "log.db")
    asyncio.run(append(log))
    log.close()


def sent(folder: Path, topic: str) -> list[dict[str, bytes]]:
    """Return the headers of the records of a topic."""
    log = Log(folder / "data" / "log.db")
    try:
        return [dict(unpacked(record.headers)) for _, record in records(log, topic)]
    finally:
        log.close()


async def test_an_event_is_one_trace_from_the_request_that_brought_it_to_its_outputs(
    collector: Collector, api: MediaWikiApi, tmp_path: Path
) -> None:
    folder = tmp_path / "worker"

    def run() -> int:
        with worker(folder, api.url, collector, OTEL_SERVICE_NAME="mossy") as program:
            program.until_answered("/readyz")
            assert post(program, edit(EDIT), **CALLER).status == 201
            program.until(lambda: collector.named(f"consume {TOPIC}", rev_id=EDIT))
            lines = [line for line in program.logged if line.get("rev_id") == EDIT]
            assert [(line["event"], line["trace_id"]) for line in lines] == [("event", TRACE_ID)]
            return program.stop()

    assert await asyncio.to_thread(run) == 0
    (request,) = collector.named("POST intake")
    assert (request.trace_id, request.parent_id, request.kind) == (TRACE_ID, SPAN_ID, SERVER)
    assert request.attributes["revstream.request_id"] == CALLER["x-request-id"]
    (event,) = collector.named(f"consume {TOPIC}", rev_id=EDIT)
    assert (event.parent_id, event.kind, event.is_error) == (request.span_id, CONSUMER, False)
    change = json.loads(edit(EDIT))
    assert (
        event.attributes
        | {
            "revstream.wiki_id": WIKI,
            "revstream.event_id": change["meta"]["id"],
            "revstream.request_id": change["meta"]["request_id"],
            "revstream.outcome": "scored",
            "messaging.system": "embedded",
            "messaging.destination.name": TOPIC,
            "messaging.kafka.offset": 0,
        }
        == event.attributes
    )
    assert event.resource["service.name"] == "mossy"
    phases = collector.children(event)
    assert list(phases) == ["decode", "decide", "fetch", "wait", "features", "predict", "upsert", "emit"]
    for span in phases.values():
        assert event.began_ns <= span.began_ns <= span.ended_ns <= event.ended_ns
    assert phases["emit"].kind == PRODUCER
    (model,) = phases["predict"].attributes["revstream.models"]
    assert model.startswith("reverted@")
    assert phases["predict"].attributes["revstream.codes"] == ["ok"]
    asked = [headers["traceparent"] for headers in api.headers]
    assert set(asked) == {f"00-{TRACE_ID}-{phases['fetch'].span_id}-01"}
    assert {headers["tracestate"] for headers in api.headers} == {CALLER["tracestate"]}
    (output,) = sent(folder, "mediawiki.revision_score_reverted")
    assert output["traceparent"] == f"00-{TRACE_ID}-{phases['emit'].span_id}-01".encode()
    assert not [secret for secret in SECRETS for body in collector.bodies if secret in body]


async def test_a_score_on_demand_is_traced_below_the_request_that_waits_for_it(
    collector: Collector, api: MediaWikiApi, tmp_path: Path
) -> None:
    def run() -> int:
        with worker(tmp_path / "worker", api.url, collector) as program:
            program.until_answered("/readyz")
            answer = ask(f"{program.address}/v3/scores/{WIKI}/{OLD}", headers=CALLER)
            assert answer.status == 200
            program.until(lambda: collector.named("flight", rev_id=OLD))
            return program.stop()

    assert await asyncio.to_thread(run) == 0
    (request,) = collector.named("GET ores")
    assert (request.trace_id, request.parent_id) == (TRACE_ID, SPAN_ID)
    assert request.attributes["http.response.status_code"] == 200
    (flight,) = collector.named("flight", rev_id=OLD)
    assert flight.parent_id == request.span_id
    phases = collector.children(flight)
    assert phases.keys() == {"fetch", "wait", "features", "predict", "store"}
    assert {headers["traceparent"][36:52] for headers in api.headers} == {phases["fetch"].span_id}
    # The record that brings the score into the tables is not of a page change: nothing else traces it.
    assert request.resource["service.name"] == "revstream"
    assert not [span for span in collector.spans if "operations" in span.name]
    assert not [secret for secret in SECRETS for body in collector.bodies if secret in body]


async def test_what_cannot_be_decoded_and_what_is_suppressed_tells_ids_and_codes_alone(
    collector: Collector, api: MediaWikiApi, tmp_path: Path
) -> None:
    folder = tmp_path / "worker"
    broken = b'{"$schema": "/mediawiki/page/change/1.3.0", "comment": "Moss"}'

    def run() -> int:
        with worker(folder, api.url, collector) as program:
            program.until_answered("/readyz")
            give(folder, broken)
            program.until(lambda: collector.named(f"consume {TOPIC}", outcome="dead_letter"))
            assert post(program, edit(EDIT)).status == 201
            suppression = act("visibility_change", EDIT, minute=10, is_suppression=True)
            assert post(program, suppression).status == 201
            program.until(lambda: collector.named(f"consume {TOPIC}", outcome="withdrawn"))
            return program.stop()

    assert await asyncio.to_thread(run) == 0
    (suppression,) = collector.named(f"consume {TOPIC}", outcome="withdrawn")
    assert suppression.attributes["revstream.reason"] == "revision_suppressed"
    assert "withdraw" in collector.children(suppression)
    (letter,) = collector.named(f"consume {TOPIC}", outcome="dead_letter")
    assert letter.is_error
    assert letter.attributes["revstream.reason"] == "event_undecodable"
    (record,) = sent(folder, DEAD_LETTER_TOPIC)
    assert record["traceparent"][3:35].decode() == letter.trace_id
    assert not [secret for secret in SECRETS for body in collector.bodies if secret in body]


async def test_who_samples_nothing_sends_nothing_and_hands_the_trace_on_all_the_same(
    collector: Collector, api: MediaWikiApi, tmp_path: Path
) -> None:
    folder = tmp_path / "worker"

    def run() -> int:
        with worker(folder, api.url, collector, OTEL_TRACES_SAMPLER="always_off") as program:
            program.until_answered("/readyz")
            assert post(program, edit(EDIT), **CALLER).status == 201
            program.until_answered(f"/scores/{WIKI}/{EDIT}")
            return program.stop()

    assert await asyncio.to_thread(run) == 0
    assert collector.spans == []
    (output,) = sent(folder, "mediawiki.revision_score_reverted")
    assert output["traceparent"].startswith(f"00-{TRACE_ID}-".encode())
    assert output["traceparent"].endswith(b"-00")


@pytest.mark.parametrize("status", [503, 0])
async def test_a_collector_that_fails_or_is_gone_holds_up_neither_scores_nor_the_end(
    status: int, api: MediaWikiApi, tmp_path: Path
) -> None:
    with collecting() as collector:
        collector.status = status or 200
        dead = collector if status else Collector()
        dead.url = dead.url or "http://127.0.0.1:9"

        def run() -> int:
            with worker(tmp_path / "worker", api.url, dead) as program:
                program.until_answered("/readyz")
                assert post(program, edit(EDIT)).status == 201
                assert program.until_answered(f"/scores/{WIKI}/{EDIT}").document["rev_id"] == EDIT
                began = time.monotonic()
                code = program.stop()
                # The last try to send has five seconds, and the rest of the end a few.
                assert time.monotonic() - began < 30
                return code

        assert await asyncio.to_thread(run) == 0
        assert collector.spans == []


@pytest.mark.parametrize("verb", ["worker", "serve"])
def test_without_the_extra_a_worker_says_what_to_install(verb: str, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from app.cli import main\n"
        f"main(['{verb}', '--traces=otlp', '--http-port=0', '--data-dir={tmp_path / 'data'}'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "settings_invalid: traces is otlp" in done.stderr
    assert "pip install 'revstream[otel]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_nothing_is_traced_nothing_is_imported_for_it() -> None:
    script = (
        "import sys, app.worker, app.serve\n"
        "from app.tracing import open_tracing\n"
        "from app.settings import load_settings\n"
        "assert open_tracing(load_settings(environ={})) is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=120, check=True)
