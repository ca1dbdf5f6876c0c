"""The verb ``revstream models``: list, show, verify, train, evaluate."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import sys
from pathlib import Path
from typing import Final

import click

from app.cli_options import FAILED, LOGGING, MODELS, takes_settings
from app.settings import Settings

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)


@click.group(no_args_is_help=True)
def models() -> None:
    """Look at artefacts, verify them, train and evaluate."""


@models.command("list")
@takes_settings(*MODELS, *LOGGING)
def list_models(settings: Settings) -> None:
    """Print the artefacts that are found, one a line: name, versions, and where each answers."""
    from app.catalogue import open_store

    store = open_store(settings)
    for name in store.names():
        places = sorted(
            f"{wiki_id}/{model_name}"
            for wiki_id, wiki in settings.wikis.items()
            for model_name, artefact in wiki.models.items()
            if artefact.partition("@")[0] == name
        )
        click.echo("\t".join((name, " ".join(store.versions(name)), " ".join(places) or "-")))


@models.command()
@click.argument("name")
@takes_settings("model_folders", *LOGGING)
def show(settings: Settings, name: str) -> None:
    """Print the manifest of an artefact as JSON: kind, features, data, statistics, card, hashes."""
    import msgspec

    from app.catalogue import open_store

    document = msgspec.json.encode(open_store(settings).open(name).manifest)
    click.echo(msgspec.json.format(document, indent=2))


@models.command()
@click.argument("names", nargs=-1)
@takes_settings("model_folders", *LOGGING)
def verify(settings: Settings, names: tuple[str, ...]) -> None:
    """Load artefacts and check every hash; all that are found unless some are named."""
    from app.catalogue import open_store
    from app.doctor import check_model
    from app.findings import as_table, is_broken

    store = open_store(settings)
    findings = [check_model(name, store.load) for name in names or store.names()]
    click.echo(as_table(findings, fancy=sys.stdout.isatty()))
    if is_broken(findings):
        sys.exit(FAILED)


@models.command()
@click.argument("name")
@click.option("--data", type=_FILE, required=True, help="Labelled table: tab-separated, plain, .bz2 or .gz.")
@click.option("--stopwords", type=_FILE, required=True, help="NLTK's stop-word corpus, stopwords.zip.")
@click.option("--out", type=_FOLDER, required=True, help="Folder of artefacts; NAME/VERSION is replaced.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="Of cross-validation.")
@click.option("--repeats", type=click.IntRange(1), default=2, show_default=True, help="Of cross-validation.")
@takes_settings(*LOGGING)
def train(
    _: Settings, *, name: str, data: Path, stopwords: Path, out: Path, folds: int, repeats: int
) -> None:
    """Train one of our models from a labelled table, test it and save it as an artefact."""
    import orjson

    from models.recipes import RECIPES
    from models.training import train as train_model

    if name not in RECIPES:
        raise click.BadParameter(f"{name} is not one of {', '.join(RECIPES)}.", param_hint="NAME")
    manifest = train_model(
        RECIPES[name], data, out, nltk_stopwords=stopwords, folds=folds, repeats=repeats, tell=_tell
    )
    document = {
        "folder": str(out / manifest.name / manifest.model_version),
        "sha512": manifest.sha512,
        "cross_validation": manifest.statistics["cross_validation"],
    }
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


@models.command()
@click.argument("name")
@click.option("--data", type=_FILE, required=True, help="Labelled table that the model was not trained on.")
@takes_settings("model_folders", *LOGGING)
def evaluate(settings: Settings, name: str, data: Path) -> None:
    """Test a model on a labelled table and print its statistics as JSON."""
    import msgspec

    from app.catalogue import open_store
    from models.training import evaluate as evaluate_model

    evaluation = evaluate_model(open_store(settings), name, data)
    click.echo(msgspec.json.format(msgspec.json.encode(evaluation), indent=2))


def _tell(line: str) -> None:
    click.echo(line, err=True)
