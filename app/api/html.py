"""Pages for people: elements whose text is escaped, and the frame around them. No scripts, no other host."""

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

STYLE = """
:root { --ground: #fff; --ink: #1b1b1f; --link: #0b57d0; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ground: #16161a; --ink: #e6e6ea; --link: #8ab4f8; } }
:root { background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; overflow-wrap: anywhere; padding: 1rem; }
a { color: var(--link); }
nav a { margin-right: 1rem; }
a:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible {
  outline: 3px solid Highlight; outline-offset: 2px;
}
label, legend { font-weight: 600; }
fieldset label { display: inline-block; font-weight: 400; margin-right: 1.5rem; }
form > p { margin: 1rem 0; }
button, input[type=text], select { font: inherit; padding: .4rem .6rem; }
input[type=text] { box-sizing: border-box; width: 100%; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
caption { font-weight: 600; padding: .5rem 0; text-align: left; }
th, td { border: 1px solid GrayText; padding: .3rem .6rem; text-align: left; vertical-align: top; }
th, td { overflow-wrap: normal; }
[role=alert] { border-left: .4rem solid #c33; padding: .5rem 1rem; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS: Mapping[str, str] = {
    # The one style sheet is within the page: nothing else can be loaded, run, framed or sent elsewhere.
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
_EMPTY_ELEMENTS = frozenset({"input", "meta", "link"})


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


def page(title: str, *content: Html, links: Mapping[str, str], status: int = 200) -> Response:
    """Return a whole page as an HTTP answer.

    Args:
        title: Shown on top, and as the name of the window.
        content: What the page is about.
        links: Text to path of the pages that every page leads to.
        status: Of HTTP.
    """
    navigation = (element("a", text, href=path) for text, path in links.items())
    whole = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", f"{title} - revstream"),
            element("link", rel="icon", href="/favicon.ico"),
            element("style", Html(STYLE)),
        ),
        element(
            "body",
            element("header", element("nav", *navigation, aria_label="Pages")),
            element("main", element("h1", title), *content),
        ),
        lang="en",
    )
    return Response(f"<!doctype html>\n{whole}\n", status, dict(_HEADERS), "text/html")


def wants_page(request: Request) -> bool:
    """Tell whether a request comes from a browser that shows its answer to a person."""
    return "text/html" in request.headers.get("accept", "")


def _attribute(name: str) -> str:
    return name.removesuffix("_").replace("_", "-")
