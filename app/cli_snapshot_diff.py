"""The verb ``revstream snapshot diff``."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
from pathlib import Path
from typing import Final

import click

from app.cli_options import LOGGING, takes_settings
from app.settings import Settings

_THERE: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("first", metavar="A", type=_THERE)
@click.argument("second", metavar="B", type=_THERE)
@click.option("--out", type=_FOLDER, help="Folder for a page, the figures as JSON and pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.option("--wiki", "wiki_ids", multiple=True, help="Wiki to compare; repeatable. Default: all.")
@click.option("--model", "model_names", multiple=True, help="Model to compare; repeatable. Default: all.")
@click.option("--first-version", help="Of the models in A, where it holds several.")
@click.option("--second-version", help="Of the models in B, where it holds several.")
@click.option(
    "--threshold",
    "thresholds",
    type=click.FloatRange(0, 1),
    multiple=True,
    default=(0.5, 0.9),
    show_default=True,
    help="Tell the share of revisions above it; repeatable.",
)
@click.option(
    "--largest", type=click.IntRange(0), default=20, show_default=True, help="Revisions to list for a model."
)
@click.option(
    "--memory-mb",
    type=click.IntRange(100),
    default=1024,
    show_default=True,
    help="Before rows go to the disk.",
)
@click.option("--scratch", type=_THERE, help="Folder for joined rows meanwhile. Default: the system's.")
@takes_settings(*LOGGING)
def diff(
    _: Settings,
    *,
    first: Path,
    second: Path,
    out: Path | None,
    as_json: bool,
    wiki_ids: tuple[str, ...],
    model_names: tuple[str, ...],
    first_version: str | None,
    second_version: str | None,
    thresholds: tuple[float, ...],
    largest: int,
    memory_mb: int,
    scratch: Path | None,
) -> None:
    """Say what differs between two snapshots: two versions of a model, or two months."""
    from app.diff_report import diff_json, write_diff_report
    from app.diff_text import as_lines
    from batch.snapshot_diff import DiffOptions, diff_snapshots
    from models.drawing import EXTRA, can_draw

    options = DiffOptions(
        wiki_ids=wiki_ids,
        model_names=model_names,
        first_version=first_version,
        second_version=second_version,
        thresholds=tuple(dict.fromkeys(thresholds)),
        largest=largest,
        memory_bytes=memory_mb << 20,
        scratch=scratch,
    )
    difference = diff_snapshots(first, second, options=options, tell=_tell)
    if as_json:
        click.echo(diff_json(difference), nl=False)
    else:
        click.echo("\n".join(as_lines(difference)))
    if out is not None:
        for path in write_diff_report(difference, out):
            _tell(str(path))
        if not can_draw():
            _tell(f"the report is without pictures; they need matplotlib: pip install 'revstream[{EXTRA}]'")


def _tell(line: str) -> None:
    click.echo(line, err=True)
