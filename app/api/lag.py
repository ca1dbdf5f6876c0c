"""How far behind the scores of each wiki are."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.age import note_age
from app.api.answers import Resources
from app.api.asked import require_wiki
from app.api.documents import Document
from app.api.endpoint import Handler, json_response
from app.api.ours import parse_parameters, parse_wiki_id
from app.metrics import Face
from schemas.errors import NotReady
from schemas.prediction import PredictionRow
from tables.lists import IndexedRows, PredictionLists

_WIKIS_MOST: Final = 2000


class LagFace:
    """Handlers of ``/lag``, by the newest revision of each wiki that is scored in the tables here.

    Args:
        resources: What to ask.
        now: Aware UTC time.
    """

    def __init__(self, resources: Resources, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._reader = resources.reader
        self._wikis = sorted(resources.catalogue.wikis)[:_WIKIS_MOST]
        self._now = now

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {"/lag": (Face.SCORES, self._all), "/lag/{wiki_id}": (Face.SCORES, self._of_wiki)}

    async def _all(self, request: Request) -> Response:
        parse_parameters(request, ())
        return json_response({"wikis": await self.lags()})

    async def lags(self) -> Document:
        """Return how far behind each wiki is.

        Raises:
            NotReady: The tables are not complete yet.
        """
        return {wiki_id: await self._lag(wiki_id) for wiki_id in self._wikis}

    async def _of_wiki(self, request: Request) -> Response:
        parse_parameters(request, ())
        wiki_id = parse_wiki_id(request)
        require_wiki(self._wikis, wiki_id)
        return json_response({"wiki_id": wiki_id, **await self._lag(wiki_id)})

    async def _lag(self, wiki_id: str) -> Document:
        rows, freshness = self._reader.source, self._reader.freshness()
        if not freshness.is_ready or not isinstance(rows, IndexedRows):
            raise NotReady("The tables are not complete yet. Ask again in a few seconds.", wiki_id=wiki_id)
        note_age(freshness)
        found = await PredictionLists(rows).newest(wiki_id, lambda _: True, limit=1)
        newest = None if not found.rows else _newest(found.rows[0], self._now())
        return {"newest": newest, "age_seconds": freshness.age_seconds}


def _newest(row: PredictionRow, now: datetime) -> Document:
    last = max((score.provenance for score in row.scores), key=lambda origin: origin.scored_dt)
    return {
        "rev_id": row.rev_id,
        "rev_dt": row.rev_dt,
        "event_dt": last.event_dt,
        "scored_dt": last.scored_dt,
        "delay_seconds": (last.scored_dt - last.event_dt).total_seconds(),
        "seconds_since": (now - row.rev_dt).total_seconds(),
    }
