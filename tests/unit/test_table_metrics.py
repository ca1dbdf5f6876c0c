"""What Prometheus is told of the files of tables."""

from pathlib import Path

import rocksdict
from prometheus_client import CollectorRegistry

from app.table_metrics import TableMetrics
from tables.file_status import FileStatus, file_status
from tables.row_index import Stream


def test_files_tell_their_keys_and_sizes(tmp_path: Path) -> None:
    db = rocksdict.Rdict(str(tmp_path / "rows.db"), rocksdict.Options(raw_mode=True))
    for number in range(1000):
        db[b"%d" % number] = b"x" * 1000
    before = file_status(db)
    assert before.keys == 1000
    assert before.memory_bytes > 1_000_000
    db.flush()
    after = file_status(db)
    assert after.keys == 1000
    assert after.disk_bytes > 10_000 > before.disk_bytes
    assert after.memory_bytes < before.memory_bytes
    db.close()


def test_a_partition_that_went_elsewhere_is_told_no_more() -> None:
    open_here = {
        Stream("revisions", partition): FileStatus(1 + partition, 2, 3, 4, 5) for partition in (0, 3)
    }
    registry = CollectorRegistry()
    registry.register(TableMetrics(lambda: open_here))

    def keys(partition: str) -> float | None:
        return registry.get_sample_value(
            "revstream_table_keys", {"table": "revisions", "partition": partition}
        )

    assert (keys("0"), keys("3")) == (1, 4)
    del open_here[Stream("revisions", 3)]
    assert (keys("0"), keys("3")) == (1, None)
