"""The report on what differs between two snapshots: figures as JSON, a page, and pictures."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from app.diff_page import diff_page
from batch.snapshot_difference import Difference
from batch.snapshot_files import appears_whole
from batch.snapshot_plots import model_plots
from models.drawing import can_draw

JSON: Final = "diff.json"
PAGE: Final = "diff.html"
_PLOT: Final = "plot."


def write_diff_report(difference: Difference, folder: Path) -> list[Path]:
    """Write a report. The same difference and the same matplotlib give the same bytes.

    Args:
        difference: What to tell.
        folder: Made where absent. Each file appears whole, in place of that of an earlier report.

    Returns:
        The files written; without pictures where matplotlib is not installed (`models.drawing.can_draw`).

    Raises:
        StoreFull: The disk is full.
        OSError: A file cannot be written.
    """
    contents = {JSON: diff_json(difference), PAGE: diff_page(difference).encode()}
    if can_draw():
        for model in difference.models:
            place = ".".join(quote(name, safe="") for name in (model.wiki_id, model.model_name))
            for ending, picture in model_plots(difference, model):
                contents[f"{_PLOT}{place}.{ending}.png"] = picture
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f"{_PLOT}*.png"):
        if path.name not in contents:
            path.unlink()
    for name, content in contents.items():
        with appears_whole(folder / name) as beside:
            beside.write_bytes(content)
    return [folder / name for name in contents]


def diff_json(difference: Difference) -> bytes:
    """Return a difference as JSON, with a line's end."""
    return msgspec.json.format(msgspec.json.encode(difference)) + b"\n"
