"""A follower in a process of its own, for tests that kill it.

``python -m tests.fault.follower_process DIRECTORY``
"""

import asyncio
import sys
from pathlib import Path

from schemas.keys import row_key
from tables.codec import encode_row
from tables.follower import Follower
from tests.replica_log import TOPICS, MemoryLog, MemoryTopicReader
from tests.rows import binary, row, stored

RECORDS = 12_000


def same_log() -> MemoryLog:
    """Return a log that is the same in every process: key and value of each offset follow from the offset."""
    log = MemoryLog(partitions=1)
    value = encode_row(row(stored("damaging", binary(0.25))))
    for number in range(RECORDS):
        for topic in TOPICS.values():
            log.append(topic, row_key("enwiki", number), value)
    return log


class SlowReader(MemoryTopicReader):
    """Gives a few records at a time, so that a kill falls between writes as well as into them."""

    async def read(self, *arguments, limit: int, **options):  # type: ignore[no-untyped-def]  # passed through
        await asyncio.sleep(0.001)
        return await super().read(*arguments, limit=min(limit, 40), **options)


async def main(directory: Path) -> None:
    follower = Follower(SlowReader(same_log()), directory, TOPICS, poll_seconds=0.01)
    print("following", flush=True)
    await follower.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
