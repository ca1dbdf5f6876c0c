"""Lists of stored scores: of the revisions of a page, and of the newest revisions of a wiki."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.documents import row_document
from app.api.endpoint import Handler, json_response
from app.api.numbers import parse_id
from app.cluster.finder import Finder
from app.cluster.node import HistoryPart
from app.metrics import Face
from app.row_filter import NAMES, parse_filter, spelled_out, told_of
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import NotReady, PredictionNotFound, RequestInvalid
from schemas.prediction import PredictionRow
from tables.lists import IndexedRows, PredictionLists, RowList
from tables.reader import Freshness
from tables.row_index import Place

LIMIT: Final = 50
LIMIT_MOST: Final = 500
PARAMETERS: Final = (*NAMES, "limit", "cursor")
"""Of a list of the newest. Without any of them the same path is ORES's."""

_CURSOR: Final = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,19})")


class ListFace:
    """Handlers of ``/pages/{wiki_id}/{page_id}/history`` and of ``/scores/{wiki_id}``."""

    def __init__(self, resources: Resources) -> None:
        self._finder = resources.finder
        self._reader = resources.reader
        self._catalogue = resources.catalogue

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {
            "/pages/{wiki_id}/{page_id}/history": (Face.PAGES, self._history),
            "/scores/{wiki_id}": (Face.SCORES, self._newest),
        }

    async def _history(self, request: Request) -> Response:
        """Answer with a part of a page's history.

        A page of which no revision is shown is told as `/pages/{wiki_id}/{page_id}` tells it.
        """
        wiki_id, page_id = _wiki_id(request), parse_id(request.path_params["page_id"])
        if page_id is None:
            raise RequestInvalid(
                "The page_id is no id: it must be a whole number in [0, 2**63).", parameter="page_id"
            )
        parameters = single_parameters(parameters_of(request), ("limit", "cursor"))
        limit, after = _limit(parameters), _cursor(parameters)
        part, freshness = await page_history(
            self._finder, self._catalogue, wiki_id, page_id, limit=limit, after=after
        )
        models = self._catalogue.models(wiki_id)
        document = {
            "wiki_id": wiki_id,
            "page_id": page_id,
            "revisions": [listed_document(row, models) for row in part.rows],
            "next": cursor_text(part.next),
        }
        return json_response(document, headers=_age(freshness))

    async def _newest(self, request: Request) -> Response:
        wiki_id = _wiki_id(request)
        given = parameters_of(request)
        pairs = [pair for pair in given if pair[0] in NAMES]
        parameters = single_parameters(given, ("limit", "cursor", "bots", "since"), several=NAMES)
        limit, after = _limit(parameters), _cursor(parameters)
        row_filter = parse_filter(pairs, self._catalogue, frozenset((wiki_id,)))
        freshness = self._reader.freshness()
        _refuse_unready(freshness)
        rows = self._reader.source
        if not isinstance(rows, IndexedRows):
            raise NotReady("This process has no lists of scores. Ask a worker, or a replica.")
        models = self._catalogue.models(wiki_id)
        found = await PredictionLists(rows).newest(
            wiki_id,
            lambda row: row_filter.is_met(row, models),
            since_us=row_filter.since_us,
            after=after,
            limit=limit,
        )
        document = {
            "wiki_id": wiki_id,
            "revisions": [listed_document(row, models) for row in found.rows],
            "next": cursor_text(found.next),
        }
        return json_response(document, headers=_age(freshness))


