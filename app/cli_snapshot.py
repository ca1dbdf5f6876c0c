"""Verbs of ``revstream snapshot``."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from app.cli_load import load
from app.cli_options import FAILED, KAFKA, LOGGING, takes_settings
from app.cli_snapshot_diff import diff
from app.settings import Settings

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(no_args_is_help=True)
def snapshot() -> None:
    """Scores as Parquet, for researchers: write the tables as one, list and verify what is there."""


@snapshot.command()
@click.option(
    "--into",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of snapshots; made where absent.",
)
@click.option("--name", default="", help="Of the snapshot. Default: the time, as 2026-11-01T05-00-00Z.")
@takes_settings("data_dir", "app_id", "broker", "checkpoint_folder", *KAFKA, *LOGGING)
def export(settings: Settings, folder: Path, name: str) -> None:
    """Write the tables as a snapshot, while workers run or not; print its path and counts as JSON."""
    import orjson
    from msgspec import to_builtins

    from app.exports import export_snapshot
    from batch.snapshot import open_snapshot

    name = name or datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    path = asyncio.run(export_snapshot(settings, folder, name))
    manifest = open_snapshot(path).manifest
    document = {"path": str(path), "rows": manifest.rows, "counts": to_builtins(manifest.counts)}
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


@snapshot.command("list")
@click.argument("folder", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@takes_settings(*LOGGING)
def list_(_: Settings, folder: Path, as_json: bool) -> None:
    """Print the snapshots below a folder, and the drafts that were never finished."""
    import orjson

    from app.snapshot_list import as_lines, snapshot_list

    found = snapshot_list(folder)
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2) if as_json else "\n".join(as_lines(found)))


@snapshot.command()
@click.argument("path", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@takes_settings(*LOGGING)
def verify(_: Settings, path: Path, as_json: bool) -> None:
    """Read all of a snapshot and print what is wrong with it; exit 1 if anything is."""
    import orjson
    from msgspec import to_builtins

    from batch.snapshot_verify import verify_snapshot

    findings = verify_snapshot(path)
    if as_json:
        click.echo(orjson.dumps(to_builtins(findings), option=orjson.OPT_INDENT_2))
    else:
        for finding in findings:
            click.echo(f"{finding.code}\t{finding.path}\t{finding.message}")
    if findings:
        sys.exit(FAILED)
    click.echo(f"{path} is whole and sound.", err=True)


@snapshot.command()
@click.argument("folder", type=_FOLDER)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "takes_all", is_flag=True, help="All that no process makes.")
@takes_settings(*LOGGING)
def prune(_: Settings, folder: Path, names: tuple[str, ...], takes_all: bool) -> None:
    """Delete drafts that no process makes, with the work that is in them, and print what was deleted."""
    from batch.snapshot_drafts import prune_drafts

    if bool(names) == takes_all:
        raise click.UsageError("Name the drafts to delete, as `revstream snapshot list` does, or say --all.")
    for path in prune_drafts(folder, None if takes_all else names):
        click.echo(path)


snapshot.add_command(diff)
snapshot.add_command(load)
