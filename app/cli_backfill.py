"""Verbs of ``revstream backfill``."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from app.cli_options import FAILED, LIMITS, LOGGING, MODELS, takes_settings
from app.settings import Settings

_SETTINGS: Final = (*MODELS, "max_text_bytes", *LIMITS, *LOGGING)
_MOMENT: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])


def _takes_wish(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the arguments that say what is to be scored, as ``wish``."""

    @functools.wraps(verb)
    def with_wish(settings: Settings, *, into: Path, **given: Any) -> Any:
        from app.backfills import wish_of

        own = {name: given.pop(name) for name in _WISH}
        return verb(settings, into, wish_of(settings, **own), **given)

    command: Callable[..., Any] = with_wish
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_WISH: Final = (
    "sources",
    "name",
    "wiki_id",
    "only_wikis",
    "model_names",
    "namespaces",
    "since",
    "until",
    "is_latest_only",
    "sample",
    "users",
    "with_features",
)
_OPTIONS: Final = (
    click.argument("sources", nargs=-1, required=True, metavar="DUMP..."),
    click.option(
        "--into",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of snapshots; made where absent.",
    ),
    click.option("--name", required=True, help="Of the snapshot: FOLDER/snapshot=NAME, often a date."),
    click.option("--wiki", "wiki_id", help="Database name, where dumps do not tell it (before export-0.9)."),
    click.option(
        "--only-wiki", "only_wikis", multiple=True, help="Of the wikis that the dumps are of; repeatable."
    ),
    click.option(
        "--model", "model_names", multiple=True, help="Of the wiki's models; repeatable. Default: all."
    ),
    click.option(
        "--namespace", "namespaces", multiple=True, type=int, help="Number; repeatable. Default: all."
    ),
    click.option("--since", type=_MOMENT, help="Revisions saved then or later, UTC."),
    click.option("--until", type=_MOMENT, help="Revisions saved before, UTC."),
    click.option(
        "--latest", "is_latest_only", is_flag=True, help="Of each page the latest of these revisions alone."
    ),
    click.option(
        "--sample",
        type=click.FloatRange(0, 1, min_open=True),
        default=1.0,
        show_default=True,
        help="Share of the revisions, by a hash of their ids.",
    ),
    click.option(
        "--users",
        multiple=True,
        help="Groups and registrations: the dump's user and user_groups tables, a users file, or `wiki` for "
        "its API; repeatable.",
    ),
    click.option(
        "--features", "with_features", is_flag=True, help="Write a column for each feature as well."
    ),
)


@click.group(no_args_is_help=True)
def backfill() -> None:
    """Score the history in MediaWiki dumps, into a snapshot of Parquet files."""


@backfill.command()
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@takes_settings(*_SETTINGS)
@_takes_wish
def plan(settings: Settings, into: Path, wish: Any, as_json: bool) -> None:
    """Say what `run` would do: files, revisions, models, size and time. Writes nothing."""
    from app.backfills import describe, plan_backfill, to_json

    found = plan_backfill(settings, wish)
    click.echo(to_json(found) if as_json else describe(found))


@backfill.command()
@click.option(
    "--processes", type=click.IntRange(1), help="That score beside the one that reads. Default: one a core."
)
@click.option(
    "--dask",
    help="Address of a Dask scheduler, or local:N: its workers do the parts. They all see --into, dumps and "
    "models under the same paths.",
)
@click.option(
    "--metrics-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Tell Prometheus of the latest whole backfill of each wiki below --into: NAME.prom in the folder of "
    "its node exporter's textfile collector.",
)
@takes_settings(*_SETTINGS)
@_takes_wish
def run(
    settings: Settings,
    into: Path,
    wish: Any,
    *,
    processes: int | None,
    dask: str | None,
    metrics_file: Path | None,
) -> None:
    """Score what the dumps hold and print where the snapshot lies.

    Run it again after a crash: it goes on where it stopped. The snapshot appears whole at the end. A dump
    that breaks off is scored up to there, and the exit code is 1.
    """
    from app.backfills import run_backfill

    outcome = run_backfill(settings, into, wish, processes=processes, dask=dask)
    click.echo(outcome.path)
    if metrics_file is not None:
        from app.backfill_metrics import write_backfill_metrics

        write_backfill_metrics(into, metrics_file)
    for defect in outcome.defects:
        click.echo(f"revstream: source_invalid: {defect}", err=True)
    if outcome.defects:
        sys.exit(FAILED)


@backfill.command()
@click.argument("snapshot", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Of the revisions, by a hash of their ids, that are scored once more out of the same dumps.",
)
@takes_settings(*_SETTINGS)
def verify(settings: Settings, snapshot: Path, share: float) -> None:
    """Check a snapshot, score a share of it once more, and print what is wrong; exit 1 if anything is."""
    from app.backfills import verify_backfill

    compared, found = verify_backfill(settings, snapshot, share=share)
    for words in found:
        click.echo(words)
    click.echo(f"{compared} rows were scored once more, {len(found)} findings", err=True)
    if found:
        sys.exit(FAILED)
