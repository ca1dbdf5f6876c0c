"""The batch side: a backfill of the dump, read back out of its snapshot."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.backfills import run_backfill
from app.parity.comparison import Told
from app.settings import Settings
from batch.backfill.planning import Wish
from batch.snapshot import open_snapshot

_NAME: Final = "parity"


def backfill(settings: Settings, dump: Path, users: Path, folder: Path, *, with_features: bool) -> Path:
    """Backfill a dump and return where the snapshot lies.

    Args:
        settings: Name models and limits.
        dump: To be scored, all of it.
        users: Users file.
        folder: Where the snapshot goes.
        with_features: Whether rows have the features.

    Raises:
        RevstreamError: As `run_backfill`.
    """
    wish = Wish(
        snapshot=_NAME,
        sources=(str(dump),),
        users=(str(users),),
        with_features=with_features,
        max_text_bytes=settings.max_text_bytes,
    )
    return run_backfill(settings, folder, wish, processes=settings.pool_processes or None).path


def snapshot_rows(path: Path) -> Iterator[Told]:
    """Yield all rows of a snapshot, of scores and of failures."""
    for row in open_snapshot(path).rows():
        yield Told(
            row.wiki_id,
            row.rev_id,
            row.model.model_name,
            page_id=row.page_id,
            rev_dt=row.rev_dt,
            namespace_id=row.namespace_id,
            is_bot=row.is_bot,
            model=row.model,
            outcome=row.outcome,
            features=None if row.features is None else dict(row.features),
        )
