"""What writers of snapshots import."""

import subprocess
import sys

import pytest

_WRITES = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from batch.arrow_start import start_without_pandas
from batch.snapshot_rows import write_chunk
from schemas.prediction import ModelId, Score, ScoreKind
from schemas.snapshot_row import SnapshotRow

start_without_pandas()
now = datetime(2026, 1, 1, tzinfo=UTC)
score = Score(ScoreKind.BINARY, ("true",), {"false": 0.25, "true": 0.75})
write_chunk(
    Path(sys.argv[1]),
    [SnapshotRow("xwiki", 1, 2, None, now, 0, None, ModelId("damaging", "1", ""), score, (), None, now)],
)
assert "pandas" not in sys.modules, "pandas was imported"
import pyarrow.parquet as pq
assert pq.read_table(sys.argv[1]).to_pandas().rev_id.tolist() == [2]
import pandas as pd, pyarrow as pa
assert pa.array(pd.Series([1, None])).to_pylist() == [1, None]
"""


def test_rows_are_written_without_pandas_and_read_with_it(tmp_path: object) -> None:
    pytest.importorskip("pandas")
    ran = subprocess.run(
        [sys.executable, "-c", _WRITES, f"{tmp_path}/chunk"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
