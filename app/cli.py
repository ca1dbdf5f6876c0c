"""The command ``revstream``. Exit codes: 0 done, 1 failed, 2 usage. Data on stdout, talk on stderr."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import asyncio
import sys

import click

from app.cli_backfill import backfill
from app.cli_checkpoint import checkpoint
from app.cli_loadtest import loadtest
from app.cli_models import models
from app.cli_options import (
    ALL,
    CONTENT,
    FAILED,
    KAFKA,
    LIMITS,
    LOGGING,
    MODELS,
    Program,
    require_positive,
    takes_settings,
)
from app.cli_parity import parity
from app.cli_rules import rules
from app.cli_snapshot import snapshot
from app.settings import Settings
from schemas.errors import SettingsError


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
)
@click.version_option(package_name="revstream", prog_name="revstream")
def main() -> None:
    """Score every change of every wiki page once, and give the score out in a millisecond."""


@main.command()
@takes_settings(*ALL)
def run(settings: Settings) -> None:
    """Run everything in one process tree on the embedded engine: source, scorers, tables, read API."""
    if not settings.is_embedded:
        raise SettingsError(
            f"`revstream run` is the embedded engine, and broker is {settings.broker}. "
            "Use `revstream worker` with Kafka, or leave broker out.",
            setting="broker",
        )
    from app.run import run as run_worker

    sys.exit(run_worker(settings))


@main.command()
@takes_settings(*(name for name in ALL if name not in {"source", "pace_events_per_second"}))
def worker(settings: Settings) -> None:
    """Run one worker on the configured broker. Start as many as there are partitions to share."""
    from app.run import worker as run_worker

    sys.exit(run_worker(settings))


@main.command()
@takes_settings(
    "data_dir",
    "app_id",
    "broker",
    "http_host",
    "http_port",
    "workers",
    "checkpoint_folder",
    "client_classes",
    "trusted_proxies",
    "cache_seconds",
    "traces",
    "rules",
    "intake",
    "intake_token",
    "shutdown_delay_seconds",
    "shutdown_timeout_seconds",
    *KAFKA,
    *MODELS,
    *LOGGING,
)
def serve(settings: Settings) -> None:
    """Answer look-ups from a copy of the predictions; workers score what is not there. Start any number."""
    if settings.workers > 1:
        from app.serve_many import serve_many

        serve_many(settings)
        return
    import uvloop

    from app.serve import serve as serve_replica

    uvloop.run(serve_replica(settings))


@main.command()
@click.argument("streams", nargs=-1, metavar="[STREAM]...")
@takes_settings("data_dir", "broker", "partitions", "rules", *MODELS, *LOGGING)
def canary(settings: Settings, streams: tuple[str, ...]) -> None:
    """Write a test event, which readers drop, to output streams, by default to all; print stream and id."""
    from app.canary import write_canaries

    for event in write_canaries(settings, streams):
        click.echo(f"{event.stream}\t{event.event_id}")


@main.command()
@click.argument("wiki_id")
@click.argument("rev_id", type=int, callback=require_positive)
@click.option("--features", "with_features", is_flag=True, help="Show the feature values as well.")
@takes_settings("data_dir", *CONTENT, *MODELS, *LIMITS, *LOGGING)
def score(settings: Settings, wiki_id: str, rev_id: int, with_features: bool) -> None:
    """Fetch one revision, score it now and print the scores as JSON; nothing is stored."""
    import orjson

    from app.scoring import score_once

    document = asyncio.run(score_once(settings, wiki_id, rev_id, with_features=with_features))
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    if any("error" in answer for answer in document["scores"].values()):
        sys.exit(FAILED)


@main.command()
@click.argument("wiki_id")
@click.argument("rev_id", type=int, required=False, callback=require_positive)
@click.option("--page", "page_id", type=int, callback=require_positive, help="The latest of this page.")
@takes_settings("http_host", "http_port", *LOGGING)
def lookup(settings: Settings, wiki_id: str, rev_id: int | None, page_id: int | None) -> None:
    """Ask the running server for a stored prediction, by revision or by page."""
    from app.lookup import look_up

    if (rev_id is None) == (page_id is None):
        raise click.UsageError("Name either a revision (REV_ID) or a page (--page PAGE_ID).")
    click.echo(look_up(settings.http_host, settings.http_port, wiki_id, rev_id=rev_id, page_id=page_id))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@takes_settings(*ALL)
def doctor(settings: Settings, as_json: bool) -> None:
    """Say whether a worker would start here, and how to cure what keeps it from it."""
    from app.doctor import diagnose
    from app.findings import as_table, is_broken, to_json

    findings = diagnose(settings)
    click.echo(to_json(findings) if as_json else as_table(findings, fancy=sys.stdout.isatty()))
    if is_broken(findings):
        sys.exit(FAILED)


main.add_command(loadtest)
main.add_command(models)
main.add_command(rules)
main.add_command(checkpoint)
main.add_command(snapshot)
main.add_command(backfill)
main.add_command(parity)
