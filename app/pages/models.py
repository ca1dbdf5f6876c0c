"""The pages of models: which there are, what each is, how good, and which threshold does what is wanted."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import numpy as np
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.endpoint import Handler
from app.api.errors import status_of
from app.api.html import Html, Twin, element, page, table
from app.api.ours import parse_wiki_id
from app.metrics import Face
from app.pages.charts import Curve, curve_chart
from app.pages.model_health import on_the_stream
from app.pages.parts import alert, choice, facts, field, figures, model_path
from models.statistics import DEFAULT_FIELDS, METRICS, StatisticsDocument, thresholds
from models.statistics.thresholds import ThresholdTable
from schemas.catalogue import ModelInfo
from schemas.errors import ModelNotFound, RequestInvalid, RevstreamError, WikiUnknown

_TEXT_MOST: Final = 200
_AT_MOST: Final = frozenset({"fpr", "match_rate"})
"""Metrics of which one wants little: the others are bounded from below."""
_FIGURES: Final = ("recall", "precision", "filter_rate", "match_rate", "fpr", "f1")
_NAMES: Final[Mapping[str, str]] = {
    "match_rate": "match rate: share of all changes above the threshold",
    "filter_rate": "filter rate: share of all changes that need no look",
    "precision": "precision: share of what is above that is right",
    "recall": "recall: share of what is sought that is above",
    "fpr": "false positive rate",
    "accuracy": "accuracy",
    "f1": "F1",
    "roc_auc": "area under the ROC curve",
    "pr_auc": "area under the precision-recall curve",
}


class Wish(Struct, frozen=True):
    """What a threshold is to do.

    Attributes:
        label: Whose probability it is of.
        bound: A metric.
        limit: What that has to reach, or must not go beyond.
        target: The metric that is to be as good as can be.
    """

    label: str
    bound: str
    limit: float
    target: str

    @property
    def formula(self) -> str:
        """The same in ORES's language."""
        aim = "minimum" if self.target in _AT_MOST else "maximum"
        compare = "<=" if self.bound in _AT_MOST else ">="
        return f"{aim} {self.target} @ {self.bound} {compare} {self.limit:g}"


