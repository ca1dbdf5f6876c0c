"""The verb ``revstream loadtest``."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import sys
from pathlib import Path

import click

from app.cli_options import FAILED, LOGGING, takes_settings
from app.settings import Settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--at", "address", default="http://127.0.0.1:8090", show_default=True, help="The server.")
@click.option(
    "--revisions", "lists", type=_FILE, multiple=True, help="List to ask about, in Lift Wing's shape."
)
@click.option("--wiki", "wiki_id", help="The wiki of lists that name none.")
@click.option("--events", "event_file", type=_FILE, help="JSON lines to post, for the route `events`.")
@click.option("--mix", "mix_text", help="Shares: scores=80,ores=10,liftwing=5,batch=5; there is events too.")
@click.option("--rate", type=click.FloatRange(0.1, 10_000), default=50.0, show_default=True, help="A second.")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=30.0, show_default=True)
@click.option("--save", "saved", type=click.Path(dir_okay=False, path_type=Path), help="Write the report.")
@click.option("--against", "former", type=_FILE, help="A saved report; what is worse is a failure.")
@click.option("--tolerance", type=click.FloatRange(0), default=10.0, show_default=True, help="Per cent.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@takes_settings("intake_token", *LOGGING)
def loadtest(
    settings: Settings,
    *,
    address: str,
    lists: tuple[Path, ...],
    wiki_id: str | None,
    event_file: Path | None,
    mix_text: str | None,
    rate: float,
    seconds: float,
    saved: Path | None,
    former: Path | None,
    tolerance: float,
    as_json: bool,
) -> None:
    """Ask a running server many things at a steady rate, and print latencies by route.

    Without lists it asks about the newest revisions that are stored. What is asked on demand makes the server
    score, and fetch from its wikis: mind whom that burdens.
    """
    import msgspec

    from app.load_mix import DEFAULT_MIX, LoadMix, parse_mix, read_event_lines, read_revisions
    from app.load_report import as_lines, read_report, regressions
    from app.load_test import Target, run_load_test

    before = None if former is None else read_report(former)
    shares = DEFAULT_MIX if mix_text is None else parse_mix(mix_text)
    target = Target(address)
    models = target.models()
    revisions = [one for path in lists for one in read_revisions(path, wiki_id)]
    if not lists and shares.keys() - {"events"}:
        revisions = target.newest(sorted(models))
    events = [] if event_file is None else read_event_lines(event_file.read_bytes().splitlines())
    mix = LoadMix(shares, revisions, models, events)
    report = run_load_test(address, mix, rate=rate, seconds=seconds, token=settings.intake_token.reveal())
    document = msgspec.json.format(msgspec.json.encode(report))
    if saved is not None:
        saved.write_bytes(document + b"\n")
    click.echo(document if as_json else "\n".join(as_lines(report)))
    if report.sent_late > report.rate * report.seconds / 100:
        click.echo(
            f"{report.sent_late} requests were sent late: this machine is too slow for the rate.", err=True
        )
    worse = [] if before is None else regressions(before, report, tolerance / 100)
    for one in worse:
        click.echo(f"worse: {one.route} {one.figure} {one.before} -> {one.now}", err=True)
    if worse:
        sys.exit(FAILED)
