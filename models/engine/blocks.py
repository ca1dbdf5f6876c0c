"""Parts of a text that are analysed apart, and the analysis of one."""

import re
from collections.abc import Sequence

from models.engine.characters import OTHER_BREAKS, known_classes
from models.native import native

_PARAGRAPHS = re.compile(r"[^\n]*\n(?:\s*\n)*|[^\n]+\Z")
_OTHER_BREAKS = re.compile(OTHER_BREAKS)
_LINES = 4
_TAG_OPENS = re.compile(r"</?[a-z]")


class Block:
    """What is counted of one part of a text. Never changed once made.

    Attributes:
        tables: Count by item, of each table; items in the order of their first occurrence.
        sums: Each sum.
        maxima: Each maximum; 0 where there was nothing.
    """

    __slots__ = ("maxima", "sums", "tables")

    def __init__(self, tables: list[dict[str, int]], sums: list[int], maxima: list[int]) -> None:
        self.tables = tables
        self.sums = sums
        self.maxima = maxima


def split_blocks(text: str) -> list[str]:
    """Cut a text where no token and no run of one character reaches across.

    A block is a few lines, with the blank lines behind them; of lines that a tag spans, all. Whatever is
    found in one block alone is found there in the whole text, and nothing else is: a token of the lexicon
    holds a newline only among whitespace, which ends with its last newline here, and between ``<`` with a
    letter and the next ``>``.

    Returns:
        The blocks in order; joined, they are the text.
    """
    if not text:
        return []
    return split_blocks_of(text) if native is None else native.split_blocks(text, known_classes())


def split_blocks_of(text: str) -> list[str]:
    """Cut a text that is not empty, as ``split_blocks`` does."""
    if _OTHER_BREAKS.search(text):
        return [text]
    lines = _PARAGRAPHS.findall(text)
    return _grouped(_joined_at_tags(lines) if "<" in text else lines)


def _grouped(lines: Sequence[str]) -> list[str]:
    """Join lines to blocks of a few.

    Each block costs some work beside that for its characters. Where one ends depends on its last line alone,
    so that an edit moves the ends near it only.
    """
    blocks: list[str] = []
    start = 0
    for place, line in enumerate(lines, start=1):
        if line.endswith("\n\n") or len(line) % _LINES == 0:
            blocks.append(line if place == start + 1 else "".join(lines[start:place]))
            start = place
    if start < len(lines):
        blocks.append("".join(lines[start:]))
    return blocks


def _joined_at_tags(lines: Sequence[str]) -> list[str]:
    blocks: list[str] = []
    open_lines: list[str] = []
    for line in lines:
        if open_lines:
            open_lines.append(line)
            is_open = _TAG_OPENS.search(line, line.rfind(">") + 1) if ">" in line else True
        else:
            is_open = "<" in line and _TAG_OPENS.search(line, line.rfind(">") + 1)
        if is_open:
            if not open_lines:
                open_lines.append(line)
        elif open_lines:
            blocks.append("".join(open_lines))
            open_lines = []
        else:
            blocks.append(line)
    if open_lines:
        blocks.append("".join(open_lines))
    return blocks
