"""What there is to know about a model, in the sections of ORES's ``model_info``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schemas.catalogue import ModelInfoDocument
from schemas.prediction import ScoreKind

if TYPE_CHECKING:
    from models.manifest import Manifest

_TYPES: Mapping[str, str] = {
    "gradient_boosting": "GradientBoosting",
    "random_forest": "RandomForest",
    "linear_svc": "LinearSVC",
    "rbf_svc": "RBFSVC",
    "gaussian_nb": "GaussianNB",
    "multinomial_nb": "MultinomialNB",
    "bernoulli_nb": "BernoulliNB",
    "logistic_regression": "LogisticRegression",
}


def describe_model(manifest: "Manifest") -> ModelInfoDocument:
    """Gather what an artefact says of itself; of an imported model, what its makers said.

    Args:
        manifest: Of the artefact.
    """
    imported, algorithm = manifest.imported, manifest.estimator.get("kind")
    if imported is not None:
        made_as, params = imported.kind.rpartition(".")[2], imported.parameters
        environment = imported.environment
    else:
        made_as = _TYPES.get(str(algorithm), str(algorithm or manifest.scorer))
        params = {**manifest.estimator.get("parameters", {}), "labels": list(manifest.labels)}
        environment = {f"{name}_version": version for name, version in manifest.environment.packages.items()}
    return ModelInfoDocument(
        type=made_as,
        version=manifest.model_version,
        params=params,
        environment=environment,
        statistics=manifest.statistics,
        score_schema=score_schema(manifest.kind, manifest.labels),
    )


def score_schema(kind: ScoreKind, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON schema of the scores of a model.

    Args:
        kind: How it answers.
        labels: All labels, as JSON writes them.
    """
    label = {"type": "boolean" if kind is ScoreKind.BINARY else "string"}
    prediction: dict[str, Any]
    if kind is ScoreKind.MULTILABEL:
        prediction = {"description": "All labels that fit", "type": "array", "items": label}
    else:
        prediction = {"description": "The label that fits best", **label}
    return {
        "title": "Score of a classifier, with probabilities",
        "type": "object",
        "properties": {
            "prediction": prediction,
            "probability": {
                "description": "Probability of each label",
                "type": "object",
                "properties": {name: {"type": "number"} for name in labels},
            },
        },
    }
