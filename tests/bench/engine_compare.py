"""Whether the engine has become slower than a committed report says."""

from collections.abc import Iterator, Mapping
from typing import Any

WORSE = 0.10
"""By which part a ratio may be worse than the committed one."""
_RATIO = "times_"


def ratios(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield all ratios of a report by their path, ``backfill.aawiki.times_n1``; the larger the better."""
    for name, value in figures.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from ratios(value, f"{path}.")
        elif name.startswith(_RATIO) and isinstance(value, (int, float)):
            yield path, float(value)


def differing(figures: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield where values or probabilities differ from revscoring's."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from differing(value, f"{prefix}{name}.")
        elif name.endswith("_different") and value:
            yield f"{prefix}{name} is {value}, and must be 0"


def regressions(now: Mapping[str, Any], committed: Mapping[str, Any]) -> list[str]:
    """Compare the figures of a run with committed ones.

    Rows that only one of them has are left alone: a run may be of some rows only, and what cannot be measured
    on a machine says so in its row.

    Args:
        now: Figures of the run.
        committed: Figures of the committed report.

    Returns:
        What is worse, in words; empty where all is well.

    Raises:
        ValueError: The runs cannot be compared: they share no ratio, or one was quick and the other not.
    """
    if bool(now.get("is_quick")) != bool(committed.get("is_quick")):
        raise ValueError("one of the reports is of a quick run, and quick runs measure less: compare alike")
    wanted = dict(ratios(committed))
    found = {path: value for path, value in ratios(now) if path in wanted}
    if not found:
        raise ValueError("the reports have no ratio in common")
    return [
        *differing(now),
        *(
            f"{path} is {value:g}, where the report has {wanted[path]:g}"
            for path, value in found.items()
            if value < wanted[path] * (1 - WORSE)
        ),
    ]
