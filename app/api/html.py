"""Pages for people: elements whose text is escaped, and the frame around them. No other host is asked.

Style sheet and script are files in ``static``, and go out within the page. The policy of the page names them
by their hashes: nothing else can be loaded, run, framed or sent elsewhere, not even an answer of our own
that comes as a script because a callback was named.
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

NAVIGATION: Final[Mapping[str, str]] = {
    "revstream": "/",
    "Live": "/live",
    "Models": "/ui/models",
    "Status": "/status",
    "API": "/docs",
}
"""Text to path of what every page leads to."""

_EMPTY_ELEMENTS: Final = frozenset({"input", "meta", "link"})
_TITLE_END: Final = b"</h1>"
_SHEET: Final = "pages.css"
STYLE: Final = files("app.api").joinpath("static", _SHEET).read_text(encoding="utf-8")
"""The style sheet of all pages."""


class Html(str):
    """Text that is HTML already, so that it is not escaped once more."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | bool) -> Html:
    """Return an element.

    Args:
        name: Of the element.
        children: `Html` goes in as it is, any other text is escaped.
        attributes: An underscore at the end is dropped, others become hyphens. True gives the name alone, and
            False nothing.
    """
    shown = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not False
    )
    if name in _EMPTY_ELEMENTS:
        return Html(f"<{name}{shown}>")
    inner = "".join(child if isinstance(child, Html) else html.escape(child) for child in children)
    return Html(f"<{name}{shown}>{inner}</{name}>")


def table(caption: str, heads: tuple[str, ...], rows: Iterable[Sequence[str]]) -> Html:
    """Return a table, the first cell of whose rows is their head."""
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    body = (
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    )
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    # A wide table scrolls by itself, by keyboard as well.
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


class Twin(Struct, frozen=True):
    """What tells programs the same as a page tells people.

    Attributes:
        address: Path and query.
        kind: Media type.
    """

    address: str
    kind: str = "application/json"


class PageResponse(Response):
    """A page that goes out in two pieces: a browser paints the first while it reads the other."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        first, second = self.pieces()
        if second:
            await send({"type": "http.response.body", "body": first, "more_body": True})
        await send({"type": "http.response.body", "body": second or first})

    def pieces(self) -> tuple[bytes, bytes]:
        """Return the body up to the title that people see, and the rest; nothing of the rest without one."""
        title, mark, rest = bytes(self.body).partition(_TITLE_END)
        return title + mark, rest


def page(
    title: str,
    *content: Html,
    links: Mapping[str, str] | None = None,
    status: int = 200,
    script: str = "",
    twin: Twin | None = None,
) -> PageResponse:
    """Return a whole page as an HTTP answer.

    Args:
        title: Shown on top, and as the name of the window.
        content: What the page is about.
        links: Text to path of other pages of the same part.
        status: Of HTTP.
        script: Name of the file in ``static`` that makes the page live; it has to be of use without, too.
        twin: Linked in the head, and at the end.
    """
    nearby = [element("a", text, href=path) for text, path in (links or {}).items()]
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title if title == "revstream" else f"{title} - revstream"),
        element("link", rel="icon", href="/favicon.ico"),
        element("style", _static(_SHEET)),
    ]
    if twin is not None:
        head.append(element("link", rel="alternate", type=twin.kind, href=twin.address))
    if script:
        head.append(element("script", _static(script), type="module"))
    main = [element("h1", title), *([element("p", *nearby, class_="nearby")] if nearby else []), *content]
    body = [
        element("header", element("nav", *_navigation(title), aria_label="Pages")),
        element("main", *main),
    ]
    if twin is not None:
        told = element("a", twin.address, href=twin.address)
        body.append(element("footer", element("p", "The same for programs: ", told)))
    whole = element("html", element("head", *head), element("body", *body), lang="en")
    return PageResponse(f"<!doctype html>\n{whole}\n", status, _headers(script), "text/html")


def _navigation(title: str) -> Iterable[Html]:
    for text, path in NAVIGATION.items():
        yield element("a", text, href=path, aria_current="page" if text == title else False)


@cache
def _static(name: str) -> Html:
    return Html(files("app.api").joinpath("static", name).read_text(encoding="utf-8"))


@cache
def _hash(name: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(_static(name).encode()).digest()).decode()}'"


def _headers(script: str) -> dict[str, str]:
    scripts = f"script-src {_hash(script)}; connect-src 'self'; " if script else ""
    return {
        "content-security-policy": f"default-src 'none'; style-src {_hash(_SHEET)}; {scripts}img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
    }


def wants_page(request: Request) -> bool:
    """Tell whether a request comes from a browser that shows its answer to a person."""
    return "text/html" in request.headers.get("accept", "")


def _attribute(name: str) -> str:
    return name.removesuffix("_").replace("_", "-")
