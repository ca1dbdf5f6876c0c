"""The object that revscoring pickles around an estimator, in the shape of each of its releases.

======================  ==================  =============================================================
class is in             releases            what differs
======================  ==================  =============================================================
``scorers``             first of 0.x        ``classifier_model`` (``svc`` before that) and
                                            ``feature_stats``; no version
``scorer_models``       0.x                 the same, with ``version``, ``trained`` and ``stats``
``scorer_models``       1.x                 ``scaler``, ``test_stats``; ``estimator`` since 1.3
``scoring.models``      last of 1.3, 2.x    ``estimator``, ``labels``, ``label_weights``, ``info``;
                                            ``estimators``, one a label, where ``multilabel``
======================  ==================  =============================================================

Whatever the release, one pickle makes the file, a revision's feature values are laid side by side (those of a
vector too), booleans count 0 and 1, the scaler is applied, and the estimator answers ``predict`` and
``predict_proba``. Of a multi-label model each estimator answers for one label, with its second probability.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from models.pickles import Global, Instance
from schemas.errors import ModelIncompatible

_ESTIMATORS = ("estimator", "classifier_model", "svc", "nb", "rf", "gbc")


class Envelope(Struct, frozen=True, kw_only=True):
    """What surrounds the estimator.

    Attributes:
        kind: Class of the model, ``revscoring.scoring.models.gradient_boosting.GradientBoosting``.
        features: Inert, in the order of the model's input.
        estimator: Of scikit-learn; None where there is one a label.
        estimators: Label and estimator, of a multi-label model since 2.2; else empty.
        is_multilabel: Whether a revision may have several labels.
        scaler: Of scikit-learn; None if none.
        feature_stats: Mean and deviation by feature, of the vector machines before 1.0; None if none.
        version: As stated, or None.
        trained: Seconds since 1970, or None.
        parameters: Of the training.
        population_rates: By label; None if not stated.
        environment: Where it was trained, ``python_version`` and the like; empty before 2.0.
        statistics: Inert, in the shape of its release; None if none.
        language: Module of the language, of the first releases; None since.
    """

    kind: Global
    features: Sequence[Any]
    estimator: Instance | None
    estimators: tuple[tuple[Any, Instance], ...]
    is_multilabel: bool
    scaler: Instance | None
    feature_stats: Sequence[tuple[float, float]] | None
    version: str | None
    trained: float | None
    parameters: Mapping[Any, Any]
    population_rates: Mapping[Any, Any] | None
    environment: Mapping[Any, Any]
    statistics: Any
    language: str | None

    @property
    def release(self) -> str:
        """The releases of revscoring that save this shape."""
        package = self.kind.module.split(".")[1:2]
        if package == ["scoring"]:
            return "revscoring 2"
        if package == ["scorers"]:
            return "the first revscoring 0"
        return "revscoring 0" if self.feature_stats else "revscoring 0 or 1"


def open_envelope(root: Any) -> Envelope:
    """Recognise a model of any release.

    Args:
        root: What the pickle holds.

    Raises:
        ModelIncompatible: It is no model of revscoring's, or one that was never trained.
    """
    if not isinstance(root, Instance) or not isinstance(root.state, dict):
        raise ModelIncompatible(
            f"the file holds a {_described(root)}, not a model of revscoring's; name a file that revscoring "
            "saved"
        )
    state = root.state
    features = state.get("features")
    if not isinstance(features, (list, tuple)) or not features:
        raise ModelIncompatible(
            f"the file holds a {_described(root)} without features, not a model of revscoring's; name a file "
            "that revscoring saved"
        )
    is_multilabel = bool(state.get("multilabel"))
    estimators = _by_label(state.get("estimators")) if is_multilabel else ()
    estimator = next((state[key] for key in _ESTIMATORS if isinstance(state.get(key), Instance)), None)
    if is_multilabel and not estimators:
        raise ModelIncompatible(
            "the multi-label model has one estimator for all its labels, as revscoring 2.1 alone made them; "
            "fetch a later version of it"
        )
    if estimator is None and not estimators:
        raise ModelIncompatible(
            f"the file holds a {_described(root)} without an estimator of scikit-learn, which cannot be "
            "imported; only learned models can"
        )
    info = contents(state.get("info"))
    language = state.get("language")
    return Envelope(
        kind=root.kind,
        features=features,
        estimator=None if estimators else estimator,
        estimators=estimators,
        is_multilabel=is_multilabel,
        scaler=_instance(state.get("scaler")),
        feature_stats=_feature_stats(state.get("feature_stats")),
        version=_text(state.get("version", info.get("version"))),
        trained=_seconds(state.get("trained")),
        parameters=contents(state.get("params")) or contents(info.get("params")),
        population_rates=contents(state.get("population_rates")) or None,
        environment=contents(info.get("environment")),
        statistics=_first(info.get("statistics"), state.get("test_stats"), state.get("stats")),
        language=_text(contents(language).get("name")),
    )


def contents(value: Any) -> Mapping[Any, Any]:
    """Return what a dictionary of any release's making holds; empty for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, Instance):
        return {}
    if isinstance(value.state, dict):
        data = value.state.get("_data", value.state)
        return data if isinstance(data, dict) else {}
    return dict(value.pairs)


def _described(root: Any) -> str:
    if isinstance(root, Instance):
        return f"{root.kind.module}.{root.kind.name}"
    return type(root).__name__


def _by_label(pairs: Any) -> tuple[tuple[Any, Instance], ...]:
    found = []
    for pair in _sequence(pairs):
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[1], Instance)):
            raise ModelIncompatible(
                "the multi-label model does not list a label and an estimator in each place; fetch it again"
            )
        found.append((pair[0], pair[1]))
    return tuple(found)


def _feature_stats(stats: Any) -> tuple[tuple[float, float], ...] | None:
    try:
        return tuple((float(mean), float(deviation)) for mean, deviation in stats) if stats else None
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelIncompatible(
            "the means and deviations of the model's features cannot be read; fetch it again"
        ) from error


def _sequence(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else ()


def _instance(value: Any) -> Instance | None:
    return value if isinstance(value, Instance) else None


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int, float)) else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, float) and value > 0 else None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
