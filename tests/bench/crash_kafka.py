"""Kills three workers on a real Kafka broker at random moments, while broker and wiki fail, then audits.

``python -m tests.bench.crash_kafka [--kills 200] [--seed 1] [--keep DIRECTORY]`` prints JSON, and exits
with 1 where anything was lost, doubled or wrong. It needs Java, Maven's repository and the shared data.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer

from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from app.settings import load_settings
from schemas.decode import peek_key
from schemas.keys import PAGE_CHANGE_TOPIC
from tests.audit import Audit, ServedModels, audit
from tests.bench.crash_fleet import APP_ID, CONTENT_SECONDS, WIKIS, Fleet, KafkaCrashPlan
from tests.bench.report import emit
from tests.busy_wiki import DOMAIN, WIKI_ID, Failing, RememberingScorer, api_row, edits, page_change_of
from tests.conftest import shared_folder
from tests.kafka_broker import KafkaBroker, fetch_broker
from tests.kafka_mirror import mirror
from tests.look_ups import LookUps, check_look_ups
from tests.mediawiki_api import USER_AGENT, MediaWikiApi, WikiRevision, WikiUser

_PARTITIONS = 6
_UNDECODABLE_EVERY = 50


class KafkaCrashReport(msgspec.Struct, frozen=True):
    """What happened.

    Attributes:
        kills: Workers killed.
        kills_before_work: Of these, killed while they started, joined or recovered.
        pauses: Workers that stood still for longer than their session, and went on.
        broker_restarts: How often the broker went and came back.
        ended_by_themselves: Last words of workers that ended without being killed, and how often.
        stuck: Workers that did not take up work though events waited.
        api_calls: Calls of the wiki's API.
        api_calls_failed: Of these, how many it failed.
        look_ups: What workers and a replica answered in the end.
        found: The audit.
        killing_seconds: From the first start to the last kill.
        drain_seconds: From the last kill until all events were committed.
        peak_worker_rss_bytes: The most that one worker with its scoring processes had when it was killed.
    """

    kills: int
    kills_before_work: int
    pauses: int
    broker_restarts: int
    ended_by_themselves: dict[str, int]
    stuck: int
    api_calls: int
    api_calls_failed: int
    look_ups: LookUps
    found: Audit
    killing_seconds: float
    drain_seconds: float
    peak_worker_rss_bytes: int

    @property
    def faults(self) -> int:
        """How much is wrong."""
        return self.found.faults + self.look_ups.wrong + self.stuck


class _Wiki:
    """A wiki that is edited steadily, and the topic that tells of it."""

    def __init__(self, plan: KafkaCrashPlan, broker: KafkaBroker, shared: Path) -> None:
        self.failing = Failing(plan.failing_share, seed=plan.seed, slow_seconds=2.0 * CONTENT_SECONDS)
        self._rows: list[WikiRevision] = []
        self._users: dict[int, WikiUser] = {}
        self.api = MediaWikiApi(self._rows, self._users.values(), chance=self.failing)
        self.lines: list[bytes] = []
        # Whoever stops the broker holds this: what is under test is not how events get into Kafka.
        self.feeding = asyncio.Lock()
        self.is_over = asyncio.Event()
        self._edits = edits(shared)
        self._real = list(_real_events(shared))
        self._pause_seconds = 1.0 / plan.events_per_second
        self._events_least = plan.events_least
        self._broker = broker

    async def edit(self) -> None:
        """Save revisions and tell of them until it is over."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._broker.bootstrap, acks="all", enable_idempotence=True
        )
        await producer.start()
        try:
            while not self.is_over.is_set() or len(self.lines) < self._events_least:
                async with self.feeding:
                    for line in self._next_lines():
                        self.lines.append(line)
                        await producer.send_and_wait(PAGE_CHANGE_TOPIC, line, peek_key(line))
                await asyncio.sleep(self._pause_seconds)
        finally:
            await producer.stop()

    def _next_lines(self) -> list[bytes]:
        revision = next(self._edits)
        if revision.user is not None and revision.user.user_id:
            user_id = revision.user.user_id
            self._users.setdefault(user_id, WikiUser(user_id, revision.user.user_text or ""))
        self._rows.append(api_row(revision))
        lines = [page_change_of(revision)]
        if len(self._rows) % _UNDECODABLE_EVERY == 0:
            lines.append(b'{"no":"event %d"}' % len(self._rows))
        elif self._real:
            lines.append(self._real.pop())
        return lines

    def content(self) -> MediaWikiSource:
        """Return the wiki's texts as workers read them, without faults from now on."""
        self.failing.share = 0.0
        settings = MediaWikiSettings(
            user_agent=USER_AGENT, url_template=self.api.url, domains={WIKI_ID: DOMAIN}
        )
        return MediaWikiSource(settings)


