"""The verb ``revstream snapshot load``."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import asyncio
import getpass
import sys
from pathlib import Path
from time import monotonic
from typing import Any, Final

import click

from app.cli_options import LOGGING, MODELS, takes_settings
from app.settings import Settings

_LINE_SECONDS: Final = 30.0
_REFRESH_SECONDS: Final = 0.2


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--into", "url", required=True, metavar="URL", help="A worker: http://127.0.0.1:8090.")
@click.option("--with-errors", is_flag=True, help="Load what could not be scored as well.")
@click.option(
    "--patience-seconds",
    type=click.FloatRange(1),
    default=120.0,
    show_default=True,
    help="Give up where the worker took nothing for so long.",
)
@click.option(
    "--promote",
    "artefact",
    metavar="NAME@VERSION",
    help="Once all is loaded, move this version to production, and have the workers serve it.",
)
@click.option(
    "--reload",
    "others",
    multiple=True,
    metavar="URL",
    help="With --promote: a further worker or replica that is to serve it, after the first.",
)
@takes_settings("intake_token", *MODELS, *LOGGING)
def load(
    settings: Settings,
    *,
    path: Path,
    url: str,
    with_errors: bool,
    patience_seconds: float,
    artefact: str | None,
    others: tuple[str, ...],
) -> None:
    """Load a snapshot into the tables of a running system, whose newer rows stay.

    PATH is FOLDER/snapshot=NAME. The worker's setting intake has to be on; where it asks for a token, set
    REVSTREAM_INTAKE_TOKEN. Look-ups and events go on. Who is interrupted may load again: nothing is doubled.
    """
    from app.load_client import LoadClient
    from batch.snapshot import open_snapshot

    snapshot = open_snapshot(path)
    clients = [
        LoadClient(one, token=settings.intake_token, patience_seconds=patience_seconds, tell=_Teller().tell)
        for one in (url, *others)
    ]
    if artefact is not None:
        from app.switch import check_switch

        check_switch(settings, snapshot, artefact)
    done = asyncio.run(clients[0].load(snapshot, with_errors=with_errors))
    click.echo(f"{done.sent} revisions of {snapshot.manifest.name} are in the tables of {url}")
    if artefact is not None:
        from app.switch import promote_loaded

        is_new = promote_loaded(settings, artefact, by=getpass.getuser())
        for one, client in zip((url, *others), clients, strict=True):
            asyncio.run(client.reload())
            said = "serves" if is_new else "served before, and still serves,"
            click.echo(f"{one} {said} {artefact}")


class _Teller:
    """Shows how far a load is: a line that changes on a terminal, else one every 30 s."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._next = monotonic() + (0.0 if self._is_terminal else _LINE_SECONDS)

    def tell(self, progress: Any) -> None:
        """Tell, unless that was done just now."""
        if monotonic() < self._next and not (progress.is_done and self._is_terminal):
            return
        self._next = monotonic() + (_REFRESH_SECONDS if self._is_terminal else _LINE_SECONDS)
        rate = progress.sent / max(progress.seconds, 0.001)
        line = f"{progress.sent:,} revisions of {progress.rows:,} scores, {rate:,.0f}/s"
        click.echo(f"\r{line} " if self._is_terminal else line, err=True, nl=not self._is_terminal)
        if progress.is_done and self._is_terminal:
            click.echo(err=True)
