"""The verb ``revstream models import``: published model files become artefacts."""

# ruff: noqa: PLC0415 - verbs import what they need when they run, so that `--help` answers at once.
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from app.cli_options import FAILED, LOGGING, takes_settings
from app.settings import Settings

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option("--into", type=_FOLDER, help="Folder of artefacts. Default: the first of --model-folders.")
@click.option("--name", help="Of the artefact. Default: wiki and model of the file's name, enwiki-damaging.")
@click.option(
    "--model-name", help="As clients ask for it. Default: of the file's name, wp10 as articlequality."
)
@click.option("--model-version", help="Default: as the file states, else made of its sha512.")
@click.option("--stopwords", type=_FILE, help="NLTK's stop-word corpus, stopwords.zip, if a file lacks them.")
@click.option("--licence", help="SPDX expression. Default: MIT, as ORES's models are published.")
@click.option("--owner", help="Whom to ask about the model.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
@takes_settings("model_folders", *LOGGING)
def import_models(
    settings: Settings,
    *,
    files: tuple[Path, ...],
    into: Path | None,
    name: str | None,
    model_name: str | None,
    model_version: str | None,
    stopwords: Path | None,
    licence: str | None,
    owner: str | None,
    as_json: bool,
) -> None:
    """Make artefacts of model files that revscoring saved, plain or packed. Nothing in a file is run.

    A file that cannot be imported does not keep the others from it.
    """
    import orjson

    if len(files) > 1 and (name or model_name or model_version):
        raise click.UsageError("--name, --model-name and --model-version are for one file alone.")
    folder = into or _first_folder(settings)
    named = {"name": name, "model_name": model_name, "version": model_version}
    given = {"licence": licence, "owner": owner, "nltk_stopwords": stopwords}
    wanted = {key: value for key, value in (named | given).items() if value is not None}
    outcomes = []
    for outcome in _outcomes(files, folder, wanted):
        outcomes.append(outcome)
        if not as_json:
            _tell(outcome)
    if as_json:
        click.echo(orjson.dumps(outcomes, option=orjson.OPT_INDENT_2))
    if any("error" in outcome for outcome in outcomes):
        sys.exit(FAILED)


@click.command("vectors")
@click.argument("file", type=_FILE)
@click.option("--into", type=_FOLDER, help="Default: the folder vectors in the first of --model-folders.")
@click.option("--most-words", type=click.IntRange(1), help="Take so many at most, the first of the file.")
@takes_settings("model_folders", *LOGGING)
def convert_vectors(settings: Settings, *, file: Path, into: Path | None, most_words: int | None) -> None:
    """Convert a published file of word vectors, which topic models read, so that processes share it.

    Takes gensim's .kv and the text and binary formats of word2vec, packed or not.
    """
    from models.vectors import VECTORS
    from models.vectors import convert_vectors as convert

    click.echo(str(convert(file, into or _first_folder(settings) / VECTORS, limit=most_words)))


def _first_folder(settings: Settings) -> Path:
    if not settings.model_folders:
        raise click.UsageError("Name the folder with --into.")
    return settings.model_folders[0]


def _outcomes(files: tuple[Path, ...], folder: Path, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from models.importer import import_model
    from models.staging import admit_artefact
    from schemas.errors import RevstreamError

    for file in files:
        try:
            manifest = import_model(file, folder, **wanted)
            imported = manifest.imported
            wikis = [imported.wiki_id] if imported is not None and imported.wiki_id else []
            admit_artefact(folder, manifest.name, manifest.model_version, wikis=wikis)
        except RevstreamError as error:
            yield {"file": str(file), "error": {"code": error.code, "message": error.message}}
        else:
            yield {
                "file": str(file),
                "name": manifest.name,
                "model_version": manifest.model_version,
                "kind": manifest.kind.value,
                "labels": manifest.labels,
                "features": len(manifest.features),
                "folder": str(folder / manifest.name / manifest.model_version),
                "sha512": manifest.sha512,
            }


def _tell(outcome: dict[str, Any]) -> None:
    if "error" in outcome:
        error = outcome["error"]
        click.echo(f"{outcome['file']}: {error['code']}: {error['message']}", err=True)
    else:
        click.echo(
            "\t".join(
                (
                    f"{outcome['name']}@{outcome['model_version']}",
                    outcome["kind"],
                    f"{outcome['features']} features",
                    outcome["sha512"][:16],
                    outcome["file"],
                )
            )
        )
