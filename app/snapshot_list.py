"""What lies below a folder of snapshots."""

from collections import Counter
from pathlib import Path
from typing import Any

from batch.snapshot import open_snapshot, snapshots
from batch.snapshot_drafts import drafts
from schemas.errors import SnapshotUnusable


def snapshot_list(folder: Path) -> list[dict[str, Any]]:
    """Return a document for each snapshot and each draft below a folder; drafts come last.

    Args:
        folder: Of snapshots.

    Returns:
        ``path`` and ``state`` of each: ``whole`` with its rows by model, ``unusable`` with the reason,
        ``held`` by a process that makes it, or ``abandoned``.
    """
    found: list[dict[str, Any]] = []
    for path in snapshots(folder):
        try:
            manifest = open_snapshot(path).manifest
        except SnapshotUnusable as error:
            found.append({"path": str(path), "state": "unusable", "reason": error.message})
            continue
        models: Counter[str] = Counter()
        for one in manifest.counts:
            models[f"{one.wiki_id} {one.model.model_name} {one.model.model_version}"] += one.rows
        found.append(
            {
                "path": str(path),
                "state": "whole",
                "created_dt": manifest.created_dt.isoformat().replace("+00:00", "Z"),
                "source": manifest.origin.source,
                "rows": manifest.rows,
                "errors": sum(one.rows for one in manifest.counts if one.error_code),
                "size_bytes": sum(file.size_bytes for file in manifest.files),
                "models": dict(models),
            }
        )
    for draft in drafts(folder):
        state = "held" if draft.is_held else "abandoned"
        found.append({"path": str(draft.path), "state": state, "chunks": draft.chunks})
    return found


def as_lines(found: list[dict[str, Any]]) -> list[str]:
    """Return a line for each, of fields with tabs between."""
    lines = []
    for one in found:
        match one["state"]:
            case "whole":
                told = f"{one['rows']} rows, {one['errors']} errors, {one['size_bytes']} bytes: " + ", ".join(
                    f"{model} {rows}" for model, rows in one["models"].items()
                )
            case "unusable":
                told = one["reason"]
            case _:
                told = f"{one['chunks']} chunks"
        lines.append(f"{one['path']}\t{one['state']}\t{told}")
    return lines
