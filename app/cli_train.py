"""Verbs of ``revstream models`` that make and test models: label, train, evaluate, report."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from app.cli_options import CONTENT, LOGGING, MODELS, takes_settings
from app.settings import Settings

if TYPE_CHECKING:
    from models.recipes import Recipe
    from models.training import Evaluation, Prepared, TrainingOptions

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--dump", type=_FILE, help="XML dump with full history.")
@click.option("--events", type=_FILE, help="Recorded page changes, JSON lines; plain or packed.")
@click.option("--out", type=_NEW_FILE, required=True, help="Table to write; packed as .bz2, .gz or .zst say.")
@click.option("--wiki", "wiki_id", help="Database name: of the dump, or whose events to take.")
@click.option("--namespace", "namespaces", type=int, multiple=True, help="Of pages to read; repeatable.")
@click.option(
    "--radius", type=click.IntRange(1), default=15, show_default=True, help="Edits one revert undoes."
)
@click.option(
    "--window-hours", type=click.FloatRange(0), default=48.0, show_default=True, help="From edit to revert."
)
@click.option("--count-self-reverts", is_flag=True, help="Count edits that their own editor undid.")
@click.option("--count-restored", is_flag=True, help="Count edits that somebody else brought back.")
@click.option("--keep-unsettled", is_flag=True, help="Write edits whose window is not over as well.")
@click.option("--hash-text", is_flag=True, help="Trust the texts of a dump, not the sha1 that it states.")
@click.option("--label-column", default="reverted", show_default=True, help="Name of the column.")
@takes_settings(*LOGGING)
def label(
    _: Settings,
    *,
    dump: Path | None,
    events: Path | None,
    out: Path,
    wiki_id: str | None,
    namespaces: tuple[int, ...],
    radius: int,
    window_hours: float,
    count_self_reverts: bool,
    count_restored: bool,
    keep_unsettled: bool,
    hash_text: bool,
    label_column: str,
) -> None:
    """Write which edits were reverted, out of a dump or of recorded page changes, as a table to train on."""
    from batch.label_events import EventCounts, event_labels
    from batch.labels import dump_labels, write_labels
    from models.reverts import RevertRules

    rules = RevertRules(
        radius=radius,
        window_seconds=window_hours * 3600,
        counts_self_reverts=count_self_reverts,
        counts_restored=count_restored,
    )
    counts = EventCounts()
    if dump is not None and events is None:
        labels = dump_labels(dump, rules, wiki_id=wiki_id, namespaces=namespaces, hashes_text=hash_text)
    elif events is not None and dump is None and not hash_text:
        labels = event_labels(events, rules, wiki_id=wiki_id, namespaces=namespaces, counts=counts)
    else:
        raise click.UsageError("Name either --dump or --events; --hash-text goes with --dump.")
    written = write_labels(labels, out, rules, label_column=label_column, keeps_unsettled=keep_unsettled)
    if counts.undecodable:
        _tell(f"{counts.undecodable} lines of {events} are no page changes and were passed over")
    _print({"file": str(out), "counts": written})


def _takes_labels(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the flags that say where labelled edits come from."""
    for option in (
        click.option("--wiki", "wiki_id", help="Database name of labels that name none."),
        click.option("--labels", type=_FILE, help="Labelled revision ids; their texts come from --content."),
        click.option("--data", type=_FILE, help="Labelled table of feature values."),
    ):
        verb = option(verb)
    return verb


@click.command()
@click.argument("recipe", metavar="RECIPE")
@_takes_labels
@click.option("--out", type=_FOLDER, required=True, help="Folder of artefacts; NAME/VERSION is replaced.")
@click.option(
    "--stopwords", type=_FILE, help="NLTK's stop-word corpus, stopwords.zip, for features that read it."
)
@click.option(
    "--population", type=_FILE, help="Labelled edits drawn at random, to tell how frequent labels are."
)
@click.option("--folds", type=click.IntRange(2), help="Of cross-validation. Default: the recipe's.")
@click.option("--repeats", type=click.IntRange(1), help="Of cross-validation. Default: the recipe's.")
@click.option("--save-features", type=_NEW_FILE, help="Write what was extracted as a table for --data.")
@click.option("--report", "report_folder", type=_FOLDER, help="Default: NAME/VERSION.report in --out.")
@takes_settings("data_dir", *CONTENT, *MODELS, *LOGGING)
def train(
    settings: Settings,
    *,
    recipe: str,
    data: Path | None,
    labels: Path | None,
    wiki_id: str | None,
    out: Path,
    stopwords: Path | None,
    population: Path | None,
    folds: int | None,
    repeats: int | None,
    save_features: Path | None,
    report_folder: Path | None,
) -> None:
    """Train a model by a recipe, a TOML file or one of ours by name; test it and save it as an artefact."""
    from models.drawing import EXTRA, can_draw
    from models.report import write_report
    from models.revertrisk_training import NAME as REVERT_RISK
    from models.revertrisk_training import train_revertrisk
    from models.training import TrainingOptions, prepare_table
    from models.training import train as train_model

    _require_one(data, labels)
    if recipe == REVERT_RISK:
        if data is None:
            raise click.UsageError(f"{REVERT_RISK} is trained on its sample of edits: name it with --data.")
        manifest = train_revertrisk(data, out, folds=folds or 5, repeats=repeats or 10, tell=_tell)
        _print({"folder": str(out / manifest.name / manifest.model_version), "sha512": manifest.sha512})
        return
    chosen = _recipe(recipe, wiki_id)
    options = TrainingOptions(stopwords, folds, repeats, population)
    if data is not None:
        prepared = prepare_table(chosen, data, options)
    else:
        assert labels is not None  # noqa: S101 - by _require_one
        prepared = asyncio.run(_extracted(settings, chosen, labels, options, save_features))
    manifest = train_model(chosen, prepared, out, options, tell=_tell)
    folder = out / manifest.name / manifest.model_version
    written = write_report(manifest, report_folder or folder.with_name(f"{folder.name}.report"))
    if not can_draw():
        _tell(f"the report is without curves; they need matplotlib: pip install 'revstream[{EXTRA}]'")
    _print(
        {
            "folder": str(folder),
            "sha512": manifest.sha512,
            "rows": manifest.training.rows if manifest.training else None,
            "report": [str(path) for path in written],
            **{
                name: manifest.statistics[name]
                for name in ("cross_validation", "held_out", "tuning")
                if name in manifest.statistics
            },
        }
    )


