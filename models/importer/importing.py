"""From a model file to an artefact."""

from pathlib import Path

from models.artefact import MANIFEST, read_manifest, save_artefact
from models.estimators import convert_estimator, convert_multilabel, convert_scaler
from models.features import catalogue
from models.features.describe import describe
from models.features.former_edits import Origin
from models.importer.document import ImportedModel, manifest_of, word_file
from models.importer.envelope import open_envelope
from models.importer.graph import FeatureGraph
from models.importer.identity import Naming, identify
from models.importer.lists import missing_stop_words, reading_words
from models.importer.source import SourceFile, read_source
from models.manifest import Manifest
from models.pickles import read_pickle
from schemas.errors import ModelCorrupt, ModelIncompatible, RevstreamError

DEFAULT_LICENCE = "MIT"
DEFAULT_OWNER = "Wikimedia Foundation, as published"


def import_model(
    path: Path,
    into: Path,
    *,
    name: str | None = None,
    model_name: str | None = None,
    version: str | None = None,
    owner: str = DEFAULT_OWNER,
    licence: str = DEFAULT_LICENCE,
    nltk_stopwords: Path | None = None,
) -> Manifest:
    """Make an artefact of a model that revscoring saved, without running anything that the file holds.

    1. Read and unpack the file, within bounds.
    2. Read the pickle: names and plain values, nothing imported, nothing called.
    3. Recognise the release by the object around the estimator.
    4. Convert estimator and scaler to arrays, and statistics to JSON.
    5. Name the features as they print today, keep what they compute, and find the words that they read.
    6. Save. The same file gives the same bytes; a failure before this leaves nothing behind.

    Whether the features can be computed here shows when the artefact is loaded.

    Args:
        path: The model file, plain or packed.
        into: Folder of artefacts; ``<name>/<version>`` is written, and replaced where the same file made it.
        name: Of the artefact; by default ``<wiki>-<model name>`` of the file's name.
        model_name: As clients ask for it; by default that of the file's name, in today's spelling.
        version: Text; by default what the file states, else ``0.0.0+`` and the start of its sha512.
        owner: Whom to ask.
        licence: SPDX expression.
        nltk_stopwords: Zip of NLTK's stop-word corpus, for models that read stop words and do not hold them.

    Returns:
        The manifest of the artefact.

    Raises:
        ModelFileMissing: The file cannot be read.
        ModelRefused: The pickle asks for a name outside the closed list.
        ModelCorrupt: The file is cut short or changed.
        ModelIncompatible: It is no model of revscoring's, of a kind that is not known here, or its place is
            taken by another model.
        ResourceMissing: It reads stop words that it does not hold, and no corpus is given.
    """
    source = read_source(path)  # 1
    try:
        model = _understood(path, source, Naming(name, model_name, version), nltk_stopwords)
        manifest = manifest_of(model, owner=owner, licence=licence)
    except RevstreamError as error:
        error.fields.setdefault("path", str(path))
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        # Damage may leave any value in any place, and not every place asks what it was given.
        raise ModelCorrupt(
            f"{path} holds values where no release of revscoring puts them ({type(error).__name__}: "
            f"{error}); fetch it again",
            path=str(path),
        ) from error
    folder = into / manifest.name / manifest.model_version
    _require_free(folder, source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"estimator.{key}": array for key, array in model.estimator.arrays.items()}
    if model.scaler is not None:
        arrays |= {f"scaler.{key}": array for key, array in model.scaler.arrays.items()}
    words = {word_file(collection): found for collection, (found, _) in model.words.items()}
    return save_artefact(folder, manifest, arrays, words)  # 6


def _understood(path: Path, source: SourceFile, naming: Naming, nltk_stopwords: Path | None) -> ImportedModel:
    envelope = open_envelope(read_pickle(source.data))  # 2, 3
    identity = identify(path, source, envelope, naming)
    if envelope.estimators:  # 4
        estimator = convert_multilabel(envelope.estimators)
    else:
        estimator = convert_estimator(envelope.estimator)
    graph = FeatureGraph(envelope.features)  # 5
    words = missing_stop_words(graph, nltk_stopwords)
    by_name = reading_words(graph, words)
    graph.rename()
    origin = Origin(envelope.language, envelope.trained)
    positions, definitions = describe(envelope.features, catalogue.known(), origin=origin)
    return ImportedModel(
        source=source,
        envelope=envelope,
        identity=identity,
        estimator=estimator,
        scaler=convert_scaler(envelope.feature_stats or envelope.scaler),
        graph=graph,
        definitions=definitions,
        positions=tuple(None if at in by_name else position for at, position in enumerate(positions)),
        words=words,
    )


def _require_free(folder: Path, source: SourceFile) -> None:
    if not (folder / MANIFEST).exists():
        return
    imported = read_manifest(folder).imported
    if imported is None or imported.sha512 != source.sha512:
        raise ModelIncompatible(
            f"{folder} holds another model of that name and version, made from "
            f"{imported.file if imported else 'something else'}; give another --model-version or --name",
            path=str(folder),
        )
