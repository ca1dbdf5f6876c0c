"""The verb ``revstream rules``: check, explain, dry-run, convert."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import sys
from itertools import islice
from pathlib import Path
from typing import Final

import click

from app.cli_options import FAILED, LOGGING, MODELS, takes_settings
from app.settings import Settings
from schemas.errors import SettingsError
from schemas.keys import PAGE_CHANGE_TOPIC

_FILE: Final = click.Path(path_type=Path)
_topic = click.option(
    "--topic",
    default=PAGE_CHANGE_TOPIC,
    help="That the events would be read from. Default: the stream that each names.",
)


@click.group(no_args_is_help=True)
def rules() -> None:
    """Look at rules: what they say, what they would do about events, and why."""


@rules.command()
@click.argument("file", type=_FILE, required=False)
@takes_settings("rules", *MODELS, *LOGGING)
def check(settings: Settings, file: Path | None) -> None:
    """Say whether a file of rules is understood and its models are here; print each with its streams."""
    from app.catalogue import build_catalogue, open_store
    from app.rules import output_streams, read_rules, unknown_models, untagged_rules

    if file is None and not settings.rules:
        raise SettingsError("No file of rules is named. Name it, or set rules.", setting="rules")
    found = read_rules(file or Path(settings.rules).expanduser())
    catalogue = build_catalogue(settings, open_store(settings))
    for rule in found:
        topics = ",".join(one if isinstance(one, str) else one.source for one in rule.topics)
        models = ",".join(
            dict.fromkeys(name for case in rule.cases for name in case.models or ("all models",))
        )
        streams = ",".join(output_streams((rule,), catalogue))
        click.echo("\t".join((rule.name, rule.stage, topics, models, streams)))
    missing = unknown_models(found, catalogue)
    for rule_name, names in missing.items():
        click.echo(
            f"{rule_name}: no wiki has {', '.join(names)}. Add them to wikis, or correct them.", err=True
        )
    for rule_name in untagged_rules(found, catalogue):
        click.echo(
            f"{rule_name}: no weighted tags, for its models say yes or no. Name one of topics.", err=True
        )
    if missing:
        sys.exit(FAILED)


@rules.command()
@click.argument("event_file", type=_FILE)
@_topic
@takes_settings("rules", *MODELS, *LOGGING)
def explain(settings: Settings, event_file: Path, topic: str) -> None:
    """Say of each event in a file which rules take it, which leave it, and the first condition that fails."""
    from app.rules import explain_event, read_events, require_rules

    book = require_rules(settings)
    for number, event in enumerate(read_events(event_file), start=1):
        if number > 1:
            click.echo()
        for line in explain_event(book, event, topic):
            click.echo(line)


@rules.command("dry-run")
@click.argument("file", type=_FILE)
@click.option("--limit", type=click.IntRange(1), help="Events to read. Default: all.")
@_topic
@takes_settings("rules", *MODELS, *LOGGING)
def dry_run(settings: Settings, file: Path, limit: int | None, topic: str) -> None:
    """Count what the rules would do about the events of a file, without scoring any."""
    from app.rules import Forecast, read_events, require_rules

    forecast = Forecast(require_rules(settings), topic)
    for event in islice(read_events(file), limit):
        forecast.add(event)
    for line in forecast.lines():
        click.echo(line)


@rules.command()
@click.argument("file", type=_FILE)
def convert(file: Path) -> None:
    """Print the rules of Lift Wing's or ChangeProp's configuration, or of ORES's precache, as ours.

    What has no meaning here is told on stderr, by line and rule.
    """
    from agents.rules.convert import convert as convert_file
    from app.rules import read_rule_file

    conversion = convert_file(read_rule_file(file), str(file))
    for note in conversion.notes:
        click.echo(str(note), err=True)
    click.echo(conversion.text, nl=False)
    if not conversion.rules:
        sys.exit(FAILED)