async def crash_kafka(plan: KafkaCrashPlan, folder: Path, shared: Path) -> KafkaCrashReport:
    """Feed real edits to workers that are killed again and again, then audit.

    Args:
        plan: What to do.
        folder: For the broker, the workers and their logs.
        shared: Shared data.

    Raises:
        BrokerFailed: The broker does not start.
    """
    async with AsyncExitStack() as held:
        broker = KafkaBroker(folder / "broker")
        await asyncio.to_thread(broker.start)
        held.callback(broker.stop)
        wiki = _Wiki(plan, broker, shared)
        await held.enter_async_context(wiki.api.serving())
        settings = load_settings(
            flags={
                "app_id": APP_ID,
                "broker": f"kafka://{broker.bootstrap}",
                "partitions": str(_PARTITIONS),
                "wikis": json.dumps(WIKIS),
            },
            environ={},
            cwd=folder,
        )
        fleet = Fleet(plan, folder, settings, wiki.api.url)
        held.callback(fleet.end)
        await _declare_source(fleet)
        began = time.monotonic()
        restarts: list[None] = []
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wiki.edit())
            restarting = tasks.create_task(_restart(broker, wiki, fleet, restarts))
            with suppress(TimeoutError):
                async with asyncio.timeout(plan.most_seconds):
                    await fleet.kill_until_done()
            async with wiki.feeding:  # no restart of the broker is under way
                restarting.cancel()
                wiki.is_over.set()
        killed = time.monotonic()
        with suppress(TimeoutError):
            await fleet.drain(broker.bootstrap)
        drained = time.monotonic()
        await mirror(broker.bootstrap, APP_ID, folder / "mirror" / "log.db")
        models = ServedModels.of(settings)
        with fleet.replica() as replica:
            look_ups = await check_look_ups(
                folder / "mirror" / "log.db",
                APP_ID,
                models.catalogue,
                [program.address for program in fleet.programs.values()],
                replica,
            )
        await asyncio.to_thread(fleet.stop)
        for artefact, info in models.catalogue.artefacts().items():
            if info.reads_content:
                models.scorers[artefact] = RememberingScorer(models.scorers[artefact])
        found = await audit(
            data_dir=folder / "mirror",
            app_id=APP_ID,
            lines=wiki.lines,
            models=models,
            content=wiki.content(),
            is_at_least_once=True,
        )
        return KafkaCrashReport(
            kills=fleet.kills,
            kills_before_work=fleet.kills_before_work,
            pauses=fleet.pauses,
            broker_restarts=len(restarts),
            ended_by_themselves=dict(fleet.ended),
            stuck=fleet.stuck,
            api_calls=wiki.failing.requests,
            api_calls_failed=wiki.failing.failed,
            look_ups=look_ups,
            found=found,
            killing_seconds=round(killed - began, 1),
            drain_seconds=round(drained - killed, 1),
            peak_worker_rss_bytes=fleet.peak_rss_bytes,
        )


async def _declare_source(fleet: Fleet) -> None:
    """Let a first worker declare the topics."""
    with fleet.start(0) as first:
        await asyncio.to_thread(first.until_answered, "/readyz")


async def _restart(broker: KafkaBroker, wiki: _Wiki, fleet: Fleet, restarts: list[None]) -> None:
    """Have the broker go and come back whenever so many workers were killed."""
    while True:
        await asyncio.sleep(0.2)
        if fleet.kills >= fleet.plan.kills_between_broker_restarts * (len(restarts) + 1):
            async with wiki.feeding:
                fleet.may_start.clear()
                await asyncio.to_thread(broker.kill if len(restarts) % 2 else broker.stop)
                await asyncio.to_thread(broker.start)
                fleet.may_start.set()
            restarts.append(None)


def _real_events(shared: Path) -> list[bytes]:
    """Return page changes as Wikimedia sent them, of wikis that are not served and of one that is."""
    events = shared / "data" / "events"
    files = (events / "page_change_1.12").glob("*page-change.jsonl")
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    lines += [file.read_bytes() for file in sorted((events / "page_change_1.2").rglob("*.json"))]
    return lines


def main() -> int:
    """Run, print the report as JSON, and return the exit code."""
    defaults = KafkaCrashPlan()
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("kills", "seed", "kills_between_broker_restarts"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(defaults, name))
    for name in ("events_per_second", "most_seconds"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(defaults, name))
    parser.add_argument("--keep", type=Path, help="a folder for logs and tables, which stays")
    arguments = vars(parser.parse_args())
    keep: Path | None = arguments.pop("keep")
    # What SIGTERM ends is ended like what Ctrl-C ends: every process with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The client that feeds has nothing to say but that the broker is away, which it is to be.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    fetch_broker()
    with tempfile.TemporaryDirectory(prefix="revstream-crash-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(crash_kafka(KafkaCrashPlan(**arguments), folder, shared_folder()))
    emit("crash_kafka", msgspec.to_builtins(report))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
