from collections.abc import Callable
from re import Match
from typing import Any

from models.native import Floats, Trees

INTERFACE: int

def add_leaves(trees: Trees, rows: Floats, sums: Floats, /) -> None: ...
def matching_blocks(first: bytes, other: bytes, items: int, /) -> list[tuple[int, int, int]]: ...
def longest_run(lowered: str, /) -> int: ...
def split_tokens(
    text: str, classes: bytes, match: Callable[[str, int], Match[str] | None], /
) -> list[str]: ...
def tally(
    items: list[str],
    verdicts: dict[str, Any],
    tables: list[dict[Any, int]],
    sums: list[int],
    maxima: list[int],
    /,
) -> None: ...
def word_runs(text: str, classes: bytes, /) -> list[str]: ...
