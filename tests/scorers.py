"""Scorers for requests that find nothing stored."""

from app.api.on_demand import ScoreRequest
from schemas.attribution import (
    Attribution,
    AttributionMethod,
    AttributionReference,
    AttributionScale,
    LabelAttribution,
)
from schemas.errors import (
    ContentUnavailable,
    CpuLimitExceeded,
    NotReady,
    RevisionDeleted,
    RevisionNotFound,
    RevstreamError,
)
from schemas.prediction import FeatureValue, ScoredModel
from tests.rows import binary, model_id

FAILURES: dict[int, RevstreamError] = {
    404: RevisionNotFound("The wiki has no revision 404.", rev_id=404),
    410: RevisionDeleted("The text of revision 410 is hidden.", rev_id=410),
    502: ContentUnavailable("The wiki does not answer; try again.", rev_id=502),
    503: NotReady("Too much is waiting to be scored; try again.", rev_id=503),
    504: CpuLimitExceeded("Scoring revision 504 took more than 15 s of CPU time.", rev_id=504),
}


class ReversedDigits:
    """Scores a revision by the last two digits of its id, reversed, divided by 100; fails for FAILURES."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, tuple[str, ...]]] = []

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        self.asked.append((request.wiki_id, request.rev_id, tuple(request.model_names)))
        if request.rev_id in FAILURES:
            raise FAILURES[request.rev_id]
        last_two = f"{request.rev_id:02d}"[-2:]
        reversed_digits = int(last_two[::-1])
        features: dict[str, FeatureValue] | None = None
        if request.with_features:
            features = {"feature.revision.reversed_last_two_in_rev_id": reversed_digits}
        attribution = _attribution(reversed_digits) if request.with_attribution else None
        if attribution is not None:
            features = dict(zip(attribution.features, attribution.values, strict=True))
        return [
            ScoredModel(model_id(name), binary(reversed_digits / 100), features, attribution)
            for name in request.model_names
        ]


def _attribution(reversed_digits: int) -> Attribution:
    """Return an account with something for, something against, and something of no weight."""
    return Attribution(
        AttributionMethod.TREE_SHAP,
        AttributionScale.LOG_ODDS,
        AttributionReference.TRAINING,
        ("feature.revision.user.is_anon", "feature.revision.reversed_last_two_in_rev_id", "feature.<img>"),
        (True, reversed_digits, 0.25),
        (LabelAttribution("true", -1.0, 0.25, (-0.5, 1.75, 0.0)),),
    )
