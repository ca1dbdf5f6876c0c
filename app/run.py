"""Runs a worker as a process of its own, for the command line and for Faust's.

Light by design: what a worker runs on takes over a second to import, in which the scoring processes load.
"""

# ruff: noqa: PLC0415 - see above
import asyncio
import gc
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvloop

from app.scorers import Scorers
from app.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.stream_app import StreamApp
    from app.worker import Worker

_CRASH_NOTES = (
    "Crashed reason=%r",
    "Error: %r",
    "We experienced a crash! Reraising original exception...",
)


def run(settings: Settings) -> int:
    """Run the embedded engine fed from the source; return the exit code."""
    return _execute(settings, takes_source=True)


def worker(settings: Settings) -> int:
    """Run a worker on the configured broker; return the exit code."""
    return _execute(settings, takes_source=False)


def faust_app() -> "StreamApp":
    """Return the Faust app of the settings in file and environment, for Faust's own command line."""
    from app.worker import Worker

    settings = load_settings()
    return Worker(settings, Scorers(settings), takes_source=False).app


def _execute(settings: Settings, *, takes_source: bool) -> int:
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    scorers = Scorers(settings)
    loop.run_until_complete(scorers.begin())
    try:
        composed = _compose(settings, scorers, takes_source=takes_source)
    except BaseException:
        loop.run_until_complete(scorers.stop(drain_seconds=0))
        raise
    if takes_source:
        sys.stdout.write(_greeting(composed))
        sys.stdout.flush()
    in_place = composed.starts_anew()
    composed.reloads.on_signal(loop)
    # The command has set logging up.
    faust_worker = composed.app.Worker(quiet=True, override_logging=False, redirect_stdouts=False, loop=loop)
    # Terminal control codes do not belong among the scores.
    faust_worker.spinner = None
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_no_crash_note)
    _relax_collector()
    code, error = _outcome(faust_worker.execute_from_commandline)
    failure = composed.app.failure or error
    if failure is not None:
        raise named_failure(settings, failure)
    in_place.go_on()
    return code


def named_failure(settings: Settings, failure: BaseException) -> BaseException:
    """Return our error for what Kafka's client raised while a worker started or ran; any other as it is."""
    from aiokafka.errors import KafkaError

    from agents.kafka import broker_unavailable

    if not isinstance(failure, KafkaError):
        return failure
    named = broker_unavailable(",".join(settings.kafka_addresses), settings.kafka_security_protocol, failure)
    named.__cause__ = failure
    return named


def _compose(settings: Settings, scorers: Scorers, *, takes_source: bool) -> "Worker":
    from app.worker import Worker

    composed = Worker(settings, scorers, takes_source=takes_source)
    composed.open()
    return composed


def _is_no_crash_note(record: logging.LogRecord) -> bool:
    """Drop what mode says of a crash, with tracebacks, for each service: the command tells it once."""
    return not str(record.msg).endswith(_CRASH_NOTES)


def _relax_collector() -> None:
    """Let the garbage collector run seldom, and never over what is there for good.

    An event makes some hundred objects which go by reference count; tasks and futures wake the collector
    every few events, at a tenth of the whole CPU time. Nor may it find too much at once: 50,000 objects hold
    up all answers for 75 ms.
    """
    gc.freeze()
    gc.set_threshold(5_000, 50, 100)


def _outcome(execute: Callable[[], object]) -> tuple[int, BaseException | None]:
    """Run Faust's worker; return its exit code, and what stopped it."""
    try:
        execute()
    except SystemExit as ended:
        # Faust turns whatever went wrong, at the start or later, into an exit.
        return (ended.code if isinstance(ended.code, int) else 0), ended.__context__
    return 0, None


def _greeting(composed: "Worker") -> str:
    settings = composed.settings
    return (
        f"revstream on the embedded engine (one machine, one worker), data in {settings.data_dir}\n"
        f"  events from  {settings.source}\n"
        f"  readiness    {composed.address}/readyz\n"
        f"  metrics      {composed.address}/metrics\n"
        "Scores follow as they arrive; Ctrl-C stops, and the next start goes on from there.\n"
    )
