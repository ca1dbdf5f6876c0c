"""Tables that lost their disk, or lag far behind, filled in bulk before Faust's recovery reads the rest.

Faust applies changelog records one at a time, on the loop that answers look-ups. Here processes of their own
read them, a run at a time, and turn each into a sorted file, which the worker takes in whole. What comes to
the changelog meanwhile, and what could not be read here, is left to Faust.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from shutil import rmtree
from threading import Thread
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP, ConsumerT
from msgspec.structs import replace

from app.settings import Settings
from app.topic_readers import changelog_topics, topic_reader
from schemas.errors import BrokerUnavailable
from schemas.secret import Secret
from tables.changelog import TopicReader
from tables.predictions import Predictions
from tables.record_runs import Gathered, Run, Stretch, gather
from tables.store import CommittedStore

_FEW_RECORDS: Final = 5000
_PROCESSES_MOST: Final = 4
_SCRATCH_PREFIX: Final = ".filling-"
_LOG_SETTINGS: Final = (
    "data_dir",
    "app_id",
    "broker",
    "kafka_security_protocol",
    "kafka_sasl_mechanism",
    "kafka_username",
    "kafka_ca_file",
    "kafka_client_cert_file",
    "kafka_client_key_file",
    "kafka_client_id",
)

_log = structlog.get_logger("revstream.recovery")


class TableFilling:
    """Fills the partitions of a worker.

    Args:
        settings: Name the log, the application and the folder of checkpoints.
        predictions: The tables; their files are not opened before `fill`.

    Attributes:
        rows_left: About how many changelog records are still to be applied, of what is being filled.
    """

    def __init__(self, settings: Settings, predictions: Predictions) -> None:
        self._settings = settings
        self._predictions = predictions
        self._topics = changelog_topics(settings.app_id)
        self.rows_left: dict[TP, int] = {}

    async def fill(self, partitions: Iterable[int], consumer: ConsumerT) -> int:
        """Fill some partitions: those that are new from a checkpoint, and all from their changelogs.

        Args:
            partitions: That are ours, and open.
            consumer: Tells what the changelogs hold.

        Returns:
            How many rows came from a checkpoint.

        Raises:
            StoreError: Files cannot be written, as on a full disk.
        """
        ours, stores = sorted(partitions), self._predictions.stores
        rows_loaded = 0
        try:
            with _scratch(stores) as scratch:
                if self._settings.checkpoint_folder:
                    # Parquet's library takes 0.3 s and 55 MB, and few workers have use for it.
                    from app.checkpoint_loading import load_checkpoint  # noqa: PLC0415

                    rows_loaded = await load_checkpoint(
                        self._settings, self._predictions.stores, ours, scratch
                    )
                await self._read_changelogs(await self._stretches(ours, consumer), scratch)
        finally:
            self.rows_left.clear()
        return rows_loaded

    async def _stretches(self, partitions: Iterable[int], consumer: ConsumerT) -> list[Stretch]:
        wanted = {
            TP(topic, partition): (table, self._predictions.stores[table].next_offset(partition))
            for table, topic in self._topics.items()
            for partition in partitions
        }
        if not wanted:
            return []
        try:
            starts, ends = await consumer.earliest_offsets(*wanted), await consumer.highwaters(*wanted)
        except KafkaError as error:
            # The brokers are away, or the partitions elsewhere by now: Faust hears the same.
            _log.warning("bulk_recovery_failed", errors=[f"{type(error).__name__}: {error}"])
            return []
        return [
            Stretch(table, tp.topic, tp.partition, first, ends[tp])
            for tp, (table, stored) in wanted.items()
            if (first := max(stored, starts[tp] or 0)) < ends[tp]
        ]

    async def _read_changelogs(self, stretches: list[Stretch], scratch: Path) -> None:
        """Read what is long enough to be worth processes of their own."""
        self.rows_left = {_tp(one): one.end - one.first for one in stretches}
        if sum(self.rows_left.values()) < _FEW_RECORDS:
            return
        executor = ProcessPoolExecutor(
            min(_PROCESSES_MOST, os.cpu_count() or 1, len(stretches)),
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=log_fields(self._settings),
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                for stretch in sorted(stretches, key=lambda one: one.first - one.end):
                    tasks.create_task(self._read(executor, stretch, scratch))
        except* (BrokerUnavailable, BrokenProcessPool) as errors:
            # Faust asks the same log, one record at a time.
            _log.warning("bulk_recovery_failed", errors=[str(one) for one in errors.exceptions])
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    async def _read(self, executor: Executor, stretch: Stretch, scratch: Path) -> None:
        store, loop = self._predictions.stores[stretch.table], asyncio.get_running_loop()
        file = scratch / f"{stretch.table}-{stretch.partition}.sst"
        taker = store.run_taker(stretch.partition)
        while stretch.first < stretch.end:
            run = await loop.run_in_executor(executor, read_run, stretch, file)
            # Whoever takes the partition away cancels us before.
            taker.take(run, file)
            store.rows_recovered += run.records
            stretch = replace(stretch, first=run.next_offset)
            self.rows_left[_tp(stretch)] = stretch.end - stretch.first
        taker.finish()


def _tp(stretch: Stretch) -> TP:
    return TP(stretch.topic, stretch.partition)


@contextmanager
def _scratch(stores: Mapping[str, CommittedStore]) -> Iterator[Path]:
    """Give a folder on the disk of the tables, which goes away; what a crash left of former ones does too."""
    (folder,) = {store.partition_path(0).parent for store in stores.values()}
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.glob(f"{_SCRATCH_PREFIX}*"):
        rmtree(former, ignore_errors=True)
    # A process that is told to stop may be writing still.
    with tempfile.TemporaryDirectory(dir=folder, prefix=_SCRATCH_PREFIX, ignore_cleanup_errors=True) as path:
        yield Path(path)


# In processes of their own


def log_fields(settings: Settings) -> tuple[dict[str, Any], str]:
    """Return what another process needs to read the log, and the password: secrets are not pickled."""
    fields = {name: getattr(settings, name) for name in _LOG_SETTINGS}
    return fields, settings.kafka_password.reveal()


def _begin(fields: Mapping[str, Any], password: str) -> None:
    """Get ready to read the log, and end with the worker, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    global _source  # noqa: PLW0603 - a pool's processes keep what they have in globals only
    _source = _Source(topic_reader(Settings(**fields, kafka_password=Secret(password))))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


class _Source:
    """The log, as one of these processes reads it. Its connections are served only while it reads."""

    def __init__(self, reader: TopicReader) -> None:
        self._reader = reader
        self._runner = asyncio.Runner()

    def gathered(self, stretch: Stretch) -> tuple[Gathered, int]:
        """Return what `gather` does."""
        return self._runner.run(gather(self._reader, stretch))


_source: _Source | None = None


def read_run(stretch: Stretch, file: Path) -> Run:
    """Read records of a stretch and write them to a file.

    Args:
        stretch: To begin at the beginning of.
        file: To write.

    Returns:
        What they came to; ``next_offset`` says how far the run goes.

    Raises:
        BrokerUnavailable: The log cannot be read.
        StoreError: The file cannot be written.
    """
    if _source is None:
        raise RuntimeError("the process was not begun")
    gathered, next_offset = _source.gathered(stretch)
    return gathered.write(file, next_offset)
