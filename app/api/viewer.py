"""The description of the API as a page for people, made of the same document that programs get."""

import json
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.documents import Document
from app.api.html import Html, PageResponse, Twin, element, page, table
from app.api.openapi import document

_REFERENCE: Final = "#/components/schemas/"
# Of the window, and that a head of gzip comes before it.
_GZIP_BITS: Final = 31
_CACHE_CONTROL: Final = "public, max-age=300"


async def view(request: Request) -> Response:
    """Answer with the page, packed where the browser takes that: it is the one long page."""
    shown = _page()
    headers = dict(shown.headers) | {"cache-control": _CACHE_CONTROL, "vary": "accept-encoding"}
    del headers["content-length"]
    if not _takes_gzip(request):
        return PageResponse(shown.body, headers=headers)
    return PackedPage(b"".join(_packed()), headers={**headers, "content-encoding": "gzip"})


def _takes_gzip(request: Request) -> bool:
    offers = (offer.replace(" ", "") for offer in request.headers.get("accept-encoding", "").split(","))
    return any(offer.startswith("gzip") and not offer.endswith(("q=0", "q=0.0")) for offer in offers)


@cache
def _page() -> PageResponse:
    return page("API", *_content(), twin=Twin("/openapi.json"))


class PackedPage(PageResponse):
    """The page, packed so that its first piece can be unpacked alone."""

    def pieces(self) -> tuple[bytes, bytes]:
        """Return the pieces, packed."""
        return _packed()


@cache
def _packed() -> tuple[bytes, bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP_BITS)
    first, second = _page().pieces()
    return (
        packer.compress(first) + packer.flush(zlib.Z_SYNC_FLUSH),
        packer.compress(second) + packer.flush(),
    )


def _content() -> tuple[Html, ...]:
    whole = document()
    operations = [
        (method.upper(), path, operation)
        for path, methods in whole["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        element("p", whole["info"]["description"]),
        element("h2", "Routes"),
        *(_operation(method, path, operation) for method, path, operation in operations),
        element("h2", "Schemas"),
        *(_schema(name, schema) for name, schema in sorted(whole["components"]["schemas"].items())),
    )


def _operation(method: str, path: str, operation: Document) -> Html:
    name = operation["operationId"]
    summary = element("summary", element("code", f"{method} {path}"), f" {operation['summary']}")
    parts = []
    if "description" in operation:
        parts.append(element("p", operation["description"]))
    if parameters := operation.get("parameters"):
        rows = [(one["name"], one["in"], _kind(one["schema"]), one["description"]) for one in parameters]
        parts.append(table("Parameters", ("Name", "In", "Kind", "Meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append(element("p", "Body: ", *_contents(body)))
    answers = [
        (status, told["description"], element("span", *_contents(told)))
        for status, told in operation["responses"].items()
    ]
    parts.append(table("Answers", ("Status", "Meaning", "Content"), answers))
    return element("details", summary, *parts, id=name)


def _contents(told: Document) -> Iterator[Html]:
    for kind, content in told.get("content", {}).items():
        schema = content.get("schema") or content.get("x-itemSchema") or {}
        yield element("code", kind)
        reference = schema.get("$ref", "").removeprefix(_REFERENCE)
        if reference:
            yield Html(" ")
            yield element("a", reference, href=f"#schema-{reference}")
        yield Html(" ")


def _schema(name: str, schema: Document) -> Html:
    return element(
        "details",
        element("summary", element("code", name), f" {schema.get('description', '')}"),
        element("pre", json.dumps(schema, indent=2, ensure_ascii=False)),
        id=f"schema-{name}",
    )


def _kind(schema: Document) -> str:
    told = schema.get("type", "any")
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    return told if isinstance(told, str) else " or ".join(told)
