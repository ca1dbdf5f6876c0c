"""Snapshots as references of what live scores are compared with."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from batch.snapshot import Snapshot
from batch.snapshot_shares import has_scores, newest_first, score_shares
from models.statistics.live import BINS
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import SnapshotUnusable
from schemas.prediction import ModelId
from schemas.score_shares import ScoreShares

LOOK_SECONDS: Final = 600.0

_log = structlog.get_logger(__name__)


class ScoreReferences:
    """Knows how the scores of each served model are spread in the newest snapshot that has them.

    Each snapshot is counted once, when it appears.

    Args:
        folder: Of snapshots; it may come later.
        catalogue: Returns the models of each wiki, as they are now.
    """

    def __init__(self, folder: Path, catalogue: Callable[[], Catalogue]) -> None:
        self._folder = folder
        self._catalogue = catalogue
        self._found: dict[tuple[str, str], tuple[ModelId, ScoreShares]] = {}

    def find(self, wiki_id: str, model_name: str) -> ScoreShares | None:
        """Return how scores of the version that is served are spread; None where no snapshot tells."""
        found, served = self._found.get((wiki_id, model_name)), self._catalogue().find(wiki_id, model_name)
        return found[1] if found and served and found[0] == served.id else None

    async def keep_looking(self) -> None:
        """Look for snapshots again and again, beside the loop."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except Exception:
                # A folder that others write to must not end a worker.
                _log.exception("snapshots_unread", folder=str(self._folder))
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Look for snapshots, and count what is new in them. One that cannot be read is passed over."""
        known = newest_first(self._folder)
        for wiki_id, models in self._catalogue().wikis.items():
            for model_name, info in models.items():
                found = self._newest(known, wiki_id, info)
                if found is None:
                    self._found.pop((wiki_id, model_name), None)
                else:
                    self._found[wiki_id, model_name] = info.id, found

    def _newest(self, known: list[Snapshot], wiki_id: str, info: ModelInfo) -> ScoreShares | None:
        name, version = info.id.model_name, info.id.model_version
        for snapshot in known:
            if not has_scores(snapshot, wiki_id, name, version):
                continue
            manifest = snapshot.manifest
            counted_id, counted = self._found.get((wiki_id, name), (None, None))
            is_same = counted and (counted.name, counted.created_dt) == (manifest.name, manifest.created_dt)
            if is_same and counted_id == info.id:
                return counted
            try:
                return score_shares(snapshot, wiki_id, name, version, bins=BINS)
            except SnapshotUnusable as error:
                _log.warning("snapshot_unusable", path=str(snapshot.path), reason=error.message)
        return None