class ModelPages:
    """Handlers of ``/ui/models``."""

    def __init__(self, resources: Resources) -> None:
        self._catalogue = resources.catalogue
        self._health = resources.health

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {
            "/ui/models": (Face.BROWSER, self._all),
            "/ui/models/{wiki_id}/{model_name}": (Face.BROWSER, self._one),
        }

    async def _all(self, _: Request) -> Response:
        rows = [
            (
                element("a", name, href=model_path(wiki_id, name)),
                wiki_id,
                info.id.model_version,
                info.stage,
                info.kind.value,
                _area(info, "roc_auc"),
                _area(info, "pr_auc"),
                ", ".join(self._others(wiki_id, info)),
            )
            for wiki_id, models in sorted(self._catalogue.wikis.items())
            for name, info in sorted(models.items())
        ]
        heads = ("Model", "Wiki", "Version", "Stage", "Kind", "ROC AUC", "PR AUC", "Other versions")
        aliases = [f"{other} is {name}" for other, name in sorted(self._catalogue.aliases.items())]
        return page(
            "Models",
            element("p", "Every model that answers here, on the wikis where it does.", class_="quiet"),
            table("Models by wiki", heads, rows),
            *([element("p", f"Other names: {', '.join(aliases)}.")] if aliases else []),
            twin=Twin("/models"),
        )

    async def _one(self, request: Request) -> Response:
        wiki_id, name = parse_wiki_id(request), request.path_params["model_name"]
        info = self._found(wiki_id, name)
        twin = Twin(f"/models/{quote(wiki_id, safe='')}/{quote(name, safe='')}")
        content = [*self._identity(wiki_id, info)]
        status = 200
        statistics = StatisticsDocument.read(info.document.statistics)
        if statistics.tables:
            try:
                shown = _curves_and_thresholds(request, model_path(wiki_id, name), twin, info, statistics)
                content += shown
            except RevstreamError as error:
                status = status_of(error)
                content.append(alert(error.message))
        else:
            content.append(element("p", "It came without thresholds, so there are no curves to draw."))
        if self._health is not None:
            content += on_the_stream(info, self._health(wiki_id, info.id.model_name))
        content += _statistics(statistics)
        content += _card(info)
        return page(f"{info.id.model_name} of {wiki_id[:100]}", *content, twin=twin, status=status)

    def _found(self, wiki_id: str, name: str) -> ModelInfo:
        if wiki_id not in self._catalogue.wikis:
            raise WikiUnknown(
                f"No model is configured for the wiki {wiki_id[:100]!r}. The page of models lists those that "
                "have one.",
                wiki_id=wiki_id[:100],
            )
        info = self._catalogue.find(wiki_id, name)
        if info is None:
            raise ModelNotFound(
                f"No model {name[:100]!r} is served on {wiki_id}. The page of models lists others.",
                wiki_id=wiki_id,
                model_name=name[:100],
            )
        return info

    def _identity(self, wiki_id: str, info: ModelInfo) -> Iterable[Html]:
        others = [
            element("a", version, href=model_path(wiki_id, f"{info.id.model_name}@{version}"))
            for version in self._others(wiki_id, info)
        ]
        joined = [part for other in others for part in (other, Html(" "))]
        yield facts(
            [
                ("Version", info.id.model_version),
                ("Stage", info.stage or "not told"),
                ("Serving", self._serving(wiki_id, info)),
                ("Other versions", element("span", *joined) if joined else "none"),
                ("Kind", f"{info.kind.value}, {info.document.type}"),
                ("Labels", ", ".join(info.labels)),
                ("Artefact", element("code", info.artefact)),
                ("SHA-512", element("code", info.id.model_sha512)),
                ("Reads", _reads(info)),
            ]
        )

    def _serving(self, wiki_id: str, info: ModelInfo) -> str:
        served = self._catalogue.models(wiki_id).get(info.id.model_name)
        is_served = served is not None and served.id == info.id
        return (
            "scores every change, and answers by default"
            if is_served
            else "answers when asked for by version"
        )

    def _others(self, wiki_id: str, info: ModelInfo) -> list[str]:
        name = info.id.model_name
        served = self._catalogue.models(wiki_id).get(name, info)
        versions = (
            other.id.model_version
            for other in (served, *self._catalogue.versions.get(wiki_id, {}).values())
            if other.id.model_name == name
        )
        return [version for version in dict.fromkeys(versions) if version != info.id.model_version]


def _reads(info: ModelInfo) -> str:
    if not info.reads_content:
        return "the revision's id alone"
    what = "the revision's text alone" if info.reads_text_alone else "the revision, its parent and its editor"
    models = f", of the content models {', '.join(info.content_models)}" if info.content_models else ""
    return what + models


def _area(info: ModelInfo, name: str) -> str:
    told = info.document.statistics.get(name)
    value = told.get("macro") if isinstance(told, Mapping) else told
    return f"{value:.3f}" if isinstance(value, float) else ""


def _curves_and_thresholds(
    request: Request, where: str, twin: Twin, info: ModelInfo, statistics: StatisticsDocument
) -> Iterable[Html]:
    """Yield the form, what it finds, and the curves with the place of that.

    Raises:
        RequestInvalid: The form was filled in with what is none of its choices.
    """
    wish = _wish(request, list(statistics.tables))
    found: Mapping[str, Any] | None = thresholds(info.document, wish.label, wish.formula)[wish.label]
    yield element("h2", "Thresholds")
    yield _form(where, wish, list(statistics.tables))
    if found is None:
        yield alert(f"No threshold reaches that: {wish.formula}. Ask for less.")
    else:
        shown = [("threshold", f"{found['threshold']:.4g}")]
        shown += [(name.replace("_", " "), _number(found[name])) for name in _FIGURES]
        yield figures(shown)
    address = f"{twin.address}/thresholds?{urlencode({'label': wish.label, 'formula': wish.formula})}"
    yield element("p", "For programs: ", element("a", element("code", wish.formula), href=address))
    yield element("h2", "Curves")
    yield element(
        "div", *(curve_chart(curve) for curve in _curves(statistics.tables[wish.label], wish, found))
    )


