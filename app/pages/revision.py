"""The page of one revision: what each model says of it, by what, and from where."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.age import note_age
from app.api.answers import Resources
from app.api.asked import why_absent
from app.api.attributions import attribution_path, explained
from app.api.endpoint import Handler
from app.api.errors import status_of
from app.api.html import Html, Twin, element, page, table
from app.api.ours import parse_number, parse_wiki_id
from app.metrics import Face
from app.pages.attribution import what_mattered
from app.pages.parts import (
    alert,
    bar,
    facts,
    level,
    model_path,
    moment,
    page_path,
    revision_path,
)
from app.row_filter import told_of
from schemas.prediction import PredictionRow, ScoredModel, ScoreFailure, StoredScore

_LABELS_MOST: Final = 12
# What counts first stands where a phone shows it.
_SCORES_HEADS: Final = ("Model", "Label", "Probability", "", "Says", "Version")


class RevisionPage:
    """The handler of ``/revision/{wiki_id}/{rev_id}``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._catalogue = resources.catalogue
        self._finder = resources.finder
        self._links = resources.wiki_links
        self._counters = resources.metrics.faces[Face.BROWSER]

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {"/revision/{wiki_id}/{rev_id}": (Face.BROWSER, self._show)}

    async def _show(self, request: Request) -> Response:
        """Answer with what is stored, and with features where a model is named to score for them.

        1. Whatever is withdrawn ends here, with an error that tells nothing but that.
        2. Show what is stored, or that nothing is.
        3. Score only where that is asked for: it costs, so that no page does it by itself.
        """
        wiki_id, rev_id = parse_wiki_id(request), parse_number(request, "rev_id")
        found = await self._finder.revision(wiki_id, rev_id)  # 1
        note_age(found.freshness)
        parts: list[Html] = []
        status = 200
        if found.row is None:  # 2
            error = why_absent(self._catalogue, found.freshness, wiki_id, f"revision {rev_id}", rev_id=rev_id)
            parts.append(alert(error.message))
            status = status_of(error)
        else:
            parts += self._stored(found.row)
        wanted = request.query_params.get("features", "")
        if wanted:  # 3
            scored = await explained(self._resources, self._counters, wiki_id, rev_id, wanted)
            parts += what_mattered(scored, is_stored=found.row is not None)
            status = 200
        elif wiki_id in self._catalogue.wikis and self._resources.on_demand is not None:
            parts.append(self._offer(wiki_id, rev_id))
        if found.row is not None:
            parts += self._provenance(found.row)
        twin = Twin(
            attribution_path(wiki_id, rev_id, wanted)
            if wanted
            else f"{revision_path(wiki_id, rev_id).replace('/revision/', '/scores/', 1)}?provenance=1"
        )
        return page(f"Revision {rev_id} of {wiki_id[:100]}", *parts, status=status, twin=twin)

    def _stored(self, row: PredictionRow) -> Iterable[Html]:
        now = datetime.now(UTC)
        told = told_of(row)
        pairs: list[tuple[str, str]] = [
            ("Page", element("a", str(row.page_id), href=page_path(row.wiki_id, row.page_id))),
            ("Saved", moment(row.rev_dt, now)),
            ("Namespace", "not told" if told.namespace_id is None else str(told.namespace_id)),
            ("By a bot", {None: "not told", True: "yes", False: "no"}[told.is_bot]),
        ]
        if diff := self._links.diff(row.wiki_id, row.rev_id):
            there = (
                ("what it changed", diff),
                ("the page", self._links.page(row.wiki_id, row.page_id) or ""),
            )
            anchors = [element("a", text, href=href, rel="noreferrer") for text, href in there]
            pairs.append(("On the wiki", element("span", anchors[0], ", ", anchors[1])))
        yield facts(pairs)
        yield _scores("Scores", row.wiki_id, row.scores)

    def _provenance(self, row: PredictionRow) -> Iterable[Html]:
        now = datetime.now(UTC)
        yield element("h2", "Where the scores came from")
        rows = [
            (
                f"{score.model.model_name} {score.model.model_version}",
                moment(score.provenance.event_dt, now),
                moment(score.provenance.scored_dt, now),
                element("code", score.provenance.source_topic),
                f"{score.provenance.source_partition} / {score.provenance.source_offset}",
                element("code", score.provenance.event_id),
                element("code", score.model.model_sha512[:16], title=score.model.model_sha512),
            )
            for score in row.scores
        ]
        heads = ("Model", "Event", "Scored", "Topic", "Partition / offset", "Event id", "Model's SHA-512")
        yield table("Provenance", heads, rows)

    def _offer(self, wiki_id: str, rev_id: int) -> Html:
        buttons = (
            element("button", name, type="submit", name="features", value=name)
            for name, info in sorted(self._catalogue.models(wiki_id).items())
            if info.reads_content
        )
        return element(
            "section",
            element("h2", "Features that mattered"),
            element(
                "p",
                "What a model read of this revision, and what moved its score, is not kept, but computed "
                "when asked for. That takes as long as scoring does. Compute it for:",
            ),
            element("form", *buttons, class_="line", method="get", action=revision_path(wiki_id, rev_id)),
        )


def _scores(caption: str, wiki_id: str, scores: Iterable[StoredScore | ScoredModel]) -> Html:
    """Return all probabilities as a table, a row each; of many labels the likeliest."""
    rows: list[tuple[str, ...]] = []
    for score in scores:
        name: str = element("a", score.model.model_name, href=model_path(wiki_id, score.model.model_name))
        version = score.model.model_version
        outcome = score.outcome
        if isinstance(outcome, ScoreFailure):
            message = element("span", element("code", outcome.code), f": {outcome.message}")
            rows.append((name, "", "", "", message, version))
            continue
        said = ", ".join(outcome.prediction) or "none"
        likeliest = sorted(outcome.probability.items(), key=lambda pair: -pair[1])
        for label, probability in likeliest[:_LABELS_MOST]:
            kind = level(probability) if label == "true" else ""
            drawn = element("span", bar(probability), class_=kind)
            rows.append((name, label, f"{probability:.3f}", drawn, said, version))
            name = said = version = ""
        if (more := len(likeliest) - _LABELS_MOST) > 0:
            rows.append(("", f"and {more} less likely", "", "", "", ""))
    return _grouped(caption, rows)


def _grouped(caption: str, rows: list[tuple[str, ...]]) -> Html:
    """Return a table of which a row without a first cell belongs to the one above."""
    head = element(
        "tr", *(element("th", text, scope="col") if text else element("td") for text in _SCORES_HEADS)
    )
    body: list[Html] = []
    for first, *rest in rows:
        cell = element("th", first, scope="row") if first else element("td")
        body.append(element("tr", cell, *(element("td", one) for one in rest)))
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)
