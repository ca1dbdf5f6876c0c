"""DuckDB, as snapshots are sorted and asked by it."""

from pathlib import Path
from typing import Any

import duckdb


def open_database(scratch: Path, *, memory_bytes: int, threads: int | None = None) -> Any:
    """Return a database in memory that spills to a folder, tells times in UTC, and prints nothing.

    Args:
        scratch: Folder for what does not fit into memory.
        memory_bytes: What it may take.
        threads: How many it uses; None for all cores.

    Returns:
        A connection, which whoever asked closes.
    """
    config: dict[str, Any] = {"memory_limit": f"{memory_bytes}B", "temp_directory": str(scratch)}
    if threads is not None:
        config["threads"] = threads
    database = duckdb.connect(":memory:", config=config)
    database.execute("SET TimeZone = 'UTC'")
    # It would go to standard output, in between data.
    database.execute("SET enable_progress_bar = false")
    return database