async def page_history(
    finder: Finder, catalogue: Catalogue, wiki_id: str, page_id: int, *, limit: int, after: Place | None
) -> tuple[RowList, Freshness]:
    """Return a part of a page's history, and how old it may be.

    Args:
        finder: Finds it.
        catalogue: What may be asked for.
        wiki_id: As the client named it.
        page_id: In [0, 2**63).
        limit: Most revisions.
        after: Where the part before ended; None for the newest.

    Raises:
        WikiUnknown: The wiki has no models.
        PredictionNotFound: Nothing is stored.
        PredictionWithdrawn: The page, or all that is stored of it, is deleted or hidden.
        NotReady: The tables are not complete yet.
    """
    parse_filter((), catalogue, frozenset((wiki_id,)))
    place = (None, 0) if after is None else after
    found = await finder.history(wiki_id, page_id, HistoryPart(limit, *place))
    part = found.part
    if part is None or (after is None and not part.rows and part.next is None):
        _refuse_unready(found.freshness)
        await finder.page(wiki_id, page_id)  # Raises where the page's revision is withdrawn.
        raise PredictionNotFound(
            f"No score is stored for page {page_id} of {wiki_id}: it was not edited since scoring began, "
            "or does not exist.",
            wiki_id=wiki_id,
            page_id=page_id,
        )
    return part, found.freshness


def listed_document(row: PredictionRow, models: Mapping[str, ModelInfo]) -> dict[str, Any]:
    """Return a row as lists and the feed show it: with what its last event told of page and user."""
    told = told_of(row)
    document = row_document(row, models)
    return {**document, "namespace_id": told.namespace_id, "is_bot": told.is_bot}


def asks_for_list(request: Request) -> bool:
    """Tell whether a request has a parameter of lists."""
    return any(name in PARAMETERS for name, _ in parameters_of(request))


def parameters_of(request: Request) -> list[tuple[str, str]]:
    """Return name and value of all parameters of a query, conditions spelled out."""
    return spelled_out(request.query_params.multi_items())


def single_parameters(
    pairs: Iterable[tuple[str, str]], names: tuple[str, ...], *, several: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the parameters of a query that may be given once.

    Args:
        pairs: Name and value of all.
        names: Of those that may be given once.
        several: Others, which may be there; those not in `names` more than once.

    Raises:
        RequestInvalid: There is another parameter, or one of them twice.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in names and name not in several:
            known = ", ".join(dict.fromkeys((*several, *names)))
            raise RequestInvalid(
                f"The parameter {name[:100]!r} is unknown here; there are {known}. A condition is written "
                "score=damaging>0.9.",
                parameter=name[:100],
            )
        if name in names:
            if name in found:
                raise RequestInvalid(f"The parameter {name} is given twice.", parameter=name)
            found[name] = value
    return found


def _wiki_id(request: Request) -> str:
    wiki_id: str = request.path_params["wiki_id"]
    if "\0" in wiki_id:
        raise RequestInvalid("The wiki id holds a NUL. Name the wiki's database, such as enwiki.")
    return wiki_id


def _limit(parameters: Mapping[str, str]) -> int:
    limit = parse_id(parameters.get("limit", str(LIMIT)))
    if limit is None or not 1 <= limit <= LIMIT_MOST:
        raise RequestInvalid(
            f"The parameter limit is {parameters['limit'][:100]!r}; it must be a whole number from 1 to "
            f"{LIMIT_MOST}.",
            parameter="limit",
        )
    return limit


def _cursor(parameters: Mapping[str, str]) -> Place | None:
    text = parameters.get("cursor")
    return None if text is None else parse_cursor(text)


def parse_cursor(text: str) -> Place:
    """Return where a list is to go on.

    Raises:
        RequestInvalid: The text is no cursor.
    """
    parts = _CURSOR.fullmatch(text)
    rev_id = None if parts is None else parse_id(parts[2])
    if parts is None or rev_id is None:
        raise RequestInvalid(
            f"The parameter cursor is {text[:100]!r}; take it from next of the answer before.",
            parameter="cursor",
        )
    return Place(int(parts[1]), rev_id)


def cursor_text(place: Place | None) -> str | None:
    """Return the cursor of where a list goes on; None at its end."""
    return None if place is None else f"{place.rev_dt_us}.{place.rev_id}"


def _refuse_unready(freshness: Freshness) -> None:
    if not freshness.is_ready:
        raise NotReady(
            f"The tables are not complete yet ({', '.join(freshness.reasons)}), so scores may be missing. "
            "Ask again in a few seconds."
        )


def _age(freshness: Freshness) -> dict[str, str]:
    return {} if freshness.age_seconds is None else {"age": str(int(freshness.age_seconds))}
