"""How the scores of a model are spread in the newest snapshot that has them."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import structlog

from batch.snapshot import Snapshot, open_snapshot, snapshots
from schemas.errors import SnapshotUnusable
from schemas.score_shares import ScoreShares

_log = structlog.get_logger(__name__)


def newest_first(folder: Path) -> list[Snapshot]:
    """Return the whole snapshots below a folder, the one that was finished last first.

    Those of another format, and damaged ones, are told to the log and left out.
    """
    found = []
    for path in snapshots(folder):
        try:
            found.append(open_snapshot(path))
        except SnapshotUnusable as error:
            _log.warning("snapshot_unusable", path=str(path), reason=error.message)
    return sorted(found, key=lambda one: one.manifest.created_dt, reverse=True)


def has_scores(snapshot: Snapshot, wiki_id: str, model_name: str, model_version: str) -> bool:
    """Tell whether a snapshot has scores of a model in a version."""
    return any(
        not one.error_code
        and one.rows
        and (one.wiki_id, one.model.model_name, one.model.model_version)
        == (wiki_id, model_name, model_version)
        for one in snapshot.manifest.counts
    )


def score_shares(
    snapshot: Snapshot, wiki_id: str, model_name: str, model_version: str, *, bins: int
) -> ScoreShares:
    """Count the scores of a model in bins of equal width. One batch of rows is in memory at a time.

    Args:
        snapshot: To be read.
        wiki_id: Of the rows.
        model_name: Of the rows.
        model_version: Of the rows.
        bins: How many.

    Raises:
        SnapshotUnusable: A file cannot be read.
    """
    rows = 0
    counts: dict[str, np.ndarray[tuple[int], np.dtype[np.intp]]] = {}
    seen: Counter[str] = Counter()
    for file in snapshot.files(wiki_id=wiki_id, model_name=model_name, is_errors=False):
        for batch in snapshot.batches(file, columns=("model_version", "probability")):
            kept = batch.filter(pc.equal(batch.column("model_version"), model_version))
            rows += kept.num_rows
            labels, probabilities = _entries(kept.column("probability"))
            told = labels.dictionary_encode()
            names, places = told.dictionary.to_pylist(), told.indices.to_numpy(zero_copy_only=False)
            binned = np.minimum(bins - 1, (probabilities.to_numpy() * bins).astype(np.intp))
            for place, name in enumerate(names):
                own = np.bincount(binned[places == place], minlength=bins)
                counts[name] = counts[name] + own if name in counts else own
                seen[name] += int(own.sum())
    shares = {name: (own / seen[name]).tolist() for name, own in sorted(counts.items()) if seen[name]}
    return ScoreShares(snapshot.manifest.name, snapshot.manifest.created_dt, rows, shares)


def _entries(maps: Any) -> tuple[Any, Any]:
    """Return keys and values of all maps of an array, of which the array may be a part."""
    first, last = maps.offsets[0].as_py(), maps.offsets[-1].as_py()
    return maps.keys.slice(first, last - first), maps.items.slice(first, last - first)
