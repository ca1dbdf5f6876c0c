"""All pages for people, and how they tell an error."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.endpoint import BesideHandler, Handler
from app.api.errors import Failure
from app.api.html import element, page
from app.metrics import Face
from app.pages.history import HistoryPage
from app.pages.live import LivePage
from app.pages.models import ModelPages
from app.pages.parts import alert
from app.pages.revision import RevisionPage
from app.pages.start import StartPage
from app.pages.status import StatusPage

_TITLES: Final = {
    400: "This cannot be asked",
    404: "Nothing is here",
    410: "Withdrawn",
    429: "Too many requests",
    503: "Not now",
}


class PagesFace:
    """The routes of all pages.

    Args:
        resources: What to ask.
        has_ores: Whether ORES's own pages are served beside.
    """

    def __init__(self, resources: Resources, *, has_ores: bool) -> None:
        self._start = StartPage(resources, has_ores=has_ores)
        self._pages = (
            self._start,
            LivePage(resources),
            RevisionPage(resources),
            HistoryPage(resources),
            ModelPages(resources),
            StatusPage(resources),
        )

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {path: route for one in self._pages for path, route in one.routes().items()}

    def routes_beside(self) -> dict[str, BesideHandler]:
        """Return what answers GET in the place of other faces' routes."""
        return self._start.routes_beside()


def refusal(_: Request, failure: Failure) -> Response:
    """Return an error as a page."""
    told = failure.document["error"]
    title = _TITLES.get(failure.status) or HTTPStatus(failure.status).phrase
    back = element("p", element("a", "Look something else up", href="/"))
    shown = page(title, alert(told["message"]), element("p", element("code", told["code"])), back)
    shown.status_code = failure.status
    shown.headers.update(failure.headers)
    return shown