@click.command()
@click.argument("name")
@_takes_labels
@click.option("--label-column", help="Default: the one that the model was trained on, else its name.")
@takes_settings("data_dir", *CONTENT, *MODELS, *LOGGING)
def evaluate(
    settings: Settings,
    *,
    name: str,
    data: Path | None,
    labels: Path | None,
    wiki_id: str | None,
    label_column: str | None,
) -> None:
    """Test any model on labelled edits that it was not trained on, and print its statistics as JSON."""
    from app.catalogue import open_store
    from models.training import evaluate as evaluate_model

    _require_one(data, labels)
    if data is not None:
        evaluation = evaluate_model(open_store(settings), name, data, label_column=label_column)
    else:
        assert labels is not None  # noqa: S101 - by _require_one
        evaluation = asyncio.run(_evaluated(settings, name, labels, label_column, wiki_id))
    _print(evaluation)


@click.command()
@click.argument("name")
@click.option("--out", type=_FOLDER, required=True, help="Folder of the report.")
@takes_settings("model_folders", *LOGGING)
def report(settings: Settings, *, name: str, out: Path) -> None:
    """Write the test report of an artefact: figures as JSON, card as Markdown, curves as PNG."""
    from app.catalogue import open_store
    from models.drawing import EXTRA, can_draw
    from models.report import write_report

    written = write_report(open_store(settings).open(name).manifest, out)
    if not can_draw():
        _tell(f"the report is without curves; they need matplotlib: pip install 'revstream[{EXTRA}]'")
    _print({"report": [str(path) for path in written]})


async def _extracted(
    settings: Settings, recipe: "Recipe", labels: Path, options: "TrainingOptions", features_file: Path | None
) -> "Prepared":
    from app.content import open_content
    from models.training import LabelledSource, prepare_revisions

    source = open_content(settings)
    try:
        given = LabelledSource(labels, source, _source_name(settings), features_file)
        return await prepare_revisions(recipe, given, options, tell=_tell)
    finally:
        await source.close()


async def _evaluated(
    settings: Settings, name: str, labels: Path, label_column: str | None, wiki_id: str | None
) -> "Evaluation":
    from app.catalogue import open_store
    from app.content import open_content
    from models.training import evaluate_revisions

    source = open_content(settings)
    try:
        return await evaluate_revisions(
            open_store(settings), name, labels, source, label_column=label_column, wiki_id=wiki_id, tell=_tell
        )
    finally:
        await source.close()


def _source_name(settings: Settings) -> str:
    """Return what an artefact says of where texts came from; no path of this machine."""
    from app.settings_fields import MEDIAWIKI, SAMPLE

    kind = settings.content_kind
    if kind == MEDIAWIKI:
        return "the wiki's API"
    return "the bundled sample" if kind == SAMPLE else f"the dump {Path(kind).name}"


def _recipe(name: str, wiki_id: str | None) -> "Recipe":
    import msgspec

    from models.recipe_file import read_recipe
    from models.recipes import RECIPES

    if name in RECIPES:
        recipe = RECIPES[name]
    elif name.endswith(".toml"):
        recipe = read_recipe(Path(name))
    else:
        raise click.BadParameter(
            f"{name} is neither the path of a .toml file nor one of {', '.join(RECIPES)}.",
            param_hint="RECIPE",
        )
    return recipe if wiki_id is None else msgspec.structs.replace(recipe, wiki_id=wiki_id)


def _require_one(data: Path | None, labels: Path | None) -> None:
    if (data is None) == (labels is None):
        raise click.UsageError(
            "Name either a table of feature values (--data) or labelled revisions (--labels)."
        )


def _print(document: object) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def _tell(line: str) -> None:
    click.echo(line, err=True)


VERBS: Final = (label, train, evaluate, report)
