"""How strings must begin to match an expression, so that most nodes need not be made strings for it."""

import re
from collections.abc import Iterable
from typing import Any

from models.engine import patterns_syntax as syntax

_PATHS = 64

Path = tuple[str, ...]
"""Expressions for one character each."""


class Beginning:
    """Tells by its first characters whether a string can match an expression.

    Args:
        pattern: Strings are matched from their beginning.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        paths, _ = _paths(syntax.parsed(pattern))
        # Characters are compared as the expression itself does; any of them may be the last that is known.
        expression = "|".join(_any_part(path) for path in paths)
        self._known = re.compile(expression, pattern.flags & (re.IGNORECASE | re.ASCII))

    def is_possible(self, begun: str) -> bool:
        """Tell whether a string that begins so can match. False is certain."""
        return self._known.match(begun) is not None


def _any_part(path: Path) -> str:
    return "".join(rf"(?:\Z|{character}" for character in path) + ")" * len(path)


def _paths(items: Iterable[tuple[Any, Any]]) -> tuple[list[Path], bool]:
    """Return what every match begins with, and whether these are whole matches."""
    paths: list[Path] = [()]
    for code, operand in items:
        more, is_whole = _step(str(code), operand)
        if len(paths) * len(more) > _PATHS:
            return paths, False
        paths = [(*path, *following) for path in paths for following in more]
        if not is_whole:
            return paths, False
    return paths, True


def _step(code: str, operand: Any) -> tuple[list[Path], bool]:
    if code == "LITERAL":
        return [(re.escape(chr(operand)),)], True
    if code == "IN" and all(str(kind) == "LITERAL" for kind, _ in operand):
        return [(f"[{''.join(re.escape(chr(character)) for _, character in operand)}]",)], True
    if code == "SUBPATTERN" and operand[1:3] == (0, 0):
        return _paths(operand[3])
    if code == "BRANCH":
        branches = [_paths(items) for items in operand[1]]
        paths = [path for branch, _ in branches for path in branch]
        return paths, all(is_whole for _, is_whole in branches)
    return [()], False
