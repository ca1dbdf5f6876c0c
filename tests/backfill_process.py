"""A backfill in a process of its own, to be killed: ``python -m tests.backfill_process DUMP FOLDER``."""

import sys
from pathlib import Path

from tests.backfill_runs import backfill, wish

if __name__ == "__main__":
    dump, folder = map(Path, sys.argv[1:])
    backfill(folder, wish(dump))