def _wish(request: Request, labels: list[str]) -> Wish:
    given = {name: value[:_TEXT_MOST] for name, value in request.query_params.items()}
    label = given.get("label") or ("true" if "true" in labels else labels[0])
    bound, target = given.get("bound") or "precision", given.get("target") or "recall"
    try:
        limit = float(given.get("limit") or "0.9")
    except ValueError:
        limit = -1.0
    for name, value, known in (
        ("label", label, labels),
        ("bound", bound, METRICS),
        ("target", target, METRICS),
    ):
        if value not in known:
            raise RequestInvalid(
                f"The parameter {name} is {value!r}; it must be one of {', '.join(known)}.", parameter=name
            )
    if not 0 <= limit <= 1:
        raise RequestInvalid("The parameter limit must be a number from 0 to 1.", parameter="limit")
    return Wish(label, bound, limit, target)


def _form(where: str, wish: Wish, labels: list[str]) -> Html:
    metrics = [(name, name.replace("_", " ")) for name in METRICS]
    limit = element(
        "input",
        type="number",
        id="limit",
        name="limit",
        min="0",
        max="1",
        step="any",
        value=f"{wish.limit:g}",
    )
    compare = "at most" if wish.bound in _AT_MOST else "at least"
    return element(
        "form",
        field("Label", "label", choice("label", [(each, each) for each in labels], wish.label)),
        field("I want", "bound", choice("bound", metrics, wish.bound)),
        field(compare, "limit", limit),
        field("and the best", "target", choice("target", metrics, wish.target)),
        element("button", "Find", type="submit"),
        class_="line",
        method="get",
        action=where,
    )


def _curves(thresholds_table: ThresholdTable, wish: Wish, found: Mapping[str, Any] | None) -> Iterable[Curve]:
    confusion = thresholds_table.read().confusion
    metrics = {name: confusion.metric(name) for name in ("fpr", "recall", "precision")}
    for title, across, up in (
        (f"ROC of {wish.label}", "fpr", "recall"),
        (f"Precision and recall of {wish.label}", "recall", "precision"),
    ):
        is_known = np.isfinite(metrics[across]) & np.isfinite(metrics[up])
        points = sorted(zip(metrics[across][is_known].tolist(), metrics[up][is_known].tolist(), strict=True))
        mark = None
        if found is not None and found[across] is not None and found[up] is not None:
            mark = (float(found[across]), float(found[up]))
        if points:
            yield Curve(title, _short(across), _short(up), points, mark)


def _short(metric: str) -> str:
    return _NAMES[metric].partition(":")[0]


def _statistics(statistics: StatisticsDocument) -> Iterable[Html]:
    labels = list(statistics.tables) or [str(label) for label in statistics.labels]
    rows: list[tuple[str, ...]] = []
    ranks = {name: rank for rank, name in enumerate(DEFAULT_FIELDS)}
    for name in sorted(statistics.entries, key=lambda each: ranks.get(each, len(ranks))):
        told = statistics.entries[name]
        if name != "counts" and isinstance(told, Mapping) and isinstance(told.get("labels"), Mapping):
            by_label = told["labels"]
            means = (_number(told.get("micro")), _number(told.get("macro")))
            each = [_number(by_label.get(label)) for label in labels[:8]]
            if any((*means, *each)):
                rows.append((_NAMES.get(name, name.replace("_", " ")), *means, *each))
    if rows:
        yield element("h2", "Test statistics")
        heads = ("Metric", "micro", "macro", *labels[:8])
        yield table("At the model's own prediction", heads, rows)


def _card(info: ModelInfo) -> Iterable[Html]:
    if info.card:
        yield element("h2", "Card")
        yield facts(list(info.card.items()))
    told = {
        **info.document.params,
        **{f"made with {name}": value for name, value in info.document.environment.items()},
    }
    if told:
        rows = [(name, element("code", str(value)[:_TEXT_MOST])) for name, value in sorted(told.items())]
        yield element(
            "details",
            element("summary", "Parameters and environment"),
            table("Made with", ("Name", "Value"), rows),
        )


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) and not isinstance(value, bool) else ""
