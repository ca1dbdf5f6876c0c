"""The live side: a real worker that takes a history of page changes, and what its tables hold afterwards."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict
from rocksdict import AccessType, Options, Rdict

from agents.embedded.house import backlog
from agents.embedded.log import Log
from app.parity.comparison import Told
from app.settings import Settings
from schemas.errors import EngineError, RevstreamError
from schemas.keys import PAGE_CHANGE_TOPIC, REVISIONS_TABLE
from schemas.prediction import PredictionRow
from tables.codec import decode_row

WORKER_LOG: Final = "worker.log"
_DEFAULTS: Final = Settings()
_FAILURE: Final = "worker.failure"
_POLL_SECONDS: Final = 0.2
_SAID_BYTES: Final = 2000
# Keys of ours and of Faust that are no rows: the index of a partition, and its offset.
_INNER: Final = (b"\0", b"__faust\0")


def replay(settings: Settings, event_count: int, *, heard: Callable[[int], None]) -> None:
    """Let a worker take all events of its source, commit what it makes of them, and stop.

    It is the worker of ``revstream run``, in a process of its own; what it says goes to ``worker.log`` in its
    data directory.

    Args:
        settings: Of the worker: embedded engine, a data directory of its own, a file as source.
        event_count: How many events the source has.
        heard: Is told from time to time how many events are done.

    Raises:
        EngineError: It ended before, or not as it should.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    said = settings.data_dir / WORKER_LOG
    # Secrets are not handed to other processes; all of them are at their defaults here.
    given = {name: value for name, value in asdict(settings).items() if value != getattr(_DEFAULTS, name)}
    process = get_context("spawn").Process(target=_work, args=(given, said))
    with closing(Log(settings.log_path)) as log:
        process.start()
        try:
            while (done := _done(log, settings.app_id)) < event_count:
                heard(done)
                process.join(_POLL_SECONDS)
                if not process.is_alive():
                    raise _ended(process.exitcode, said)
            heard(done)
        finally:
            process.terminate()
            process.join()
    if process.exitcode != 0:
        raise _ended(process.exitcode, said)


def stored_rows(data_dir: Path) -> Iterator[Told]:
    """Yield all that the tables of a worker hold that has stopped, of withdrawn revisions too.

    Args:
        data_dir: Of the worker.
    """
    for path in sorted((data_dir / "worker").glob(f"v*/tables/{REVISIONS_TABLE}-*.db")):
        database = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
        try:
            for key, row in database.items():
                if isinstance(key, bytes) and isinstance(row, bytes) and not key.startswith(_INNER):
                    yield from _told(decode_row(row))
        finally:
            database.close()


def _told(row: PredictionRow) -> Iterator[Told]:
    for score in row.scores:
        yield Told(
            row.wiki_id,
            row.rev_id,
            score.model.model_name,
            page_id=row.page_id,
            rev_dt=row.rev_dt,
            namespace_id=score.provenance.namespace_id,
            is_bot=score.provenance.is_bot,
            model=score.model,
            outcome=score.outcome,
        )


def _done(log: Log, app_id: str) -> int:
    """Return how many source events are done with: taken, committed, and put off no longer."""
    log.refresh()
    taken = sum(
        log.end(PAGE_CHANGE_TOPIC, number) for number in range(log.partitions(PAGE_CHANGE_TOPIC) or 0)
    )
    waiting = [topic for topic in log.topics() if topic.startswith(f"{app_id}.retry.")]
    return taken - sum(backlog(log, topic, app_id) for topic in (PAGE_CHANGE_TOPIC, *waiting))


def _ended(code: int | None, said: Path) -> EngineError:
    failure = said.with_name(_FAILURE)
    if failure.exists():
        why = failure.read_text()
    else:
        why = said.read_bytes()[-_SAID_BYTES:].decode(errors="replace").strip()
    return EngineError(f"The worker that replays the history ended with {code}. It said last: {why}")


def _work(given: Mapping[str, Any], said: Path) -> None:
    """Be the worker of these settings."""
    from app.logging import configure_logging  # noqa: PLC0415 - of the new process alone
    from app.run import run  # noqa: PLC0415 - of the new process alone

    with said.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = Settings(**given)
    configure_logging(settings.log_level, settings.log_format)
    try:
        sys.exit(run(settings))
    except RevstreamError as error:
        said.with_name(_FAILURE).write_text(f"{error.code}: {error.message}")
        sys.exit(1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        os.kill(os.getpid(), signal.SIGKILL)
