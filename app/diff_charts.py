"""Charts as SVG within a page, whose colours follow the theme: no pictures, no scripts, no other host."""

from collections.abc import Iterator, Sequence
from math import log10
from typing import Final

from app.api.html import Html, element
from app.diff_text import count, percent
from batch.snapshot_difference import Distribution, LabelShift

STYLE: Final = """
.chart { display: block; height: auto; max-width: 40rem; width: 100%; }
.chart text { fill: var(--ink); font: 11px system-ui, sans-serif; }
.chart .grid { stroke: GrayText; stroke-opacity: .3; }
.chart .side-a { fill: var(--a); fill-opacity: .3; stroke: none; }
.chart .side-b { fill: none; stroke: var(--b); stroke-width: 1.8; }
"""
_WIDTH, _HEIGHT = 400, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 390, 24, 168
# The smallest share that has a place of its own on the logarithmic scale.
_DECADES: Final = 5


def histogram(label: LabelShift, name: str) -> Html:
    """Return the distributions of a label on both sides, over a logarithmic scale of shares.

    Args:
        label: With rows on one side at least.
        name: Of the chart, which no other element of the page has as its id.
    """
    told = "; ".join(
        f"{letter}: {count(side.rows)} revisions, median {side.quantiles[0.5]:.3f}, "
        + ", ".join(f"{percent(share)} above {threshold:g}" for threshold, share in side.above.items())
        for letter, side in (("A", label.first), ("B", label.second))
        if side is not None
    )
    shapes = []
    if label.first is not None:
        shapes.append(element("path", class_="side-a", d=f"{_steps(label.first)} L{_RIGHT} {_BOTTOM} Z"))
    if label.second is not None:
        shapes.append(element("path", class_="side-b", d=_steps(label.second)))
    return element(
        "svg",
        element("title", f"Probabilities of {label.label}", id=f"{name}-title"),
        element("desc", told, id=f"{name}-told"),
        *_axes(),
        *shapes,
        *_legend(),
        class_="chart",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-told",
    )


def _steps(side: Distribution) -> str:
    width = (_RIGHT - _LEFT) / len(side.histogram)
    path = [f"M{_LEFT} {_BOTTOM}"]
    for place, rows in enumerate(side.histogram):
        path.append(f"V{_height(rows / side.rows):.1f} H{_LEFT + (place + 1) * width:.1f}")
    return " ".join(path)


def _height(share: float) -> float:
    above = max(0.0, 1 + log10(share) / _DECADES) if share else 0.0
    return _BOTTOM - above * (_BOTTOM - _TOP)


def _axes() -> Iterator[Html]:
    for decade in range(_DECADES):
        height = f"{_height(10.0**-decade):.1f}"
        yield element("line", class_="grid", x1=str(_LEFT), x2=str(_RIGHT), y1=height, y2=height)
        text = f"{100 * 10.0**-decade:g} %"
        yield element("text", text, x=str(_LEFT - 4), y=height, dy="4", text_anchor="end")
    for tenth in range(0, 11, 2):
        across = f"{_LEFT + tenth / 10 * (_RIGHT - _LEFT):.1f}"
        yield element("line", class_="grid", x1=across, x2=across, y1=str(_TOP), y2=str(_BOTTOM))
        yield element("text", f"{tenth / 10:g}", x=across, y=str(_BOTTOM + 14), text_anchor="middle")
    middle = str((_LEFT + _RIGHT) // 2)
    yield element("text", "probability", x=middle, y=str(_HEIGHT - 4), text_anchor="middle")


def _legend() -> Sequence[Html]:
    return (
        element("rect", class_="side-a", x=str(_LEFT), y="6", width="18", height="10"),
        element("text", "A", x=str(_LEFT + 23), y="15"),
        element("path", class_="side-b", d=f"M{_LEFT + 45} 11 h18"),
        element("text", "B", x=str(_LEFT + 68), y="15"),
        element("text", "share of revisions", x=str(_RIGHT), y="15", text_anchor="end"),
    )
