"""The verb ``revstream parity``."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from app.cli_options import FAILED, LIMITS, LOGGING, MODELS, takes_settings
from app.settings import Settings

_TERMINAL_SECONDS: Final = 1.0
_SECONDS: Final = 30.0


@click.command()
@click.argument("dump", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--users",
    multiple=True,
    help="Groups and registrations, for both ways: the dump's user and user_groups tables, or a users file; "
    "repeatable. Default: the users file beside the dump, where there is one.",
)
@click.option(
    "--without-users", is_flag=True, help="Know nothing of any account, whatever lies beside the dump."
)
@click.option(
    "--with-text", is_flag=True, help="Replay events that carry their text, as mediawiki.page_content_change."
)
@click.option("--without-features", is_flag=True, help="Compare rows only, which takes half the time.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="New folder that keeps events, tables and snapshot.",
)
@takes_settings(*MODELS, "max_text_bytes", "content_cache_mb", "pool_processes", *LIMITS, *LOGGING)
def parity(
    settings: Settings,
    *,
    dump: Path,
    users: tuple[str, ...],
    without_users: bool,
    with_text: bool,
    without_features: bool,
    keep: Path | None,
) -> None:
    """Score the history in a dump live and by a backfill, and print what differs, as JSON.

    A worker of its own takes the history as page changes and scores it as it comes; a backfill scores the
    same dump. Every row is compared bit for bit, and so is every feature. The exit code is 1 where anything
    differs.
    """
    import orjson
    from msgspec import to_builtins

    from app.parity.run import Parity
    from batch.users_beside import users_beside

    if users and without_users:
        raise click.UsageError("Name --users or --without-users, not both.")
    beside = None if users or without_users else users_beside(dump)
    sources = users if beside is None else (str(beside),)
    with _folder(keep) as folder:
        done = Parity(settings, dump, sources, folder, heard=_Teller().hear).run(
            with_text=with_text, with_features=not without_features
        )
    click.echo(orjson.dumps(to_builtins(done), option=orjson.OPT_INDENT_2))
    if not done.is_equal:
        sys.exit(FAILED)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="revstream-parity-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True)
    except FileExistsError:
        raise click.UsageError(f"{keep} is there already: name a new folder with --keep.") from None
    yield keep


class _Teller:
    """Says on stderr how far it is: each second on a terminal, else each half minute."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._next = time.monotonic()

    def hear(self, what: str, done: int, whole: int) -> None:
        now = time.monotonic()
        if now < self._next and done < whole:
            return
        self._next = now + (_TERMINAL_SECONDS if self._is_terminal else _SECONDS)
        line = f"{what}: {done:,} of {whole:,} revisions"
        click.echo(
            f"\r{line:<79}" if self._is_terminal else line,
            err=True,
            nl=not self._is_terminal or done == whole,
        )
