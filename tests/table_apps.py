"""Faust apps over an embedded log, for tests of the tables alone."""

from pathlib import Path
from typing import Any

from app.stream_app import StreamApp
from tables.predictions import CommittingTables, PredictionTable


def table_app(name: str, folder: Path, **options: Any) -> StreamApp:
    """Return an app whose log and data lie in a folder; it is not started."""
    return StreamApp(
        name,
        broker=f"embedded://{folder}/log.db",
        store="committed://",
        datadir=str(folder / "data"),
        Table=PredictionTable,
        TableManager=CommittingTables,
        web_enabled=False,
        **options,
    )
