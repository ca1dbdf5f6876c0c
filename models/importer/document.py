"""The manifest of an imported model."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from models.estimators import ConvertedEstimator, ConvertedScaler
from models.features.definitions import Definition
from models.importer import lists
from models.importer.card import describe
from models.importer.envelope import Envelope
from models.importer.features import feature_specs
from models.importer.graph import FeatureGraph
from models.importer.identity import Identity
from models.importer.plain import label_text, to_plain
from models.importer.source import SourceFile
from models.manifest import Environment, ImportedFrom, Manifest, WordList
from models.statistics.conversion import convert_statistics
from schemas.errors import ModelCorrupt, ModelIncompatible
from schemas.prediction import ScoreKind

_BINARY = ("false", "true")


class ImportedModel(Struct, frozen=True, kw_only=True):
    """A model file as it was understood.

    Attributes:
        source: The file.
        envelope: What surrounds the estimator.
        identity: What the model is called.
        estimator: As arrays.
        scaler: As arrays; None without one.
        graph: Its features.
        definitions: What they compute.
        positions: Of each feature among the definitions; None for one that is found by its name.
        words: Stop words that they read and the file does not hold, and their source, by collection.
    """

    source: SourceFile
    envelope: Envelope
    identity: Identity
    estimator: ConvertedEstimator
    scaler: ConvertedScaler | None
    graph: FeatureGraph
    definitions: tuple[Definition, ...]
    positions: tuple[int | None, ...]
    words: Mapping[str, tuple[frozenset[str], str]]


def manifest_of(model: ImportedModel, *, owner: str, licence: str) -> Manifest:
    """Write the manifest of a model.

    Args:
        model: As understood.
        owner: Whom to ask.
        licence: SPDX expression.

    Raises:
        ModelIncompatible: Its labels or features are not such that it can answer.
        ModelCorrupt: Its statistics have a shape that no release writes.
    """
    estimator, scaler, envelope = model.estimator, model.scaler, model.envelope
    kind, labels = _answers(envelope, estimator.labels)
    medians = None if scaler is None else scaler.arrays.get("center")
    specs = feature_specs(model.graph, model.positions, estimator.columns, medians)
    imported = _imported_from(model)
    statistics = convert_statistics(envelope.statistics)
    return Manifest(
        name=model.identity.name,
        model_name=model.identity.model_name,
        model_version=model.identity.version,
        kind=kind,
        labels=labels,
        scorer="revscoring",
        estimator={
            "kind": estimator.kind,
            "parameters": estimator.parameters,
            "columns": sum(spec.columns for spec in specs),
            "scaler": None if scaler is None else {"kind": scaler.kind, "parameters": scaler.parameters},
        },
        features=specs,
        definitions=model.definitions,
        word_lists={
            collection: WordList(word_file(collection), source)
            for collection, (_, source) in sorted(model.words.items())
        },
        content_models=("wikibase-item",) if _reads_wikibase(model.graph) else ("wikitext",),
        environment=Environment(_packages(envelope), lists.dictionaries(model.graph)),
        imported=imported,
        statistics=statistics,
        card=describe(imported, estimator.kind, labels, len(specs), has_statistics=bool(statistics)),
        licence=licence,
        owner=owner,
    )


def _imported_from(model: ImportedModel) -> ImportedFrom:
    envelope = model.envelope
    return ImportedFrom(
        file=model.source.name,
        sha512=model.source.sha512,
        compression=model.source.compression,
        kind=str(envelope.kind),
        release=envelope.release,
        wiki_id=model.identity.wiki_id,
        stated_model_name=model.identity.stated_model_name,
        stated_version=envelope.version,
        trained_dt=_timestamp(envelope.trained),
        parameters=to_plain(dict(envelope.parameters)),
        population_rates=_rates(envelope),
        environment=to_plain(dict(envelope.environment)),
        language=envelope.language,
    )


def _answers(envelope: Envelope, labels: Sequence[Any]) -> tuple[ScoreKind, tuple[str, ...]]:
    try:
        texts = tuple(label_text(label) for label in labels)
    except TypeError as error:
        raise ModelIncompatible(f"the labels of the model cannot be read: {error}") from error
    if len(texts) < 2 or len(set(texts)) != len(texts):
        raise ModelIncompatible(
            f"the labels of the model are {', '.join(texts) or 'none'}, which tell nothing apart; it cannot "
            "be imported"
        )
    if envelope.is_multilabel:
        return ScoreKind.MULTILABEL, texts
    return (ScoreKind.BINARY if texts == _BINARY else ScoreKind.MULTICLASS), texts


def _rates(envelope: Envelope) -> dict[str, float] | None:
    if envelope.population_rates is None:
        return None
    rates = {}
    for label, rate in envelope.population_rates.items():
        if isinstance(rate, (int, float)) and 0 <= rate <= 1:
            with contextlib.suppress(TypeError):
                rates[label_text(label)] = float(rate)
    return rates


def _timestamp(seconds: float | None) -> str | None:
    try:
        return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError) as error:
        raise ModelCorrupt(f"the model was trained {seconds} seconds after 1970, as it says") from error


def _packages(envelope: Envelope) -> dict[str, str]:
    estimators = [envelope.estimator, *(estimator for _, estimator in envelope.estimators)]
    states = [one.state for one in estimators if one is not None and isinstance(one.state, dict)]
    versions = {
        "python": envelope.environment.get("python_version"),
        "revscoring": envelope.environment.get("revscoring_version"),
        "scikit-learn": next((state.get("_sklearn_version") for state in states), None),
    }
    return {package: str(version) for package, version in versions.items() if version}


def _reads_wikibase(graph: FeatureGraph) -> bool:
    return any(
        "wikibase" in dependent.name.split(".")
        or dependent.kind.module.startswith("revscoring.features.wikibase")
        for dependent in graph
    )


def word_file(collection: str) -> str:
    """Return where an artefact keeps the words of a collection."""
    return f"word_lists/{collection}.txt"
