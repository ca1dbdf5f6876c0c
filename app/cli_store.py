"""Verbs of ``revstream models`` that move models: pull, push, promote, rollback, diff."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from app.cli_options import LOGGING, takes_settings
from app.settings import Settings
from schemas.errors import SettingsError

_STAGES: Final = ("experimental", "staging", "production")
_WIKIMEDIA: Final = "wikimedia"
_HEX: Final = "0123456789abcdef"


def _reaches_s3(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the flags of an S3 endpoint. Keys come from AWS's own variables and files."""
    for option in (
        click.option("--anonymous", is_flag=True, help="Ask S3 without keys."),
        click.option("--region", default="", envvar="AWS_REGION", help="Of S3.  [AWS_REGION]"),
        click.option(
            "--endpoint",
            default="",
            envvar=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
            metavar="URL",
            help="Of an S3 server that is not Amazon's.  [AWS_ENDPOINT_URL_S3]",
        ),
    ):
        verb = option(verb)
    return verb


_with_stages = click.option(
    "--with-stages", is_flag=True, help="Take the stages, wikis and history of these models along."
)


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--from",
    "address",
    default=_WIKIMEDIA,
    show_default=True,
    metavar="ADDRESS",
    help="s3://BUCKET/PREFIX, a folder, or the https address of a directory laid out as Wikimedia's.",
)
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Default: first model folder.")
@click.option("--sha512", default="", metavar="HEX", help="Expected of one file from a directory.")
@click.option("--limit-mb", type=click.IntRange(1), default=1024, show_default=True, help="Of one model.")
@click.option(
    "--stopwords",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="NLTK's stop-word corpus, for model files that read stop words without holding them.",
)
@_with_stages
@_reaches_s3
@takes_settings("model_folders", "mediawiki_contact", "mediawiki_user_agent", *LOGGING)
def pull(
    settings: Settings,
    *,
    names: tuple[str, ...],
    address: str,
    into: Path | None,
    sha512: str,
    limit_mb: int,
    stopwords: Path | None,
    with_stages: bool,
    endpoint: str,
    region: str,
    anonymous: bool,
) -> None:
    """Fetch models by name, NAME or NAME@VERSION, checked against their sha512; without names, list them.

    From a bucket or a folder come artefacts. From Wikimedia's directory come model files, enwiki-damaging
    being the newest damaging/enwiki, which are imported. All arrive as experimental.
    """
    from app.pulling import PullOptions, pull_artefacts, pull_published
    from models.remote import S3Options, open_remote

    if sha512 and (len(sha512) != 128 or set(sha512.lower()) - set(_HEX)):
        raise click.BadParameter("a sha512 is 128 hexadecimal digits.", param_hint="--sha512")
    limit_bytes = limit_mb << 20
    tell = _tell_pulled
    if address == _WIKIMEDIA or "://" in address.removeprefix("s3://"):
        if not names or (sha512 and len(names) > 1):
            raise click.UsageError("Name the models, such as enwiki-damaging; with --sha512 just one.")
        options = PullOptions(limit_bytes=limit_bytes, sha512=sha512, stopwords=stopwords)
        url = None if address == _WIKIMEDIA else address
        pull_published(settings, names, _into(settings, into), url=url, options=options, tell=tell)
        return
    remote = open_remote(address, S3Options(endpoint=endpoint, region=region, is_anonymous=anonymous))
    if not names:
        for name, versions in remote.versions().items():
            click.echo("\t".join((name, " ".join(versions))))
        return
    pull_artefacts(
        remote, names, _into(settings, into), limit_bytes=limit_bytes, with_stages=with_stages, tell=tell
    )


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--to", "address", required=True, metavar="ADDRESS", help="s3://BUCKET/PREFIX, or a folder.")
@_with_stages
@_reaches_s3
@takes_settings("model_folders", *LOGGING)
def push(
    settings: Settings,
    *,
    names: tuple[str, ...],
    address: str,
    with_stages: bool,
    endpoint: str,
    region: str,
    anonymous: bool,
) -> None:
    """Copy artefacts, NAME or NAME@VERSION, to a bucket or a folder; what is there never changes."""
    from app.pulling import push_artefacts
    from models.remote import S3Options, open_remote

    remote = open_remote(address, S3Options(endpoint=endpoint, region=region, is_anonymous=anonymous))
    push_artefacts(settings, names, remote, with_stages=with_stages, tell=_tell_pushed)


@click.command()
@click.argument("artefact", metavar="NAME[@VERSION]")
@click.option("--to", type=click.Choice(_STAGES), help="Default: the stage after the one that it is at.")
@click.option("--by", default="", help="Who promotes, for the history. Default: the user of this machine.")
@takes_settings("model_folders", *LOGGING)
def promote(settings: Settings, *, artefact: str, to: str | None, by: str) -> None:
    """Move a version, the newest by default, to a stage, after loading it once to see that it works.

    A worker that runs goes on with what it has loaded; it serves the new stages from its next start on, or
    from a SIGHUP on.
    """
    from datetime import UTC, datetime

    from app.catalogue import model_folders
    from models.stages import Stage
    from models.staging import promote_artefact

    model_folders(settings)
    change = promote_artefact(
        settings.model_folders, artefact, Stage(to) if to else None, by=by or _user(), at=datetime.now(UTC)
    )
    _tell_change(settings, artefact.partition("@")[0], change)


@click.command()
@click.argument("name")
@click.option("--by", default="", help="Who rolls back, for the history. Default: the user of this machine.")
@takes_settings("model_folders", *LOGGING)
def rollback(settings: Settings, *, name: str, by: str) -> None:
    """Take back the last promotion of a model; once more takes back the one before it."""
    from datetime import UTC, datetime

    from app.catalogue import model_folders
    from models.staging import rollback_model

    model_folders(settings)
    change = rollback_model(settings.model_folders, name, by=by or _user(), at=datetime.now(UTC))
    _tell_change(settings, name, change)


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with values in full.")
@takes_settings("model_folders", *LOGGING)
def diff(settings: Settings, *, first: str, second: str, as_json: bool) -> None:
    """Say how two artefacts differ: features, labels, parameters, statistics, hashes."""
    import msgspec

    from app.catalogue import open_store
    from models.comparison import as_lines, compare

    store = open_store(settings)
    difference = compare(store.manifest(first), store.manifest(second))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(difference), indent=2))
    else:
        click.echo("\n".join(as_lines(difference)))


VERBS: Final = (diff, promote, pull, push, rollback)


def _into(settings: Settings, into: Path | None) -> Path:
    if into is not None:
        return into
    if not settings.model_folders:
        raise SettingsError(
            "No folder is named for the models. Name one with --into, or in model_folders.",
            setting="model_folders",
        )
    return settings.model_folders[0]


def _user() -> str:
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _tell_change(settings: Settings, name: str, change: Any) -> None:
    from app.catalogue import open_store

    live = open_store(settings).live_versions(name)
    default = f"answers by default: {live[-1]}" if live else "no version answers by default"
    click.echo(f"{name}@{change.version}: {change.from_stage} → {change.to}; {default}")


def _tell_pulled(copied: Any) -> None:
    said = "pulled" if copied.is_new else "was here already"
    click.echo(f"{copied.name}@{copied.version}  {said}  sha512 {copied.sha512[:16]}…")


def _tell_pushed(copied: Any) -> None:
    said = "pushed" if copied.is_new else "was there already"
    click.echo(f"{copied.name}@{copied.version}  {said}  sha512 {copied.sha512[:16]}…")
