"""The page of one page of a wiki: the scores of its revisions as a chart, and the same as a table."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app.api.age import note_age
from app.api.answers import Resources
from app.api.documents import Document
from app.api.endpoint import Handler
from app.api.html import Html, Twin, element, page
from app.api.lists import cursor_text, listed_document, page_history, parse_cursor
from app.api.ours import parse_number, parse_wiki_id
from app.metrics import Face
from app.pages.charts import Dot, history_chart
from app.pages.parts import choice, facts, field, moment, page_path, revision_path, score

_ROWS: Final = 100
_MODELS_SHOWN: Final = 6


class HistoryPage:
    """The handler of ``/page/{wiki_id}/{page_id}``."""

    def __init__(self, resources: Resources) -> None:
        self._catalogue = resources.catalogue
        self._finder = resources.finder
        self._links = resources.wiki_links

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {"/page/{wiki_id}/{page_id}": (Face.BROWSER, self._show)}

    async def _show(self, request: Request) -> Response:
        wiki_id, page_id = parse_wiki_id(request), parse_number(request, "page_id")
        cursor = request.query_params.get("cursor")
        after = None if cursor is None else parse_cursor(cursor)
        found, freshness = await page_history(
            self._finder, self._catalogue, wiki_id, page_id, limit=_ROWS, after=after
        )
        note_age(freshness)
        models = self._catalogue.models(wiki_id)
        documents = [listed_document(row, models) for row in found.rows]
        where, query = page_path(wiki_id, page_id), {"limit": str(_ROWS)}
        if cursor is not None:
            query["cursor"] = cursor
        twin = Twin(f"{where.replace('/page/', '/pages/', 1)}/history?{urlencode(query)}")
        content = [*self._head(wiki_id, page_id, len(documents), is_later=cursor is not None)]
        if documents:
            content += _chart(where, documents, request.query_params.get("show", ""))
            content.append(_table(documents))
        if found.next is not None:
            older = f"{where}?{urlencode({'cursor': cursor_text(found.next) or ''})}"
            content.append(element("p", element("a", "Older revisions", href=older)))
        return page(f"Page {page_id} of {wiki_id[:100]}", *content, twin=twin)

    def _head(self, wiki_id: str, page_id: int, number: int, *, is_later: bool) -> Iterable[Html]:
        newest = "older ones" if is_later else "the newest"
        pairs: list[tuple[str, str]] = [("Scored revisions shown", f"{number}, {newest}")]
        if address := self._links.page(wiki_id, page_id):
            pairs.append(("On the wiki", element("a", "the page", href=address, rel="noreferrer")))
        yield facts(pairs)


def _chart(where: str, documents: Sequence[Document], asked: str) -> Iterable[Html]:
    """Return the chart of one label of one model, and a form to choose another where there is one."""
    series = _series(documents)
    if not series:
        return
    chosen = asked if asked in series else next(iter(series))
    if len(series) > 1:
        options = [(name, name) for name in series]
        yield element(
            "form",
            field("Show", "show", choice("show", options, chosen)),
            element("button", "Draw", type="submit"),
            class_="line",
            method="get",
            action=where,
        )
    dots = series[chosen]
    ends = (str(documents[-1]["rev_dt"])[:10], str(documents[0]["rev_dt"])[:10])
    yield history_chart(f"Probability of {chosen}, by revision", dots, ends)


def _series(documents: Sequence[Document]) -> Mapping[str, list[Dot]]:
    """Return what can be drawn: ``damaging`` for a binary model, ``articlequality FA`` for a label."""
    series: dict[str, list[Dot]] = {}
    for document in reversed(documents):
        for name, answer in sorted(document["scores"].items()):
            probability = answer.get("probability", {})
            shown = (
                {"true": name} if "true" in probability else {each: f"{name} {each}" for each in probability}
            )
            for label, title in shown.items():
                value = float(probability[label])
                told = f"Revision {document['rev_id']}: {value:.3f}"
                href = revision_path(document["wiki_id"], document["rev_id"])
                series.setdefault(title, []).append(Dot(value, told, href))
    return series


def _table(documents: Sequence[Document]) -> Html:
    now = datetime.now(UTC)
    names = sorted({name for document in documents for name in document["scores"]})[:_MODELS_SHOWN]
    heads = ("Revision", "Saved", *names)
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    rows = []
    for document in documents:
        link = element(
            "a", str(document["rev_id"]), href=revision_path(document["wiki_id"], document["rev_id"])
        )
        cells = [element("th", link, scope="row"), element("td", moment(document["rev_dt"], now))]
        for name in names:
            answer = document["scores"].get(name)
            cells.append(element("td", "" if answer is None else _score(answer)))
        rows.append(element("tr", *cells))
    caption = "Revisions, the newest first"
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *rows))
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _score(answer: Document) -> Html:
    return score("", answer, is_of_true="true" in answer.get("probability", ()))
