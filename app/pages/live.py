"""The live page: what was scored last, and with scripts whatever comes, as it comes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.documents import Document
from app.api.endpoint import Handler
from app.api.errors import status_of
from app.api.html import Html, Twin, element, page
from app.api.lists import listed_document
from app.feed_place import FeedPlace
from app.metrics import Face
from app.pages.parts import alert, choice, field, moment, page_path, revision_path, score
from app.row_filter import NAMES, Bots, parse_filter
from schemas.catalogue import ModelInfo
from schemas.errors import NotReady, RequestInvalid, RevstreamError
from schemas.prediction import PredictionRow, ScoreKind
from tables.latest import latest_scored
from tables.lists import IndexedRows, PredictionLists

ROWS: Final = 25
_TEXT_MOST: Final = 200
_LABELS_MOST: Final = 400
_HEADS: Final = ("Revision", "Scores", "Wiki", "Page", "Namespace", "Saved", "Change")


class LiveFilter(Struct, frozen=True):
    """What the form asks for, as it was given.

    Attributes:
        wiki: Empty for all.
        model: ``damaging``, or ``articlequality.FA`` for a label; empty for any.
        at_least: Least probability, in [0, 1].
        namespace: Numbers with ``|`` between them; empty for all.
        bots: A value of `Bots`.
    """

    wiki: str
    model: str
    at_least: float
    namespace: str
    bots: str

    @classmethod
    def of(cls, request: Request) -> "LiveFilter":
        """Read the query; what is unknown there is disregarded.

        Raises:
            RequestInvalid: The threshold is none.
        """
        given = {name: value[:_TEXT_MOST].strip() for name, value in request.query_params.items()}
        text = given.get("at_least") or "0"
        try:
            at_least = float(text)
        except ValueError:
            at_least = -1.0
        if not 0 <= at_least <= 1:
            raise RequestInvalid(
                f"The threshold is {text!r}; it must be a number from 0 to 1.", parameter="at_least"
            )
        return cls(
            given.get("wiki", ""),
            given.get("model", ""),
            at_least,
            given.get("namespace", "").replace(",", "|").replace(" ", ""),
            given.get("bots") or Bots.ALL.value,
        )

    def pairs(self) -> list[tuple[str, str]]:
        """Return the same as parameters of lists and the feed."""
        pairs = [("bots", self.bots)]
        if self.namespace:
            pairs.append(("namespace", self.namespace))
        if self.model and self.at_least:
            pairs.append(("score", f"{self.model}>={self.at_least:g}"))
        return pairs


class LivePage:
    """The handler of ``/live``."""

    def __init__(self, resources: Resources) -> None:
        self._reader = resources.reader
        self._catalogue = resources.catalogue
        self._links = resources.wiki_links

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {"/live": (Face.BROWSER, self._show)}

    async def _show(self, request: Request) -> Response:
        """Answer with the form, and with what it asks for or why that cannot be.

        1. Note how far the rows have come, so that a script goes on from there and misses nothing.
        2. Read them.
        """
        try:
            asked = LiveFilter.of(request)
        except RequestInvalid as error:
            asked = LiveFilter("", "", 0.0, "", Bots.ALL.value)
            return self._page(asked, alert(error.message), status=status_of(error))
        try:
            place = self._place()  # 1
            rows = await self._rows(asked)  # 2
        except RevstreamError as error:
            return self._page(asked, alert(error.message), status=status_of(error))
        return self._page(asked, *self._changes(asked, rows, place))

    def _indexed(self) -> IndexedRows:
        freshness, rows = self._reader.freshness(), self._reader.source
        if not freshness.is_ready or not isinstance(rows, IndexedRows):
            raise NotReady(
                "The tables of this process are not complete yet, so there is nothing to show. Try again in "
                "a few seconds."
            )
        return rows

    def _place(self) -> str:
        return FeedPlace(self._indexed().heads()).text()

    async def _rows(self, asked: LiveFilter) -> Sequence[PredictionRow]:
        rows = self._indexed()
        pairs = [pair for pair in asked.pairs() if pair[0] in NAMES]
        wiki_ids = frozenset((asked.wiki,)) if asked.wiki else frozenset[str]()
        wanted = parse_filter(pairs, self._catalogue, wiki_ids)

        def is_wanted(row: PredictionRow) -> bool:
            return wanted.is_met(row, self._catalogue.models(row.wiki_id))

        if not asked.wiki:
            return latest_scored(rows, is_wanted, limit=ROWS)
        return (await PredictionLists(rows).newest(asked.wiki, is_wanted, limit=ROWS)).rows

    def _page(self, asked: LiveFilter, *content: Html, status: int = 200) -> Response:
        return page(
            "Live",
            element("p", "Changes of pages as they are scored, the latest first.", class_="quiet"),
            self._form(asked),
            element("div", *content, id="content"),
            status=status,
            script="live.js",
            twin=self._twin(asked),
        )

    def _twin(self, asked: LiveFilter) -> Twin:
        wiki = [("wiki", asked.wiki)] if asked.wiki else []
        return Twin(f"/feed?{urlencode([*wiki, *asked.pairs()])}", "text/event-stream")

    def _form(self, asked: LiveFilter) -> Html:
        threshold = element(
            "input",
            type="range",
            id="at_least",
            name="at_least",
            min="0",
            max="1",
            step="0.01",
            value=f"{asked.at_least:g}",
        )
        shown = element("output", f"{asked.at_least:.2f}", for_="at_least")
        namespace = element(
            "input", type="text", id="namespace", name="namespace", value=asked.namespace, placeholder="all"
        )
        bots = (("all", "with people's"), ("none", "left out"), ("only", "alone"))
        return element(
            "form",
            field("Wiki", "wiki", self._wiki_choice(asked.wiki)),
            field("Model", "model", choice("model", [("", "any"), *self._models(asked.wiki)], asked.model)),
            field("Probability at least ", "at_least", threshold, shown),
            field("Namespaces", "namespace", namespace),
            field("Bots' changes", "bots", choice("bots", bots, asked.bots)),
            element("button", "Show", type="submit"),
            class_="line",
            id="filter",
            method="get",
            action="/live",
        )

    def _wiki_choice(self, chosen: str) -> Html:
        options = [element("option", "all", value="", selected=not chosen)]
        options += [
            element(
                "option",
                wiki_id,
                value=wiki_id,
                selected=wiki_id == chosen,
                data_index=self._links.indexes.get(wiki_id, ""),
            )
            for wiki_id in sorted(self._catalogue.wikis)
        ]
        return element("select", *options, id="wiki", name="wiki")

    def _models(self, wiki_id: str) -> Iterable[tuple[str, str]]:
        """Return what can be compared with the threshold: binary models, and the labels of others."""
        wikis = [wiki_id] if wiki_id else self._catalogue.wikis
        infos: dict[str, ModelInfo] = {}
        for each in wikis:
            infos.update(self._catalogue.models(each))
        options = [name for name, info in infos.items() if info.kind is ScoreKind.BINARY]
        options += [
            f"{name}.{label}"
            for name, info in infos.items()
            if info.kind is not ScoreKind.BINARY
            for label in info.labels
        ]
        return ((option, option) for option in sorted(options)[:_LABELS_MOST])

    def _changes(self, asked: LiveFilter, rows: Sequence[PredictionRow], place: str) -> Iterable[Html]:
        now = datetime.now(UTC)
        model = asked.model.partition(".")[0]
        documents = [listed_document(row, self._catalogue.models(row.wiki_id)) for row in rows]
        shown = [self._row(document, model, now) for document in documents]
        head = element("tr", *(element("th", text, scope="col") for text in _HEADS))
        caption = "Scored changes"
        changes = element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", *shown),
            id="changes",
            data_feed=self._twin(asked).address,
            data_place=place,
            data_model=model,
        )
        nothing = "Nothing that was scored lately meets this. What comes and does is shown here."
        yield element(
            "p",
            element(
                "span", f"Shown as of {now:%H:%M:%S} UTC; load the page anew for later ones.", id="state"
            ),
            Html(" "),
            element("button", "Pause", type="button", id="pause", hidden=True, aria_pressed="false"),
            role="status",
        )
        yield element("p", nothing, id="nothing", class_="quiet", hidden=bool(rows))
        yield element("div", changes, class_="scroll", tabindex="0", role="region", aria_label=caption)
        yield element("template", self._row(_EMPTY, "", now), id="row")
        yield element("template", score("model", _EMPTY_SCORE, is_of_true=True), id="score")

    def _row(self, document: Document, model: str, now: datetime) -> Html:
        wiki_id, rev_id, page_id = document["wiki_id"], document["rev_id"], document["page_id"]
        scores: Mapping[str, Document] = document["scores"]
        # The model that was chosen comes first.
        names = sorted(scores, key=lambda name: (name != model, name))
        namespace = "" if document["namespace_id"] is None else str(document["namespace_id"])
        diff = self._links.diff(wiki_id, rev_id)
        cells: Any = (
            element("td", *(_score(name, scores[name]) for name in names), class_="scores"),
            element("td", wiki_id),
            element("td", element("a", str(page_id), href=page_path(wiki_id, page_id))),
            element("td", f"{namespace}{' bot' if document['is_bot'] else ''}".strip()),
            element("td", moment(document["rev_dt"], now)),
            element("td", element("a", "diff", href=diff, rel="noreferrer") if diff else ""),
        )
        first = element("th", element("a", str(rev_id), href=revision_path(wiki_id, rev_id)), scope="row")
        return element("tr", first, *cells, data_key=f"{wiki_id}/{rev_id}", data_page=f"{wiki_id}/{page_id}")


def _score(name: str, answer: Document) -> Html:
    return score(name, answer, is_of_true="true" in answer.get("probability", ()))


_EMPTY_SCORE: Final[Document] = {"prediction": False, "probability": {"true": 0.0}}
_EMPTY: Final[Document] = {
    "wiki_id": "",
    "rev_id": 0,
    "page_id": 0,
    "rev_dt": datetime(1970, 1, 1, tzinfo=UTC),
    "namespace_id": None,
    "is_bot": None,
    "scores": {},
}
