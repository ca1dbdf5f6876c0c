"""Our own face: the stored scores of a revision, and of the latest scored revision of a page."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from app.api.age import note_age
from app.api.answers import Resources
from app.api.documents import full_document, row_document
from app.api.endpoint import Handler, json_response
from app.api.numbers import parse_id
from app.cluster.finder import Found
from app.metrics import Face, Outcome
from schemas.errors import NotReady, PredictionNotFound, RequestInvalid, WikiUnknown

HEADERS: Mapping[str, str] = {"cache-control": "no-cache"}


class OurFace:
    """Handlers of ``/scores`` and ``/pages``."""

    def __init__(self, resources: Resources) -> None:
        self._finder = resources.finder
        self._catalogue = resources.catalogue
        self._faces = resources.metrics.faces

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {
            "/scores/{wiki_id}/{rev_id}": (Face.SCORES, self._revision),
            "/pages/{wiki_id}/{page_id}": (Face.PAGES, self._page),
        }

    async def _revision(self, request: Request) -> Response:
        wiki_id = _wiki_id(request)
        rev_id = _number(request, "rev_id")
        found = await self._finder.revision(wiki_id, rev_id)
        return self._answer(request, Face.SCORES, found, wiki_id, f"revision {rev_id}", rev_id=rev_id)

    async def _page(self, request: Request) -> Response:
        wiki_id = _wiki_id(request)
        page_id = _number(request, "page_id")
        found = await self._finder.page(wiki_id, page_id)
        return self._answer(request, Face.PAGES, found, wiki_id, f"page {page_id}", page_id=page_id)

    def _answer(
        self, request: Request, face: Face, found: Found, wiki_id: str, what: str, **fields: int
    ) -> Response:
        has_provenance = _wants_provenance(request)
        answers = self._faces[face].answers
        models = self._catalogue.models(wiki_id)
        row, freshness = found.row, found.freshness
        note_age(freshness)
        if row is not None:
            answers[Outcome.STORED] += 1
            document = full_document(row, models, freshness) if has_provenance else row_document(row, models)
            return json_response(document)
        if wiki_id not in self._catalogue.wikis:
            raise WikiUnknown(
                f"No model is configured for the wiki {wiki_id[:100]!r}. GET /v3/scores/ lists those that "
                "have one.",
                wiki_id=wiki_id[:100],
            )
        if not freshness.is_ready:
            raise NotReady(
                f"The tables are not complete yet ({', '.join(freshness.reasons)}), so {what} of {wiki_id} "
                "may still come. Ask again in a few seconds.",
                wiki_id=wiki_id,
                **fields,
            )
        answers[Outcome.ABSENT] += 1
        raise PredictionNotFound(
            f"No score is stored for {what} of {wiki_id}: it was not edited since scoring began, or does "
            "not exist.",
            wiki_id=wiki_id,
            **fields,
        )


def _wiki_id(request: Request) -> str:
    wiki_id: str = request.path_params["wiki_id"]
    if "\0" in wiki_id:
        raise RequestInvalid("The wiki id holds a NUL. Name the wiki's database, such as enwiki.")
    return wiki_id


def _number(request: Request, name: str) -> int:
    text: str = request.path_params[name]
    number = parse_id(text)
    if number is None:
        raise RequestInvalid(
            f"{name} is {text[:100]!r}, which is no id: it must be a whole number in [0, 2**63).",
            parameter=name,
        )
    return number


def _wants_provenance(request: Request) -> bool:
    is_wanted = False
    for name, value in request.query_params.multi_items():
        if name != "provenance":
            raise RequestInvalid(
                f"The parameter {name[:100]!r} is unknown here; provenance is the only one.",
                parameter=name[:100],
            )
        if value not in {"0", "1"}:
            raise RequestInvalid(
                f"The parameter provenance is {value[:100]!r}; it must be 0 or 1.", parameter=name
            )
        is_wanted = value == "1"
    return is_wanted
