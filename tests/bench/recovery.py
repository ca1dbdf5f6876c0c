"""How fast a worker that lost its disk fills its tables: from the changelog, and from a checkpoint of it.

``python -m tests.bench.recovery`` prints JSON; with ``--engine kafka`` five million rows take about ten
minutes on two quiet cores, half of them for the checkpoint to be written. Both are measured in the same
run, each by a worker of its own with an empty data directory, from the moment that its partitions are known
until they are shown; ``cpu_seconds`` are those of the worker and the processes that read for it, from start
to end. A tenth of the rows are pages. The worker's models need no text, so that nothing but recovery is at
work.
"""

import argparse
import asyncio
import json
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from aiokafka import AIOKafkaProducer

from agents.embedded.log import Log, NewRecord
from agents.kafka import TopicSpec, declare_topics
from app.topic_readers import changelog_topics
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from tables.codec import HEADER, encode_row
from tables.row_binary import long_bytes, text_bytes
from tests.bench.report import emit
from tests.kafka_broker import KafkaBroker
from tests.programs import LIGHT_MODELS, Program
from tests.rows import binary, row, stored

APP_ID = "recovery"
TOPICS = changelog_topics(APP_ID)
CHUNK = 5000
ENGINES = ("embedded", "kafka")
WAIT_SECONDS = 3600.0


def changelog(rows: int, partitions: int) -> Iterator[tuple[str, int, bytes, bytes]]:
    """Yield topic, partition, key and row of as many records; revisions are ten times as many as pages."""
    pages = max(1, rows // 11)
    # Rows that differ in their ids alone have the same bytes behind these.
    wiki, ends = HEADER + text_bytes("enwiki"), list(map(_behind_ids, range(997)))
    for number in range(rows):
        is_page = number >= rows - pages
        page_id = number % pages
        table = PAGES_TABLE if is_page else REVISIONS_TABLE
        key = row_key("enwiki", page_id if is_page else number)
        value = wiki + long_bytes(page_id) + long_bytes(number) + ends[number % 997]
        yield TOPICS[table], page_id % partitions, key, value


def _behind_ids(number: int) -> bytes:
    scores = (stored(name, binary(number / 997)) for name in ("damaging", "goodfaith"))
    encoded = encode_row(row(*scores, page_id=0, rev_id=0))
    return encoded.removeprefix(HEADER + text_bytes("enwiki") + long_bytes(0) + long_bytes(0))


def fill_embedded(path: Path, rows: int, partitions: int) -> None:
    """Write the changelogs of as many rows."""
    log = Log(path)
    for topic in TOPICS.values():
        log.create_topic(topic, partitions, is_compacted=True)
    chunk: list[NewRecord] = []
    for topic, partition, key, value in changelog(rows, partitions):
        chunk.append(NewRecord(topic, partition, 1000, key, value))
        if len(chunk) == CHUNK:
            log.transact(chunk)
            chunk = []
    log.transact(chunk)
    log.close()


async def fill_kafka(bootstrap: str, rows: int, partitions: int) -> None:
    """Write the changelogs of as many rows, compressed as a worker does."""
    specs = [TopicSpec(topic, is_compacted=True, is_cut_alike=True) for topic in TOPICS.values()]
    await declare_topics(bootstrap, specs, partitions=partitions)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type="gzip", max_batch_size=1 << 18)
    await producer.start()
    batches: dict[tuple[str, int], Any] = {}
    try:
        for topic, partition, key, value in changelog(rows, partitions):
            place = topic, partition
            batch = batches.get(place) or batches.setdefault(place, producer.create_batch())
            if batch.append(key=key, value=value, timestamp=None) is None:
                await producer.send_batch(batches.pop(place), topic, partition=partition)
                batches[place] = producer.create_batch()
                batches[place].append(key=key, value=value, timestamp=None)
        for (topic, partition), batch in batches.items():
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


def recover(folder: Path, flags: list[str], name: str) -> dict[str, float]:
    """Start a worker on an empty data directory; return what it says once its tables are filled."""
    with Program(
        folder / name,
        "worker",
        LIGHT_MODELS,
        "--http-port=0",
        "--log-format=json",
        # Nobody is asked: there are no events.
        "--mediawiki-contact=bench@example.org",
        f"--data-dir={folder / name / 'data'}",
        *flags,
    ) as worker:
        worker.until(lambda: '"partitions_taken"' in worker.stderr, seconds=WAIT_SECONDS)
        (line,) = [line for line in worker.logged if line["event"] == "partitions_taken"]
        cpu_before = _cpu_of_ended()
        worker.stop()
    cpu_seconds = _cpu_of_ended() - cpu_before
    total = line["rows_read"] + line["rows_loaded"]
    return {
        "seconds": line["seconds"],
        "rows_read": line["rows_read"],
        "rows_loaded": line["rows_loaded"],
        "rows_per_second": total / line["seconds"],
        "cpu_seconds": cpu_seconds,
    }


def _cpu_of_ended() -> float:
    """Return the CPU time of all processes that ended so far, with those that they waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(folder: Path, broker: str, partitions: int) -> dict[str, Any]:
    """Write a checkpoint of the changelogs on an engine, and recover without it and with it."""
    checkpoints = folder / "checkpoints"
    common = [f"--broker={broker}", f"--app-id={APP_ID}"]
    began = perf_counter()
    with Program(folder / "write", "checkpoint", "write", f"--into={checkpoints}", *common) as writing:
        if writing.process.wait(timeout=WAIT_SECONDS):
            raise SystemExit(writing.stderr)
        manifest = json.loads(writing.stdout)
    seconds = perf_counter() - began
    rows = sum(part["rows"] for part in manifest["parts"])
    flags = [*common, f"--partitions={partitions}"]
    alone = recover(folder, flags, "changelog")
    loaded = recover(folder, [*flags, f"--checkpoint-folder={checkpoints}"], "checkpoint")
    return {
        "rows": rows,
        "checkpoint_write_seconds": seconds,
        "checkpoint_write_rows_per_second": rows / seconds,
        "checkpoint_bytes": sum(path.stat().st_size for path in Path(manifest["path"]).iterdir()),
        "changelog": alone,
        "checkpoint": loaded,
        "checkpoint_over_changelog": alone["seconds"] / loaded["seconds"],
    }


def run(engine: str, rows: int, partitions: int) -> dict[str, Any]:
    """Fill one engine's changelogs and measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if engine == "embedded":
            fill_embedded(folder / "log.db", rows, partitions)
            return measure(folder, f"embedded://{folder / 'log.db'}", partitions)
        broker = KafkaBroker(folder / "kafka")
        broker.start()
        try:
            asyncio.run(fill_kafka(broker.bootstrap, rows, partitions))
            return measure(folder, f"kafka://{broker.bootstrap}", partitions)
        finally:
            broker.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--engine", choices=ENGINES, help="only this one")
    given = parser.parse_args()
    engines = (given.engine,) if given.engine else ENGINES
    emit("recovery", {engine: run(engine, given.rows, given.partitions) for engine in engines})
