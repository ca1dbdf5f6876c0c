"""The page that a browser finds at the root: where all others are, and forms to look something up."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.api.answers import Resources
from app.api.endpoint import BesideHandler, Handler
from app.api.html import Html, Twin, element, page, wants_page
from app.api.numbers import parse_id
from app.api.ores_pages import ORES_LINKS
from app.metrics import Face
from app.pages.parts import field, page_path, revision_path
from schemas.errors import RequestInvalid


class StartPage:
    """Handlers of ``/`` for browsers and of ``/look-up``.

    Args:
        resources: What to ask.
        has_ores: Whether ORES's own pages are served.
    """

    def __init__(self, resources: Resources, *, has_ores: bool) -> None:
        self._wikis = sorted(resources.catalogue.wikis)
        self._has_ores = has_ores

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {"/look-up": (Face.BROWSER, self._look_up)}

    def routes_beside(self) -> dict[str, BesideHandler]:
        """Return what answers GET in the place of other faces' routes."""
        return {"/": BesideHandler(self._show, wants_page)}

    async def _show(self, _: Request) -> Response:
        pages = {
            "/live": ("Live", "changes as they are scored, by wiki, model, probability, namespace and bots"),
            "/ui/models": ("Models", "what each is, how good, and which threshold does what you want"),
            "/status": ("Status", "how far behind this process is, how fast, and what failed"),
            "/docs": ("API", "all that programs can ask"),
        }
        links = [
            element("li", element("a", name, href=path), f": {what}.") for path, (name, what) in pages.items()
        ]
        content = [
            element(
                "p",
                "Scores of wiki revisions, kept as they are made, by the paths of ORES, Lift Wing and ours.",
            ),
            element("ul", *links),
            element("h2", "Look up what is stored"),
            self._form("revision", "Revision id", "Show the revision"),
            self._form("page", "Page id", "Show the page"),
        ]
        if self._has_ores:
            ores = [element("li", element("a", text, href=path)) for text, path in ORES_LINKS.items()]
            content += [element("h2", "ORES"), element("ul", *ores)]
        return page("revstream", *content, twin=Twin("/openapi.json"))

    def _form(self, kind: str, label: str, button: str) -> Html:
        wikis = [(wiki_id, wiki_id) for wiki_id in self._wikis]
        wiki = element("div", element("label", "Wiki", for_=f"{kind}-wiki"), _wiki(kind, wikis))
        number = element(
            "input", type="text", inputmode="numeric", pattern="[0-9]+", id=kind, name=kind, required=True
        )
        return element(
            "form",
            wiki,
            field(label, kind, number),
            element("button", button, type="submit"),
            class_="line",
            method="get",
            action="/look-up",
        )

    async def _look_up(self, request: Request) -> Response:
        given = request.query_params
        wiki_id = given.get("wiki", "")[:100]
        for name, path in (("revision", revision_path), ("page", page_path)):
            if name in given:
                number = parse_id(given[name].strip())
                if number is None or not wiki_id:
                    raise RequestInvalid(
                        f"{given[name][:100]!r} is no id of a {name}: it must be a whole number.",
                        parameter=name,
                    )
                return RedirectResponse(path(wiki_id, number), 303)
        raise RequestInvalid("Name a wiki, and a revision or a page by its id.", parameter="revision")


def _wiki(kind: str, wikis: list[tuple[str, str]]) -> Html:
    options = (element("option", text, value=value) for value, text in wikis)
    return element("select", *options, id=f"{kind}-wiki", name="wiki")
