"""What moved a score: computed for who asks, admitted as scoring is, and never stored."""

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources, answer
from app.api.asked import served_model
from app.api.documents import Document, ores_features, stored_document
from app.api.endpoint import Handler, failure_response, json_response
from app.api.errors import ours_of_failure
from app.api.ours import parse_number, parse_parameters, parse_wiki_id
from app.metrics import Face, FaceCounters
from schemas.attribution import Attribution, LabelAttribution
from schemas.prediction import ScoredModel, ScoreFailure

PATH: Final = "/attributions/{wiki_id}/{rev_id}/{model_name}"


def attribution_path(wiki_id: str, rev_id: int, model_name: str) -> str:
    """Return where programs find what moved a score."""
    return f"/attributions/{quote(wiki_id, safe='')}/{rev_id}/{quote(model_name, safe='')}"


class AttributionFace:
    """The handler of `PATH`."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._counters = resources.metrics.faces[Face.SCORES]

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {PATH: (Face.SCORES, self._show)}

    async def _show(self, request: Request) -> Response:
        wiki_id, rev_id = parse_wiki_id(request), parse_number(request, "rev_id")
        model_name: str = request.path_params["model_name"]
        parse_parameters(request, ())
        scored = await explained(self._resources, self._counters, wiki_id, rev_id, model_name)
        if isinstance(scored.outcome, ScoreFailure):
            return failure_response(ours_of_failure(scored.outcome))
        attribution = scored.attribution
        document = {
            "wiki_id": wiki_id,
            "rev_id": rev_id,
            "model_name": scored.model.model_name,
            **stored_document(scored),
            "features": None if scored.features is None else ores_features(scored.features),
            "attribution": None if attribution is None else _document(attribution),
        }
        return json_response(document)


async def explained(
    resources: Resources, counters: FaceCounters, wiki_id: str, rev_id: int, model_name: str
) -> ScoredModel:
    """Return the score of one model of one revision, its features, and what moved the score.

    1. Whatever is withdrawn ends here.
    2. Score, as far as there is room and the client may have it.
    3. Look again: what was withdrawn meanwhile is not told.

    Args:
        resources: What to ask.
        counters: Of the face that asks.
        wiki_id: As a client named it.
        rev_id: In [0, 2**63).
        model_name: As the catalogue finds it.

    Raises:
        PredictionWithdrawn: The revision or its page is.
        WikiUnknown: The wiki has no models.
        ModelNotFound: The wiki has no such model.
        NotReady: Not now.
    """
    await resources.finder.revision(wiki_id, rev_id)  # 1
    info = served_model(resources.catalogue, wiki_id, model_name)
    scored = await answer(  # 2
        resources, counters, wiki_id, rev_id, {model_name: info}, with_attribution=True
    )
    await resources.finder.revision(wiki_id, rev_id)  # 3
    return scored[model_name]


def by_weight(attribution: Attribution, label: LabelAttribution) -> list[tuple[str, object, float]]:
    """Return feature, value and contribution, those that moved the score of a label most first."""
    rows = zip(attribution.features, attribution.values, label.contributions, strict=True)
    return sorted(rows, key=lambda row: -abs(row[2]))


def _document(attribution: Attribution) -> Document:
    return {
        "method": attribution.method,
        "scale": attribution.scale,
        "reference": attribution.reference,
        "labels": {
            told.label: {
                "base": told.base,
                "score": told.score,
                "contributions": [
                    {"feature": feature, "value": value, "contribution": contribution}
                    for feature, value, contribution in by_weight(attribution, told)
                ],
            }
            for told in attribution.labels
        },
    }
