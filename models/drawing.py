"""Plots as PNG, where matplotlib is installed, which the extra ``report`` brings."""

import io
from importlib.util import find_spec
from typing import Any, Final

EXTRA: Final = "report"
_DOTS_PER_INCH: Final = 100


def can_draw() -> bool:
    """Tell whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def new_figure(width_inches: float, height_inches: float) -> Any:
    """Return an empty figure of matplotlib's, which no window shows and no global state holds.

    Args:
        width_inches: At 100 dots an inch.
        height_inches: At 100 dots an inch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only reports need it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width_inches, height_inches), dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def png(figure: Any) -> bytes:
    """Return a figure as PNG. The same figure and the same matplotlib give the same bytes."""
    buffer = io.BytesIO()
    # Without the version of the program, which matplotlib writes in by default.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
