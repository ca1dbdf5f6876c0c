"""Our own face: the stored scores of a revision, and of the latest scored revision of a page."""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.age import note_age
from app.api.answers import Resources
from app.api.asked import MODELS_MOST, AskedModel, asked_document, asked_models, why_absent
from app.api.conditional import NOT_STORED, conditional_response, modified_seconds
from app.api.cors import EXPOSED
from app.api.documents import freshness_document, full_document, row_document
from app.api.endpoint import Handler
from app.api.numbers import parse_id
from app.cluster.finder import Found
from app.metrics import Face, Outcome
from schemas.errors import RequestInvalid

HEADERS: Mapping[str, str] = {
    # Whatever says nothing else, all errors among it.
    "cache-control": NOT_STORED,
    **EXPOSED,
}
_MODELS_BYTES: Final = 4096


class OurFace:
    """Handlers of ``/scores`` and ``/pages``."""

    def __init__(self, resources: Resources) -> None:
        self._finder = resources.finder
        self._catalogue = resources.catalogue
        self._faces = resources.metrics.faces
        self._cache_seconds = resources.cache_seconds

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {
            "/scores/{wiki_id}/{rev_id}": (Face.SCORES, self._revision),
            "/pages/{wiki_id}/{page_id}": (Face.PAGES, self._page),
        }

    async def _revision(self, request: Request) -> Response:
        wiki_id = parse_wiki_id(request)
        rev_id = parse_number(request, "rev_id")
        found = await self._finder.revision(wiki_id, rev_id)
        return self._answer(request, Face.SCORES, found, wiki_id, f"revision {rev_id}", rev_id=rev_id)

    async def _page(self, request: Request) -> Response:
        wiki_id = parse_wiki_id(request)
        page_id = parse_number(request, "page_id")
        found = await self._finder.page(wiki_id, page_id)
        return self._answer(request, Face.PAGES, found, wiki_id, f"page {page_id}", page_id=page_id)

    def _answer(
        self, request: Request, face: Face, found: Found, wiki_id: str, what: str, **fields: int
    ) -> Response:
        asked, has_provenance = self._parameters(request, wiki_id)
        answers = self._faces[face].answers
        row, freshness = found.row, found.freshness
        note_age(freshness)
        if row is None:
            answers[Outcome.ABSENT] += 1
            raise why_absent(self._catalogue, freshness, wiki_id, what, **fields)
        answers[Outcome.STORED] += 1
        models = self._catalogue.models(wiki_id)
        if asked is not None:
            document = asked_document(row, asked, has_provenance=has_provenance)
        else:
            document = full_document(row, models) if has_provenance else row_document(row, models)
        return conditional_response(
            request,
            document,
            cache_seconds=self._cache_seconds,
            modified=modified_seconds(row),
            passing=freshness_document(freshness) if has_provenance else None,
        )

    def _parameters(self, request: Request, wiki_id: str) -> tuple[tuple[AskedModel, ...] | None, bool]:
        """Return the models that were named, None for none, and whether provenance is wanted.

        Raises:
            RequestInvalid: A parameter is unknown or malformed.
        """
        given = parse_parameters(request, ("models", "provenance"))
        provenance = given.get("provenance", "0")
        if provenance not in {"0", "1"}:
            raise RequestInvalid(
                f"The parameter provenance is {provenance[:100]!r}; it must be 0 or 1.",
                parameter="provenance",
            )
        if "models" not in given:
            return None, provenance == "1"
        names = given["models"].split("|")
        if not all(names) or len(names) > MODELS_MOST or len(given["models"]) > _MODELS_BYTES:
            raise RequestInvalid(
                f"The parameter models is {given['models'][:100]!r}; it must be up to {MODELS_MOST} names, "
                "such as damaging or damaging@0.5.1, separated by '|'.",
                parameter="models",
            )
        return asked_models(self._catalogue, wiki_id, names), provenance == "1"


def parse_wiki_id(request: Request) -> str:
    """Return the wiki of the path.

    Raises:
        RequestInvalid: No wiki can be named so.
    """
    wiki_id: str = request.path_params["wiki_id"]
    if "\0" in wiki_id:
        raise RequestInvalid(
            "The wiki id holds a NUL. Name the wiki's database, such as enwiki.", parameter="wiki_id"
        )
    return wiki_id


def parse_number(request: Request, name: str) -> int:
    """Return an id of the path.

    Raises:
        RequestInvalid: It is none.
    """
    text: str = request.path_params[name]
    number = parse_id(text)
    if number is None:
        raise RequestInvalid(
            f"{name} is {text[:100]!r}, which is no id: it must be a whole number in [0, 2**63).",
            parameter=name,
        )
    return number


def parse_parameters(request: Request, known: Iterable[str]) -> dict[str, str]:
    """Return the parameters of the query.

    Raises:
        RequestInvalid: One is unknown, or given twice.
    """
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise RequestInvalid(
                f"The parameter {name[:100]!r} is unknown here; known are: {', '.join(known) or 'none'}.",
                parameter=name[:100],
            )
        if name in given:
            raise RequestInvalid(f"The parameter {name} is given twice.", parameter=name)
        given[name] = value
    return given
