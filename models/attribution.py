"""What moved a score, told by the features that a reader knows."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.artefact import Artefact
from models.estimators.contributions import Contributions
from models.scoring import FeatureCache, Scorer, failure_of, scored_by
from schemas.attribution import AttributedValue, Attribution, LabelAttribution
from schemas.prediction import Score, ScoredModel
from schemas.revision import Revision


@runtime_checkable
class Attributes(Protocol):
    """A scorer that can tell what moved a score."""

    def attribution(self, artefact: Artefact, revision: Revision, cache: FeatureCache) -> Attribution | None:
        """Return what moved the score of a revision.

        Args:
            artefact: That the scorer was made of. Its numbers are read anew, since a scorer keeps them in
                the form that answers fastest.
            revision: What was scored.
            cache: Of this revision, as it was left by scoring it.

        Returns:
            None where the scores of this kind of model are no sums.
        """
        ...


def explained_by(scorer: Scorer, artefact: Artefact, revision: Revision, cache: FeatureCache) -> ScoredModel:
    """Score one revision with one model, with what moved the score; an error is a failure."""
    scored = scored_by(scorer, revision, cache, with_features=True)
    if not isinstance(scored.outcome, Score) or not isinstance(scorer, Attributes):
        return scored
    try:
        attribution = scorer.attribution(artefact, revision, cache)
    except Exception as error:
        return ScoredModel(scored.model, failure_of(scorer, revision, error))
    return ScoredModel(scored.model, scored.outcome, scored.features, attribution)


def attribution_of(
    found: Contributions | None,
    labels: Sequence[str],
    features: Sequence[str],
    values: Sequence[AttributedValue],
    places: NDArray[np.intp],
) -> Attribution | None:
    """Return contributions of columns as those of features.

    Args:
        found: Of all columns of a row; None for none.
        labels: Of the model.
        features: Printed names.
        values: One for each.
        places: For each column, which feature it is of.
    """
    if found is None:
        return None
    told = labels[1:] if (len(labels), len(found.base)) == (2, 1) else labels
    by_label = []
    for label, base, columns in zip(told, found.base.tolist(), found.values, strict=True):
        added = np.bincount(places, weights=columns, minlength=len(features))
        by_label.append(LabelAttribution(label, base, base + float(added.sum()), tuple(added.tolist())))
    return Attribution(
        found.method, found.scale, found.reference, tuple(features), tuple(values), tuple(by_label)
    )
