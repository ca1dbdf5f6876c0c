"""Verbs of ``revstream checkpoint``."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import asyncio
from pathlib import Path

import click

from app.cli_options import KAFKA, LOGGING, takes_settings
from app.settings import Settings


@click.group(no_args_is_help=True)
def checkpoint() -> None:
    """Write the tables as Parquet, from which workers that lost their disk recover."""


@checkpoint.command()
@click.option(
    "--into",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of checkpoints; workers find it by checkpoint_folder.",
)
@takes_settings("data_dir", "app_id", "broker", *KAFKA, *LOGGING)
def write(settings: Settings, folder: Path) -> None:
    """Write a checkpoint of all partitions, while workers run or not; print its manifest."""
    import orjson
    from msgspec import to_builtins

    from app.checkpoints import write_checkpoint

    path, manifest = asyncio.run(write_checkpoint(settings, folder))
    document = {"path": str(path), **to_builtins(manifest)}
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


@checkpoint.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--keep", type=click.IntRange(0), default=1, show_default=True, help="How many stay.")
@takes_settings(*LOGGING)
def prune(_: Settings, folder: Path, keep: int) -> None:
    """Delete all checkpoints but the latest, and print what was deleted."""
    from batch.checkpoint import prune as prune_checkpoints

    for path in prune_checkpoints(folder, keep):
        click.echo(path)
