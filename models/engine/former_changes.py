"""What an edit added and removed as the differ of 2015 told it, at the cost of its change.

The rules are those of ``models.features.former_diff``, whose paragraphs and sentences are made once for each
part of a page here. Those that both texts have are found by what they say; only the others are taken apart
into tokens.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import chain
from typing import Final

from models.engine.document import Document
from models.engine.fallbacks import FALLBACKS
from models.engine.former_pieces import Piece
from models.engine.former_tokens import FIRST, Lexicon
from models.engine.sequences import matching_blocks
from models.features.former_diff import Difference, difference
from models.features.former_tokens import Token

# A token; in a tuple, a paragraph or a sentence that both texts have.
Part = str | tuple[str]
# The release that lost count of tokens behind a paragraph that moved.
_MISCOUNTING: Final = "0.3.0"


def change_between(before: Document, after: Document, lexicon: Lexicon, release: str) -> Difference:
    """Compare two texts.

    Args:
        before: The earlier, analysed in ``Piece``s of the lexicon.
        after: The later, likewise.
        lexicon: Cuts them into tokens.
        release: As ``models.features.former_diff.difference`` takes it.
    """
    earlier, later = _pieces(before), _pieces(after)
    reached: set[str] = set()
    new = _parts_of_later(earlier, later, reached, lexicon)
    if release == FIRST:
        old = _parts_of_earlier(earlier, _last_places(earlier, reached), lexicon)
        # It took a segment of one token for that token.
        blocks = matching_blocks(_texts(old), _texts(new))
    else:
        old = _parts_of_earlier(earlier, dict.fromkeys(reached), lexicon)
        blocks = matching_blocks(old, new)
    removed, added = [], []
    old_end = new_end = 0
    for old_start, new_start, length in (*blocks, (len(old), len(new), 0)):
        removed.append(old[old_end:old_start])
        added.append(new[new_end:new_start])
        old_end, new_end = old_start + length, new_start + length
    if release == _MISCOUNTING and any(isinstance(part, tuple) for part in chain(*removed, *added)):
        FALLBACKS.count("former_difference")
        return difference(lexicon.tokens(before.text), lexicon.tokens(after.text), release)
    return Difference(_runs(added, lexicon), _runs(removed, lexicon))


def _pieces(document: Document) -> Sequence[Piece]:
    return [block for block in document.blocks if isinstance(block, Piece)]


def _parts_of_later(
    earlier: Sequence[Piece], later: Sequence[Piece], reached: set[str], lexicon: Lexicon
) -> list[Part]:
    """Return the later text in parts, and note which segments of the earlier are found in it."""
    known = set(chain.from_iterable([piece.segments for piece in earlier]))
    parts: list[Part] = []
    for piece in later:
        if known.issuperset(piece.paragraphs):
            reached.update(piece.paragraphs)
            parts += piece.whole
            continue
        for top in piece.tops:
            if isinstance(top, str):
                parts.append(top)
                continue
            for part in (top.key,) if top.key[0] in known else top.parts:
                if isinstance(part, str):
                    parts.append(part)
                elif part[0] in known:
                    reached.add(part[0])
                    parts.append(part)
                else:
                    parts += lexicon.split(part[0])
    return parts


def _parts_of_earlier(
    pieces: Iterable[Piece], reached: Mapping[str, int | None], lexicon: Lexicon
) -> list[Part]:
    """Return the earlier text in parts.

    Args:
        pieces: The text.
        reached: Segments that the later text has; with the one of equal segments that alone is matched, by
            its number, or None for all of them.
        lexicon: Cuts what is in this text alone.
    """
    parts: list[Part] = []
    number = 0
    for piece in pieces:
        first = number
        number += len(piece.segments)
        if all(reached.get(text, -1) is None for text in piece.paragraphs):
            parts += piece.whole
            continue
        place = first - 1
        for top in piece.tops:
            if isinstance(top, str):
                parts.append(top)
                continue
            place += 1
            if reached.get(top.key[0], -1) in {None, place}:
                place += top.sentences
                parts.append(top.key)
                continue
            for part in top.parts:
                if isinstance(part, str):
                    parts.append(part)
                    continue
                place += 1
                if reached.get(part[0], -1) in {None, place}:
                    parts.append(part)
                else:
                    parts += lexicon.split(part[0])
    return parts


def _last_places(pieces: Iterable[Piece], reached: Set[str]) -> dict[str, int | None]:
    """Return the number of the last of equal segments, which alone the first release matched."""
    segments = chain.from_iterable(piece.segments for piece in pieces)
    return {segment: number for number, segment in enumerate(segments) if segment in reached}


def _texts(parts: Iterable[Part]) -> list[str]:
    return [part if isinstance(part, str) else part[0] for part in parts]


def _runs(stretches: Iterable[Sequence[Part]], lexicon: Lexicon) -> list[list[Token]]:
    """Return the runs of tokens, which what moved parts."""
    runs: list[list[Token]] = []
    for stretch in stretches:
        run: list[str] = []
        for part in stretch:
            if isinstance(part, str):
                run.append(part)
            elif run:
                runs.append(lexicon.tokens_of(run))
                run = []
        if run:
            runs.append(lexicon.tokens_of(run))
    return runs
