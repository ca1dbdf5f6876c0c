"""Flags made from the table of settings, and the door through which errors leave the command line."""

import errno
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from app.settings import CONFIG_VARIABLE, SETTINGS, Setting, load_settings
from schemas.errors import EngineError, RevstreamError, SettingsError, StoreFull

FAILED: Final = 1
USAGE: Final = 2

ALL: Final = tuple(setting.name for setting in SETTINGS)
KAFKA: Final = tuple(setting.name for setting in SETTINGS if setting.name.startswith("kafka_"))
LOGGING: Final = ("log_level", "log_format")
CONTENT: Final = (
    "content",
    "mediawiki_contact",
    "mediawiki_user_agent",
    "mediawiki_url",
    "mediawiki_timeout_seconds",
    "mediawiki_max_attempts",
    "max_text_bytes",
)
LIMITS: Final = ("score_cpu_limit_seconds", "score_wall_limit_seconds", "score_memory_limit_mb")
MODELS: Final = ("model_folders", "wikis")

_METAVARS: Final = {"whole number": "INTEGER", "number": "NUMBER", "list": "LIST", "table": "JSON"}


class Program(click.Group):
    """A command that tells a named error in one line, and lets an unknown one crash with its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; exit 2 for a wrong setting and 1 for any other error that has a name."""
        try:
            return super().invoke(ctx)
        except RevstreamError as error:
            named = error
        except OSError as error:
            if error.filename is None:
                raise
            named = _file_error(error)
        click.echo(f"revstream: {named.code}: {named.message}", err=True)
        return ctx.exit(USAGE if isinstance(named, SettingsError) else FAILED)


def _file_error(error: OSError) -> RevstreamError:
    """Return the typed error for a file, any file, that the system refuses."""
    if error.errno == errno.ENOSPC:
        return StoreFull(f"The disk that holds {error.filename} is full. Free space and start again.")
    return EngineError(
        f"{error.filename} cannot be used: {error.strerror}. Correct its rights, or name another."
    )


def takes_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a verb the flags of these settings and, as first argument, the settings.

    Logging is set up before the verb runs.

    Args:
        names: Of the settings the verb reads; other flags are refused.
    """
    rows = [setting for setting in SETTINGS if setting.name in names and not setting.is_secret]

    def decorate(verb: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(verb)
        def with_settings(*, config: Path | None, **given: Any) -> Any:
            flags = {row.name: given.pop(row.name) for row in rows}
            settings = load_settings(flags=flags, config=config)
            # Not at the top: structlog would double the time of `--help`.
            from app.logging import configure_logging  # noqa: PLC0415

            configure_logging(settings.log_level, settings.log_format)
            return verb(settings, **given)

        command: Callable[..., Any] = with_settings
        for row in reversed(rows):
            command = _option(row)(command)
        return click.option(
            "--config",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help=f"Settings file. Default: {CONFIG_VARIABLE}, else revstream.toml where there is one.",
        )(command)

    return decorate


def _option(row: Setting) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    # Values stay text here: load_settings checks them, with the same words for every source.
    default = f"  [{row.variable}; {row.default}]" if row.default else f"  [{row.variable}]"
    return click.option(
        row.flag,
        row.name,
        type=click.Choice(row.choices) if row.choices else str,
        metavar=None if row.choices else _METAVARS.get(row.kind, row.kind.upper()),
        help=row.help.replace("`", "") + default,
    )


def require_positive(_: click.Context, parameter: click.Parameter, number: int | None) -> int | None:
    """Refuse ids below 1. A click callback."""
    if number is not None and number < 1:
        raise click.BadParameter(f"{number} is no id: ids start at 1.", param=parameter)
    return number
