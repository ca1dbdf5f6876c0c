"""Threshold optimisation: ``maximum recall @ precision >= 0.9``."""

import re

from msgspec import Struct

from schemas.errors import InfoPathMalformed

_NAME = r"(?:!|[^\W\d])\w*"
# Anchored at the start alone: ORES disregards whatever follows the number.
_GRAMMAR = re.compile(
    rf"(?P<goal>maximum|minimum) (?P<target>{_NAME}) @ (?P<bound>{_NAME}) "
    r"(?P<relation>>=|<=) (?P<limit>[-+]?(?:[0-9]*\.[0-9]+|[0-9]+))"
)


class Formula(Struct, frozen=True):
    """The best value of one metric among the thresholds at which another keeps a bound.

    Attributes:
        is_maximum: Whether the most or the least is wanted.
        target: Metric to be optimised.
        bound: Metric that is bounded.
        is_at_least: Whether the bound is from below.
        limit: The bound.
    """

    is_maximum: bool
    target: str
    bound: str
    is_at_least: bool
    limit: float


def is_formula(text: str) -> bool:
    """Tell whether a text is a formula."""
    return _match(text) is not None


def parse_formula(text: str) -> Formula:
    """Read a formula; case and outer blanks do not matter.

    Raises:
        InfoPathMalformed: It is none.
    """
    match = _match(text)
    if match is None:
        raise InfoPathMalformed(
            f"{text[:200]!r} is no threshold formula; write (maximum|minimum) METRIC @ METRIC (>=|<=) "
            "NUMBER with single blanks, as in 'maximum recall @ precision >= 0.9'"
        )
    return Formula(
        is_maximum=match["goal"] == "maximum",
        target=match["target"],
        bound=match["bound"],
        is_at_least=match["relation"] == ">=",
        limit=float(match["limit"]),
    )


def _match(text: str) -> re.Match[str] | None:
    return _GRAMMAR.match(text.strip().lower())
