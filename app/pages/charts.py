"""Charts as SVG made here: lines over a unit square, and points in time."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from app.api.html import Html, element
from app.pages.parts import level

_POINTS_MOST: Final = 160
# A phone draws it much smaller, so that its words have to be larger.
_WIDE: Final = 600
_LEFT, _TOP, _RIGHT, _BELOW = 34, 22, 10, 34
_TICKS: Final = (0.0, 0.5, 1.0)


class Curve(Struct, frozen=True):
    """A line over the unit square.

    Attributes:
        title: Of the chart.
        across: What grows to the right.
        up: What grows upwards.
        points: Both in [0, 1].
        mark: A point to show; None for none.
    """

    title: str
    across: str
    up: str
    points: Sequence[tuple[float, float]]
    mark: tuple[float, float] | None = None


class Dot(Struct, frozen=True):
    """A point of a history.

    Attributes:
        value: In [0, 1].
        title: Told where one points at it.
        href: Where it leads.
    """

    value: float
    title: str
    href: str


def curve_chart(curve: Curve) -> Html:
    """Return a curve as a figure, 300 pixels wide."""
    width, height = 300, 264
    frame = _Frame(width, height)
    # Of thousands of points, neighbours fall on one pixel.
    step = max(1, len(curve.points) // _POINTS_MOST)
    kept = [*curve.points[::step], *curve.points[-1:]]
    points = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in kept)
    parts = [*frame.axes(curve.across, curve.up), element("polyline", class_="line", points=points)]
    if curve.mark is not None:
        x, y = curve.mark
        parts.append(element("circle", class_="mark", cx=f"{frame.x(x):.1f}", cy=f"{frame.y(y):.1f}", r="6"))
    told = f"{curve.title}: {curve.up} by {curve.across}"
    return element("figure", element("figcaption", curve.title), _svg(width, height, told, parts))


def history_chart(title: str, dots: Sequence[Dot], ends: tuple[str, str]) -> Html:
    """Return values in their order as a figure, from left to right.

    Args:
        title: Of the chart.
        dots: At least one.
        ends: What is written below the first and the last.
    """
    width, height = 900, 240
    frame = _Frame(width, height)
    places = [(index / max(1, len(dots) - 1), dot) for index, dot in enumerate(dots)]
    points = " ".join(f"{frame.x(x):.1f},{frame.y(dot.value):.1f}" for x, dot in places)
    parts = [*frame.axes("", "", ticks_across=False), element("polyline", class_="line", points=points)]
    for x, dot in places:
        circle = element(
            "circle",
            element("title", dot.title),
            cx=f"{frame.x(x):.1f}",
            cy=f"{frame.y(dot.value):.1f}",
            r="4.5",
        )
        # The table beside the chart has the same links: one walk through them by keyboard is enough.
        link = element("a", circle, href=dot.href, tabindex="-1", aria_hidden="true")
        parts.append(element("svg", link, class_=level(dot.value), overflow="visible"))
    first, last = ends
    parts += [
        element("text", first, x=str(_LEFT), y=str(height - 12)),
        element("text", last, x=str(width - _RIGHT), y=str(height - 12), text_anchor="end"),
    ]
    return element("figure", element("figcaption", title), _svg(width, height, title, parts))


class _Frame:
    """Where values of [0, 1] lie in a chart of some pixels."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width - _LEFT - _RIGHT
        self._height = height - _TOP - _BELOW

    def x(self, value: float) -> float:
        return _LEFT + value * self._width

    def y(self, value: float) -> float:
        return _TOP + (1 - value) * self._height

    def axes(self, across: str, up: str, *, ticks_across: bool = True) -> Iterable[Html]:
        left, right, bottom, top = self.x(0), self.x(1), self.y(0), self.y(1)
        for tick in _TICKS:
            y = self.y(tick)
            yield element("path", class_="axis", d=f"M{left} {y}H{right}")
            yield element("text", f"{tick:g}", x=str(left - 6), y=str(y + 4), text_anchor="end")
            if ticks_across:
                x = self.x(tick)
                yield element("path", class_="axis", d=f"M{x} {top}V{bottom}")
                yield element("text", f"{tick:g}", x=str(x), y=str(bottom + 14), text_anchor="middle")
        if across:
            yield element("text", across, x=str((left + right) / 2), y=str(bottom + 28), text_anchor="middle")
        if up:
            yield element("text", f"↑ {up}", x=str(left), y=str(top - 8))


def _svg(width: int, height: int, told: str, parts: Sequence[Html]) -> Html:
    return element(
        "svg",
        *parts,
        class_="chart wide" if width > _WIDE else "chart",
        width=str(width),
        height=str(height),
        viewBox=f"0 0 {width} {height}",
        # A group where there are links in it, which a picture cannot have.
        role="group" if any("<a " in part for part in parts) else "img",
        aria_label=told,
    )
