"""Lift Wing's contract of outlink-topic-model: requests and answers, without a server."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from app.api.errors import RETRY_AFTER_SECONDS, Failure
from app.api.liftwing_event import event_fields, event_id, positive_id, wikipedia_of
from app.api.liftwing_language import require_wikipedia, wiki_of
from schemas.errors import ContentError, RequestInvalid
from schemas.prediction import Score
from schemas.revision import PageRequest, Revision

THRESHOLD: Final = 0.5
_LONGEST_FEATURES: Final = 100_000


class OutlinkRequest(Struct, frozen=True):
    """What a request asks.

    Attributes:
        wiki_id: Database name.
        lang: Language of the article's address.
        page_title: None where the page is named by its id.
        page_id: None where the page is named by its title.
        rev_id: Whose links count; None for those that the page has now.
        outlinks: Wikidata ids that the client gives itself; None to look the page's links up.
        threshold: From which probability on a topic is answered.
    """

    wiki_id: str
    lang: str
    page_title: str | None
    page_id: int | None
    rev_id: int | None
    outlinks: tuple[str, ...] | None
    threshold: float


def parse_outlinks(body: Mapping[str, Any]) -> OutlinkRequest:
    """Read the body of a request.

    Args:
        body: ``lang`` or ``wiki_id``; ``page_title`` or ``page_id``; optionally ``threshold`` (a float),
            ``debug``, ``revision_id`` and ``features_str``. Or ``event``.

    Raises:
        RequestInvalid: With the texts of Lift Wing, where clients know them.
    """
    threshold = body.get("threshold", THRESHOLD)
    if not isinstance(threshold, float):
        raise RequestInvalid('Expected "threshold" to be a float')
    if body.get("debug"):
        threshold = 0.0
    event = body.get("event")
    title: str | None = None
    page_id: int | None = None
    rev_id: int | None = None
    if event is not None:
        wiki_id, page_id, rev_id = _event(event)
    else:
        wiki_id = _wiki(body)
        title, page_id = _page(body)
    if body.get("revision_id") is not None:
        rev_id = positive_id(body["revision_id"], "revision_id")
    features = body.get("features_str")
    if features is not None and not isinstance(features, str):
        raise RequestInvalid('Expected "features_str" to be a string.')
    if features is not None and len(features) > _LONGEST_FEATURES:
        raise RequestInvalid(
            f'"features_str" holds {len(features)} characters, and a thousand links are read of it, which '
            f"take no more than {_LONGEST_FEATURES}. Leave out the rest."
        )
    return OutlinkRequest(
        wiki_id=wiki_id,
        lang=wiki_id.removesuffix("wiki").replace("_", "-"),
        page_title=title,
        page_id=page_id,
        rev_id=rev_id,
        outlinks=None if features is None else tuple(features.split()),
        threshold=threshold,
    )


def outlinks_answer(request: OutlinkRequest, score: Score) -> dict[str, Any]:
    """Return the answer: topics of at least the threshold, likeliest first.

    Args:
        request: What was asked.
        score: Of all topics.
    """
    article = f"https://{request.lang}.wikipedia.org/wiki"
    article += f"?curid={request.page_id}" if request.page_title is None else f"/{request.page_title}"
    results = [{"topic": topic, "score": probability} for topic, probability in _topics(request, score)]
    return {"prediction": {"article": article, "results": results}}


def outlinks_tensor(request: OutlinkRequest, score: Score) -> dict[str, Any]:
    """Return what Lift Wing's model says by the second protocol: the same topics, in pairs.

    Of title and id there is the one that the client named; the other is null.
    """
    return {
        "topics": _topics(request, score),
        "lang": request.lang,
        "page_id": request.page_id,
        "page_title": request.page_title,
    }


def _topics(request: OutlinkRequest, score: Score) -> list[tuple[str, float]]:
    topics = sorted(score.probability.items(), key=lambda item: (-item[1], item[0]))
    return [item for item in topics if item[1] >= request.threshold]


def page_asked(request: OutlinkRequest) -> PageRequest:
    """Return the page whose links are to be looked up."""
    return PageRequest(request.wiki_id, request.page_title, request.page_id, request.rev_id)


def linked_page(request: OutlinkRequest, outlinks: Sequence[str]) -> Revision:
    """Return a page of which only the links are known."""
    return Revision(
        wiki_id=request.wiki_id,
        page_id=request.page_id or 0,
        page_title=request.page_title or "",
        namespace_id=0,
        rev_id=request.rev_id or 0,
        rev_parent_id=None,
        rev_dt=datetime.fromtimestamp(0, UTC),
        content_model="wikitext",
        text="",
        parent_text=None,
        comment="",
        user=None,
        outlinks=tuple(outlinks),
    )


def outlinks_failure(request: OutlinkRequest, error: ContentError) -> Failure:
    """Return the answer where the links cannot be had.

    What is missing for good is told as Lift Wing tells it of revisions, with MediaWiki's own word for it.
    """
    code = error.fields.get("api_code")
    if code is not None:
        what = "page " + (request.page_title or str(request.page_id))
        if request.rev_id is not None:
            what = f"revision {request.rev_id}"
        host = f"{request.lang}.wikipedia.org"
        detail = f"Cannot fetch {what[:300]} on {host}: MediaWiki API error '{code}'."
        return Failure(400, {"detail": detail})
    text = f"An unexpected error has occurred while trying to get outlinks from MW API: {error.message}"
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if error.retryable else {}
    return Failure(500, {"error": text}, headers)


def _wiki(body: Mapping[str, Any]) -> str:
    wiki_id = body.get("wiki_id")
    if wiki_id is None:
        if "lang" not in body:
            raise RequestInvalid('Missing "lang" in input data.')
        return wiki_of(body["lang"])
    if not isinstance(wiki_id, str) or not wiki_id.endswith("wiki"):
        raise RequestInvalid(f"Unknown wiki_id: {str(wiki_id)[:80]}")
    return wiki_id


def _page(body: Mapping[str, Any]) -> tuple[str | None, int | None]:
    title, page_id = body.get("page_title"), body.get("page_id")
    if title and page_id:
        raise RequestInvalid(
            "Detected both `page_title` and `page_id` in the request. Please pass only one of those."
        )
    if title:
        if not isinstance(title, str):
            raise RequestInvalid('Expected "page_title" to be a string.')
        return title, None
    if page_id:
        return None, positive_id(page_id, "page_id")
    raise RequestInvalid("You must pass either `page_title` or `page_id`.")


def _event(event: object) -> tuple[str, int, int | None]:
    fields = event_fields(event, "lang")
    require_wikipedia(fields.domain)
    wiki_id = wikipedia_of(fields)
    rev_id = None if fields.rev_id is None else positive_id(fields.rev_id, "rev_id")
    return wiki_id, event_id(fields.page_id, "page_id"), rev_id
