"""A follower that is killed leaves rows and positions that belong together."""

import random
import subprocess
import sys
import time
from pathlib import Path

from schemas.keys import row_key
from tables.follower import Follower
from tables.replica import Generations
from tests.fault.follower_process import RECORDS, same_log
from tests.replica_log import TOPICS, MemoryTopicReader
from tests.served import following, until

KILLS = 5


def kill_while_following(directory: Path, after_seconds: float) -> None:
    command = [sys.executable, "-m", "tests.fault.follower_process", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "following\n"
        time.sleep(after_seconds)
        process.kill()


def applied(directory: Path) -> dict[str, int]:
    """Return how many records of each table were applied, after checking that just these rows are there."""
    answering, building = Generations(directory).open()
    replica = answering or building
    assert replica is not None
    try:
        counts = {}
        for table, topic in TOPICS.items():
            positions = replica.positions(topic)
            count = positions[0].next_offset if positions else 0
            prefix = table.encode() + b"\0"
            found = [replica.get(prefix + row_key("enwiki", number)) for number in range(RECORDS)]
            assert all(held is not None for held in found[:count])
            assert all(held is None for held in found[count:])
            counts[table] = count
        return counts
    finally:
        replica.close()


async def test_rows_and_positions_move_together_through_kills(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    before = dict.fromkeys(TOPICS, 0)
    for _ in range(KILLS):
        kill_while_following(tmp_path, chance.uniform(0.02, 0.3))
        after = applied(tmp_path)
        assert all(after[table] >= before[table] for table in TOPICS)
        before = after
    assert any(before.values())
    follower = Follower(MemoryTopicReader(same_log()), tmp_path, TOPICS, poll_seconds=0.01)
    async with following(follower):
        await until(lambda: follower.freshness().is_ready and not follower.freshness().reasons)
    assert applied(tmp_path) == dict.fromkeys(TOPICS, RECORDS)
