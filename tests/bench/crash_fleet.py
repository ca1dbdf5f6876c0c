"""Workers of one application on Kafka, which are killed at random moments and started again."""

import asyncio
import json
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from app.settings import Settings
from tests.busy_wiki import DOMAIN, WIKI_ID
from tests.kafka_mirror import kafka_backlog
from tests.programs import Program

APP_ID = "crash"
_SESSION_SECONDS = 2
CONTENT_SECONDS = 1
# How often a worker dies while it starts, joins or recovers, instead of at work.
_EARLY_SHARE = 0.2
_EARLY_SECONDS = 5.0
_AT_WORK_SECONDS = 2.0
# How often a worker stands still for longer than its session before it dies.
_PAUSED_SHARE = 0.1
_PAUSED_SECONDS = 1.5 * _SESSION_SECONDS
_STUCK_SECONDS = 90.0
_DRAIN_SECONDS = 300.0
WIKIS: dict[str, Any] = {
    WIKI_ID: {"domain": DOMAIN, "models": {"reverted": "enwiki-reverted", "revid": "testwiki-revid"}}
}


class KafkaCrashPlan(msgspec.Struct, frozen=True):
    """What to do to the workers, their broker and their wiki.

    Attributes:
        kills: ``kill -9`` of a worker.
        kills_between_broker_restarts: After so many the broker goes, in good order and by kill -9 in turn.
        workers: Processes of the same application.
        events_per_second: Arriving until the last kill.
        events_least: Arriving at least, however soon the last kill is.
        failing_share: Of the calls of the wiki's API.
        seed: Of moments and faults.
        most_seconds: After this no worker is killed any more, however many were to be.
    """

    kills: int = 200
    kills_between_broker_restarts: int = 40
    workers: int = 3
    events_per_second: float = 8.0
    events_least: int = 0
    failing_share: float = 0.2
    seed: int = 1
    most_seconds: float = 1800.0


class Fleet:
    """Workers of one application, killed and started again."""

    def __init__(self, plan: KafkaCrashPlan, folder: Path, settings: Settings, api_url: str) -> None:
        self.plan = plan
        self._folder = folder
        self._chance = random.Random(plan.seed)
        self._settings = settings
        self._api_url = api_url
        self._starts = 0
        # A worker that starts without a broker says so and ends.
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.programs: dict[int, Program] = {}
        self.kills = self.kills_before_work = self.pauses = self.stuck = 0
        self.ended: Counter[str] = Counter()
        self.peak_rss_bytes = 0

    async def kill_until_done(self) -> None:
        """Kill workers at random moments of their own until there were enough."""
        async with asyncio.TaskGroup() as lives:
            for number in range(self.plan.workers):
                lives.create_task(self._die_again_and_again(number))

    async def _die_again_and_again(self, number: int) -> None:
        while self.kills < self.plan.kills:
            await self.may_start.wait()
            program = self.start(number)
            is_early = self._chance.random() < _EARLY_SHARE
            if is_early:
                await asyncio.sleep(self._chance.uniform(0, _EARLY_SECONDS))
            else:
                await self._until_at_work(program)
                await asyncio.sleep(self._chance.uniform(0, _AT_WORK_SECONDS))
                if self._chance.random() < _PAUSED_SHARE:
                    await self._pause(program)
            if self.kills >= self.plan.kills:
                return
            if not self._has_ended(program):
                self.kills += 1
                self.kills_before_work += is_early
                self._note_memory(program)
            await self._end(number)

    async def _pause(self, program: Program) -> None:
        """Have a worker stand still until others have its partitions, and go on as if nothing had been."""
        with suppress(ProcessLookupError):
            program.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(_PAUSED_SECONDS)
            program.process.send_signal(signal.SIGCONT)
            self.pauses += 1
            await asyncio.sleep(self._chance.uniform(0, _AT_WORK_SECONDS))

    async def _end(self, number: int) -> None:
        """End a worker that is to die, or has ended, with all that it started."""
        await asyncio.to_thread(self.programs.pop(number).__exit__, None, None, None)

    async def _until_at_work(self, program: Program) -> None:
        deadline = time.monotonic() + _STUCK_SECONDS
        while program.process.poll() is None and not _has_handled(program):
            if time.monotonic() > deadline:
                self.stuck += 1
                return
            await asyncio.sleep(0.1)

    def _has_ended(self, program: Program) -> bool:
        if program.process.poll() is None:
            return False
        self.ended[_last_words(program)] += 1
        return True

    def _note_memory(self, program: Program) -> None:
        members = []
        with suppress(Exception):  # whoever ended in between
            members = [member.memory_info().rss for member in program.family() if member.is_running()]
        self.peak_rss_bytes = max(self.peak_rss_bytes, sum(members))

    def start(self, number: int) -> Program:
        """Start a worker on its own data directory."""
        self._starts += 1
        program = self._program("worker", f"worker-{number}", self._starts)
        self.programs[number] = program
        return program

    def replica(self) -> Program:
        """Start a replica."""
        return self._program("serve", "replica", 0)

    def _program(self, verb: str, name: str, start: int) -> Program:
        settings = self._settings
        flags = {
            "app_id": APP_ID,
            "broker": settings.broker,
            "http_port": "0",
            "log_format": "json",
            "data_dir": str(self._folder / name),
            "wikis": json.dumps(WIKIS),
        }
        if verb == "worker":
            flags |= {
                "partitions": str(settings.partitions),
                "broker_session_timeout_seconds": str(_SESSION_SECONDS),
                "content": "mediawiki",
                "mediawiki_contact": "bench@example.org",
                "mediawiki_url": self._api_url,
                "mediawiki_timeout_seconds": str(CONTENT_SECONDS),
                "window_events": "16",
                # A wiki that fails a fifth of all calls is asked until it answers.
                "retry_limit": "100",
                "retry_delay_seconds": "1",
                "retry_factor": "1",
                "wiki_pause_seconds": "1",
                "pool_processes": "1",
            }
        options = [f"--{flag.replace('_', '-')}={text}" for flag, text in flags.items()]
        return Program(self._folder / f"run-{name}-{start}", verb, *options)

    async def drain(self, bootstrap: str) -> None:
        """Have all workers run until every event is committed; those that end are started again.

        Raises:
            TimeoutError: They do not come to the end.
        """
        async with asyncio.timeout(_DRAIN_SECONDS):
            await self._revive()
            while await kafka_backlog(bootstrap, APP_ID):
                await asyncio.sleep(0.5)
                await self._revive()

    async def _revive(self) -> None:
        """Start the workers that died or ended."""
        ended = [number for number, program in self.programs.items() if self._has_ended(program)]
        for number in ended:
            await self._end(number)
        for number in set(range(self.plan.workers)) - self.programs.keys():
            self.start(number)

    def stop(self) -> None:
        """Stop all that runs, in good order."""
        for program in self.programs.values():
            if program.process.poll() is None:
                program.stop()

    def end(self) -> None:
        """End all that runs, at once."""
        for program in self.programs.values():
            program.__exit__(None, None, None)


def _has_handled(program: Program) -> bool:
    return '"outcome"' in program.stderr


def _last_words(program: Program) -> str:
    lines = program.stderr.strip().splitlines() or [""]
    return f"exit {program.process.returncode}: {lines[-1][:200]}"
