"""What several pages show in the same way: moments, probabilities, links, fields of forms."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from app.api.documents import Document
from app.api.html import Html, element

_LEVELS: Final = (0.25, 0.5, 0.75, 0.9)
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_LABELS_MOST: Final = 3


def moment(dt: datetime, now: datetime) -> Html:
    """Return a moment as ISO-8601, and how long it was ago. Both are aware UTC."""
    text = iso(dt)
    shown = element("time", text.replace("T", " "), datetime=text)
    return element(
        "span", shown, Html("<br>"), element("span", ago((now - dt).total_seconds()), class_="ago")
    )


def iso(dt: datetime) -> str:
    """Return a moment as ISO-8601 with Z, to the second."""
    return dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(seconds: float) -> str:
    """Return how long something was ago, in the greatest unit that is whole."""
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            number = int(abs(seconds) // size)
            return f"{number} {unit} ago" if seconds > 0 else f"in {number} {unit}"
    return "now"


def duration(seconds: float | None) -> str:
    """Return a duration for people; ``unknown`` for None."""
    if seconds is None:
        return "unknown"
    if abs(seconds) < 60:
        return f"{seconds:.3g} s" if abs(seconds) < 10 else f"{seconds:.0f} s"
    return ago(seconds).removesuffix(" ago")


def level(probability: float) -> str:
    """Return the class of the colour of a probability."""
    return f"p{sum(probability >= bound for bound in _LEVELS)}"


def bar(probability: float) -> Html:
    """Return a probability as a bar. The number belongs beside it."""
    return element(
        "svg",
        element("rect", width=f"{100 * probability:.1f}%", height="100%"),
        class_="bar",
        aria_hidden="true",
    )


def score(name: str, answer: Document, *, is_of_true: bool) -> Html:
    """Return what a model says as name, bar and number.

    Args:
        name: Shown before the bar.
        answer: As `documents.stored_document` gives it.
        is_of_true: Whether the number is the probability of true, so that its colour has a meaning.
    """
    told, probability = headline(answer)
    shown = f"{name} {told}".strip()
    parts = [element("span", shown, title=shown)] if name or told else []
    if probability is None:
        return element("span", *parts, class_="score")
    kind = f"score {level(probability)}" if is_of_true else "score"
    parts += [bar(probability), element("span", f"{probability:.3f}", class_="number")]
    return element("span", *parts, class_=kind)


def headline(answer: Document) -> tuple[str, float | None]:
    """Return what of an answer counts first: a label, empty for true, and its probability; None for neither.

    A failure is told by its code.
    """
    if "error" in answer:
        return answer["error"]["code"], None
    probability: Mapping[str, float] = answer["probability"]
    if "true" in probability:
        return "", probability["true"]
    said = answer["prediction"]
    labels = said if isinstance(said, list) else [said]
    known = [label for label in labels if label in probability]
    if not known:
        known = sorted(probability, key=lambda label: -probability[label])[:1]
        return (f"none, {known[0]}", probability[known[0]]) if known else ("none", None)
    more = ", …" if len(known) > _LABELS_MOST else ""
    return ", ".join(known[:_LABELS_MOST]) + more, max(probability[label] for label in known)


def revision_path(wiki_id: str, rev_id: int) -> str:
    """Return where the page of a revision is."""
    return f"/revision/{quote(wiki_id, safe='')}/{rev_id}"


def page_path(wiki_id: str, page_id: int) -> str:
    """Return where the page of a wiki's page is."""
    return f"/page/{quote(wiki_id, safe='')}/{page_id}"


def model_path(wiki_id: str, model_name: str) -> str:
    """Return where the page of a model is."""
    return f"/ui/models/{quote(wiki_id, safe='')}/{quote(model_name, safe='')}"


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Return names with their values."""
    parts: list[str] = []
    for name, value in pairs:
        parts += (element("dt", name), element("dd", value))
    return element("dl", *parts)


def figures(pairs: Iterable[tuple[str, str]]) -> Html:
    """Return the few numbers that matter most, each above what it is."""
    return element(
        "div", *(element("div", element("b", value), name) for name, value in pairs), class_="figures"
    )


def field(label: str, name: str, control: Html, *beside: Html) -> Html:
    """Return a control of a form with its label, whose id is the name."""
    return element("div", element("label", label, *beside, for_=name), control)


def choice(name: str, options: Iterable[tuple[str, str]], chosen: str, **more: Any) -> Html:
    """Return a list to choose from, of value and text."""
    shown = (element("option", text, value=value, selected=value == chosen) for value, text in options)
    return element("select", *shown, id=name, name=name, **more)


def alert(text: str) -> Html:
    """Return what went wrong."""
    return element("p", text, role="alert")
