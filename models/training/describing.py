"""What the artefact of a freshly trained model says of itself."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from msgspec import Struct

from models import resources
from models.features.patterns import pattern_list_sha512
from models.manifest import Environment, Manifest, TrainingData
from models.recipes import BINARY, Recipe
from models.training.fitting import Fitted, complete
from models.training.preparing import Prepared
from models.training.testing import AREAS
from schemas.prediction import ScoreKind

_PACKAGES = ("revscoring", "deltas", "mwparserfromhell", "scikit-learn", "scipy", "numpy")
_TITLES: Mapping[str, str] = {"roc_auc": "ROC-AUC", "average_precision": "average precision"}


class Learnt(Struct, frozen=True):
    """What a training came to.

    Attributes:
        parameters: Of the estimator, as chosen.
        fitted: The estimator.
        statistics: Of the tests.
        rows: That it learnt from.
    """

    parameters: Mapping[str, Any]
    fitted: Fitted
    statistics: Mapping[str, Any]
    rows: int


def describe_artefact(recipe: Recipe, learnt: Learnt, prepared: Prepared) -> Manifest:
    """Write the manifest of a trained model.

    Args:
        recipe: What was trained.
        learnt: What came of it.
        prepared: What it was learnt from.
    """
    bound = prepared.bound
    patterns = {name for feature in bound for name in feature.pattern_collections}
    return Manifest(
        name=recipe.name,
        model_name=recipe.model_name,
        model_version=recipe.model_version,
        kind=ScoreKind.BINARY if recipe.labels == BINARY else ScoreKind.MULTICLASS,
        labels=recipe.labels,
        scorer="revscoring",
        estimator={
            "kind": learnt.fitted.kind,
            "parameters": learnt.fitted.parameters,
            "columns": recipe.columns,
            "trained": {
                "algorithm": f"scikit-learn {recipe.estimator}",
                "parameters": complete(recipe, learnt.parameters),
                "scaler": recipe.scaler,
                "class_weights": recipe.class_weights,
            },
        },
        features=prepared.specs,
        word_lists=prepared.words.described(),
        pattern_lists={collection: pattern_list_sha512(collection) for collection in sorted(patterns)},
        content_models=recipe.content_models,
        environment=Environment(
            {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
            resources.dictionaries_read(),
        ),
        training=TrainingData(
            file=prepared.file,
            sha512=prepared.table.sha512,
            description=" ".join(filter(None, (recipe.data, prepared.note))),
            rows=learnt.rows,
            columns={feature.name: column for feature, column in zip(bound, recipe.features, strict=True)},
            label_column=recipe.label_column,
        ),
        statistics=learnt.statistics,
        card={**recipe.card, "Data": recipe.data, "Tests": _tests(learnt.statistics)},
        licence=recipe.licence,
        owner=recipe.owner,
        stage=recipe.stage,
    )


def _tests(statistics: Mapping[str, Any]) -> str:
    areas = statistics["cross_validation"]
    figures = ", ".join(
        f"{_TITLES[name]} {areas[name]['mean']:.3f} ± {areas[name]['std']:.3f}" for name in AREAS
    )
    text = (
        f"{areas['folds']}-fold stratified cross-validation, {areas['repeats']} times: {figures} "
        "(mean and standard deviation over the folds)."
    )
    held_out = statistics.get("held_out")
    if held_out is not None:
        figures = ", ".join(f"{_TITLES[name]} {held_out[name]:.3f}" for name in AREAS)
        text += f" On {held_out['rows']} rows held out: {figures}; the other statistics are of these rows."
    return text
