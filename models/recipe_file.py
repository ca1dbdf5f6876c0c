"""Recipes as people write them: one TOML file a model.

::

    name = "ruwiki-damaging"            # of the artefact
    model_name = "damaging"             # default: what follows the last hyphen of the name
    model_version = "0.1.0"
    wiki_id = "ruwiki"
    label_column = "damaging"
    labels = ["false", "true"]          # the default; for more classes, all of them in their order
    data = "What the rows are and who made them."
    licence = "CC0-1.0"
    owner = "…"
    stage = "experimental"              # the default
    features = ["feature.revision.user.is_anon", …]     # or a table: column = "feature…"
    columns = [{kind = "rate", of = "…", by = "…"}, …]  # default: each feature

    [estimator]
    kind = "GradientBoostingClassifier"
    scaler = "RobustScaler"
    parameters = {n_estimators = 300, max_depth = 5}

    [training]
    class_weights = "balanced"          # or {true = 10}
    population_rates = {true = 0.034, false = 0.966}
    folds = 5
    repeats = 2
    held_out = 0.2

    [tuning]
    metric = "roc_auc"
    folds = 3
    grid = {max_depth = [3, 5, 7], learning_rate = [0.01, 0.1]}

    [card]
    What = "…"
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from models.artefact import is_name
from models.columns import Column
from models.recipes import BINARY, Balanced, Recipe, Tuning
from models.training.estimator_kinds import ESTIMATORS, SCALERS
from schemas.errors import SettingsError

_STAGES = ("experimental", "staging", "production")


class _ColumnTable(Struct, forbid_unknown_fields=True):
    kind: Literal["feature", "unless", "difference", "share", "rate"]
    of: str
    by: str | None = None


class _EstimatorTable(Struct, forbid_unknown_fields=True):
    kind: str = "GradientBoostingClassifier"
    scaler: str | None = None
    parameters: Mapping[str, Any] = {}


class _TrainingTable(Struct, forbid_unknown_fields=True):
    class_weights: Balanced | Mapping[str, float] | None = None
    population_rates: Mapping[str, float] | None = None
    folds: int = 5
    repeats: int = 2
    held_out: float = 0.0


class _RecipeFile(Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    model_version: str
    features: Sequence[str] | Mapping[str, str]
    label_column: str
    data: str
    licence: str
    owner: str
    model_name: str | None = None
    labels: tuple[str, ...] = BINARY
    wiki_id: str | None = None
    content_models: tuple[str, ...] = ("wikitext",)
    stage: str = "experimental"
    columns: Sequence[_ColumnTable] = ()
    estimator: _EstimatorTable = msgspec.field(default_factory=_EstimatorTable)
    training: _TrainingTable = msgspec.field(default_factory=_TrainingTable)
    tuning: Tuning | None = None
    card: Mapping[str, str] = {}


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Args:
        path: As the module describes.

    Raises:
        SettingsError: It cannot be read, or says something that cannot be; the message names the key.
    """
    try:
        written = msgspec.toml.decode(path.read_bytes(), type=_RecipeFile)
    except OSError as error:
        raise SettingsError(
            f"the recipe {path} cannot be read: {error.strerror}; check the path", path=str(path)
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no recipe: {error}; correct it there", path=str(path)) from error
    features = _features(written, path)
    recipe = Recipe(
        name=written.name,
        model_name=written.model_name or written.name.rpartition("-")[2],
        model_version=written.model_version,
        features=features,
        label_column=written.label_column,
        columns=_columns(written, features, path),
        parameters=written.estimator.parameters,
        data=written.data,
        card=written.card,
        licence=written.licence,
        owner=written.owner,
        labels=written.labels,
        estimator=written.estimator.kind,
        scaler=written.estimator.scaler,
        class_weights=written.training.class_weights,
        population_rates=written.training.population_rates,
        tuning=written.tuning,
        folds=written.training.folds,
        repeats=written.training.repeats,
        held_out=written.training.held_out,
        wiki_id=written.wiki_id,
        content_models=written.content_models,
        stage=written.stage,
    )
    if (problem := _problem(recipe)) is not None:
        raise _wrong(path, problem)
    return recipe


def _features(written: _RecipeFile, path: Path) -> Mapping[str, str]:
    if isinstance(written.features, Mapping):
        features = dict(written.features)
    else:
        features = {name: name for name in written.features}
        if len(features) < len(written.features):
            raise _wrong(path, "features names one twice")
    if not features:
        raise _wrong(path, "features is empty")
    return features


def _columns(written: _RecipeFile, features: Mapping[str, str], path: Path) -> tuple[Column, ...]:
    if not written.columns:
        return tuple(Column("feature", position) for position in range(len(features)))
    positions = {name: position for position, name in enumerate(features)}
    columns = []
    for column in written.columns:
        for name in (column.of, column.by):
            if name is not None and name not in positions:
                raise _wrong(path, f"columns reads {name!r}, which is none of the features")
        if (column.by is None) != (column.kind == "feature"):
            raise _wrong(path, f"a column of the kind {column.kind!r} takes `by`: all but `feature` do")
        columns.append(Column(column.kind, positions[column.of], positions[column.by or column.of]))
    return tuple(columns)


def _problem(recipe: Recipe) -> str | None:
    """Return the first thing that cannot be, in the words of the file."""
    labels, tuning = recipe.labels, recipe.tuning
    named: Mapping[str, Any] = {
        "training.class_weights": recipe.class_weights,
        "training.population_rates": recipe.population_rates,
    }
    checks = [
        (is_name(recipe.name), f"name {recipe.name!r} is no name: letters, digits and _.+- only"),
        (is_name(recipe.model_version), f"model_version {recipe.model_version!r} is no version"),
        (bool(recipe.model_name), "model_name is empty"),
        (len(labels) >= 2, "labels names fewer than two"),
        (len(set(labels)) == len(labels), "labels names one twice"),
        (set(labels) != set(BINARY) or labels == BINARY, f"labels must be {list(BINARY)} in this order"),
        (recipe.stage in _STAGES, f"stage {recipe.stage!r} is none of {', '.join(_STAGES)}"),
        (
            recipe.estimator in ESTIMATORS,
            f"estimator.kind {recipe.estimator!r} is none of {', '.join(ESTIMATORS)}",
        ),
        (
            recipe.scaler is None or recipe.scaler in SCALERS,
            f"estimator.scaler {recipe.scaler!r} is none of {', '.join(SCALERS)}",
        ),
        (recipe.folds >= 2, "training.folds is below 2"),
        (recipe.repeats >= 1, "training.repeats is below 1"),
        (0 <= recipe.held_out < 1, "training.held_out is a share from 0 to below 1"),
        (tuning is None or tuning.folds >= 2, "tuning.folds is below 2"),
        (tuning is None or (bool(tuning.grid) and all(tuning.grid.values())), "tuning.grid has no values"),
        *(
            (
                set(given) <= set(labels),
                f"{key} names {', '.join(sorted(set(given) - set(labels)))}, no label",
            )
            for key, given in named.items()
            if isinstance(given, Mapping)
        ),
        (
            not isinstance(recipe.class_weights, Mapping)
            or all(w > 0 for w in recipe.class_weights.values()),
            "training.class_weights are above 0",
        ),
        (
            recipe.population_rates is None
            or (set(recipe.population_rates) == set(labels) and _adds_up(recipe.population_rates)),
            "training.population_rates gives each label a share above 0, which add up to 1",
        ),
    ]
    return next((problem for is_right, problem in checks if not is_right), None)


def _adds_up(rates: Mapping[str, float]) -> bool:
    # Published rates are rounded to some digits.
    return all(0 < rate < 1 for rate in rates.values()) and abs(sum(rates.values()) - 1) < 0.01


def _wrong(path: Path, problem: str) -> SettingsError:
    return SettingsError(f"{path} is no recipe: {problem}; correct it there", path=str(path))
