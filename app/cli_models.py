"""The verb ``revstream models``: list, show, verify, and the verbs of ``cli_store`` and ``cli_train``."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import sys

import click

from app import cli_store, cli_train
from app.cli_import import convert_vectors, import_models
from app.cli_options import FAILED, LOGGING, MODELS, takes_settings
from app.settings import Settings


@click.group(no_args_is_help=True)
def models() -> None:
    """Look at artefacts, verify and move them, label, train and evaluate."""


@models.command("list")
@takes_settings(*MODELS, *LOGGING)
def list_models(settings: Settings) -> None:
    """Print the artefacts that are found, one a line: name, versions with stages, and where each answers.

    After the name under which it answers come other names for it. A folder without models.yaml has no
    stages: the newest version answers.
    """
    from app.catalogue import model_routes, open_store

    store = open_store(settings)
    other_names: dict[str, list[str]] = {}
    for alias, target in sorted(store.aliases().items()):
        other_names.setdefault(target, []).append(alias)
    routes = model_routes(settings, store)
    for name in store.names():
        stages = store.entry(name).versions
        versions = (
            f"{version}:{store.stage(f'{name}@{version}')}" if stages else version
            for version in store.versions(name)
        )
        places = sorted(
            ",".join((f"{wiki_id}/{model_name}", *other_names.get(model_name, ())))
            for wiki_id, models in routes.items()
            for model_name, artefact in models.items()
            if artefact.partition("@")[0] == name
        )
        click.echo("\t".join((name, " ".join(versions), " ".join(places) or "-")))


@models.command()
@click.argument("name")
@takes_settings("model_folders", *LOGGING)
def show(settings: Settings, name: str) -> None:
    """Print an artefact as JSON: stage and history, kind, features, data, statistics, card, hashes."""
    import msgspec

    from app.catalogue import open_store

    store = open_store(settings)
    manifest = store.open(name).manifest
    entry = store.entry(manifest.name)
    aliases = sorted(alias for alias, target in store.aliases().items() if target == manifest.model_name)
    document = msgspec.to_builtins(manifest) | {
        "stage": store.stage(name),
        "live_versions": store.live_versions(manifest.name),
        "wikis": entry.wikis,
        "aliases": aliases,
        "history": entry.history,
    }
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


@models.command()
@click.argument("names", nargs=-1)
@takes_settings("model_folders", *LOGGING)
def verify(settings: Settings, names: tuple[str, ...]) -> None:
    """Load artefacts and check every hash; all versions that are found unless some are named."""
    from app.catalogue import open_store
    from app.doctor import check_model
    from app.findings import as_table, is_broken

    store = open_store(settings)
    found = [f"{name}@{version}" for name in store.names() for version in store.versions(name)]
    findings = [check_model(name, store) for name in names or found]
    click.echo(as_table(findings, fancy=sys.stdout.isatty()))
    if is_broken(findings):
        sys.exit(FAILED)


for _verb in (import_models, convert_vectors, *cli_store.VERBS, *cli_train.VERBS):
    models.add_command(_verb)
