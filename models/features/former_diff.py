"""What an edit added and removed, as the differ of 2015 told it.

Paragraphs and sentences that both texts have count as kept wherever they stand; between them, runs of tokens
are matched. Sentences end elsewhere today, and the first releases matched only the last of equal sentences.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from models.features.former_tokens import Token

_SENTENCE_ENDS = frozenset({"period", "epoint", "qmark"})
_SPACES = frozenset({"whitespace", "break"})


class Difference(Struct, frozen=True):
    """Runs of tokens.

    Attributes:
        added: What only the later text has, in its order.
        removed: What only the earlier text has.
    """

    added: list[list[Token]]
    removed: list[list[Token]]

    @property
    def added_tokens(self) -> list[Token]:
        """Tokens of what was added."""
        return [token for run in self.added for token in run]

    @property
    def removed_tokens(self) -> list[Token]:
        """Tokens of what was removed."""
        return [token for run in self.removed for token in run]


class _Segment:
    """Tokens that belong together: a paragraph, a sentence, or spaces, which match nothing."""

    __slots__ = ("is_matched", "length", "parts", "text")

    def __init__(self, parts: Sequence[Any], *, is_matchable: bool) -> None:
        self.parts = parts
        self.length: int = sum(part.length if isinstance(part, _Segment) else 1 for part in parts)
        self.text: str | None = "".join(map(str, parts)) if is_matchable else None
        self.is_matched = False

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def difference(before: Sequence[Token], after: Sequence[Token], release: str) -> Difference:
    """Compare two texts.

    Args:
        before: Tokens of the earlier text.
        after: Tokens of the later text.
        release: Of deltas: ``0.1.1``, ``0.3.0``, ``0.3.1``.
    """
    cut = _segments_first if release == "0.1.1" else _segments
    old, new = cut(before), cut(after)
    known: dict[str, list[_Segment]] = {}
    for segment in _matchable(old):
        known.setdefault(str(segment.text), []).append(segment)
    if release == "0.1.1":
        known = {text: segments[-1:] for text, segments in known.items()}
    new_parts = list(_matched(new, known))
    old_parts = list(_expanded(old))
    # The first release took a segment of one token for that token.
    key: Callable[[Any], Any] = _text if release == "0.1.1" else _key
    matcher = difflib.SequenceMatcher(
        None, [key(part) for part in old_parts], [key(part) for part in new_parts]
    )
    places = _Places(before, after, is_miscounting=release == "0.3.0")
    for kind, from_, to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            places.keep(old_parts[from_:to])
        if kind in {"delete", "replace"}:
            places.remove(old_parts[from_:to])
        if kind in {"insert", "replace"}:
            places.add(new_parts[new_from:new_to])
    return Difference(places.added, places.removed)


class _Places:
    """Walks through both texts, and notes what is in one only."""

    def __init__(self, before: Sequence[Token], after: Sequence[Token], *, is_miscounting: bool) -> None:
        self._before, self._after = before, after
        self._old = self._new = 0
        self._is_miscounting = is_miscounting
        self.added: list[list[Token]] = []
        self.removed: list[list[Token]] = []

    def keep(self, parts: Sequence[Any]) -> None:
        length = sum(part.length if isinstance(part, _Segment) else 1 for part in parts)
        self._old += length
        self._new += length

    def remove(self, parts: Sequence[Any]) -> None:
        for length, moved in self._runs(parts):
            if length:
                self.removed.append(list(self._before[self._old : self._old + length]))
            self._old += length + moved

    def add(self, parts: Sequence[Any]) -> None:
        for length, moved in self._runs(parts):
            if length:
                self.added.append(list(self._after[self._new : self._new + length]))
            self._new += length + moved

    def _runs(self, parts: Sequence[Any]) -> Iterator[tuple[int, int]]:
        """Give the lengths of each run of tokens and of the moved segment behind it."""
        length = 0
        for part in parts:
            if isinstance(part, _Segment):
                yield length, len(part.parts) if self._is_miscounting else part.length
                length = 0
            else:
                length += 1
        yield length, 0


def _segments(tokens: Sequence[Token]) -> list[_Segment]:
    found: list[_Segment] = []
    at = 0
    while at < len(tokens):
        if tokens[at].type in _SPACES:
            found.append(_Segment([tokens[at]], is_matchable=False))
            at += 1
            continue
        parts: list[_Segment] = []
        while at < len(tokens) and tokens[at].type != "break":
            if tokens[at].type in _SPACES:
                parts.append(_Segment([tokens[at]], is_matchable=False))
                at += 1
                continue
            start = at
            # What starts a sentence never ends it.
            words = 1
            at += 1
            while at < len(tokens) and tokens[at].type != "break":
                token = tokens[at]
                at += 1
                words += token.type not in _SPACES
                if token.type in _SENTENCE_ENDS and words >= 3:
                    break
            parts.append(_Segment(tokens[start:at], is_matchable=True))
        found.append(_Segment(parts, is_matchable=True))
    return found


def _segments_first(tokens: Sequence[Token]) -> list[_Segment]:
    found: list[_Segment] = []
    at = 0
    while at < len(tokens):
        if _is_space(tokens[at]):
            end = _end_of_spaces(tokens, at)
            found.append(_Segment(tokens[at:end], is_matchable=False))
            at = end
            continue
        parts: list[_Segment] = []
        while at < len(tokens) and not _splits(tokens[at]):
            if _is_space(tokens[at]):
                end = _end_of_spaces(tokens, at)
                parts.append(_Segment(tokens[at:end], is_matchable=False))
            else:
                end = at
                while end < len(tokens) and not _splits(tokens[end]):
                    end += 1
                    if tokens[end - 1][0] in ".?!" and end - at >= 5:
                        break
                parts.append(_Segment(tokens[at:end], is_matchable=True))
            at = end
        found.append(_Segment(parts, is_matchable=True))
    return found


def _is_space(token: Token) -> bool:
    return token[0] in " \t\r\n"


def _end_of_spaces(tokens: Sequence[Token], at: int) -> int:
    while at < len(tokens) and _is_space(tokens[at]):
        at += 1
    return at


def _splits(token: Token) -> bool:
    return _is_space(token) and token.count("\n") >= 2


def _matchable(segments: Sequence[Any]) -> Iterator[_Segment]:
    for segment in segments:
        if isinstance(segment, _Segment):
            if segment.text is not None:
                yield segment
            yield from _matchable(segment.parts)


def _matched(segments: Sequence[Any], known: dict[str, list[_Segment]]) -> Iterator[Any]:
    for segment in segments:
        if not isinstance(segment, _Segment):
            yield segment
        elif segment.text is not None and segment.text in known:
            # All that are equal are matched at once; the next that equals them finds nothing left to do.
            for match in known[segment.text]:
                match.is_matched = True
            known[segment.text] = []
            yield segment
        else:
            yield from _matched(segment.parts, known)


def _expanded(segments: Sequence[Any]) -> Iterator[Any]:
    for segment in segments:
        if not isinstance(segment, _Segment) or segment.is_matched:
            yield segment
        else:
            yield from _expanded(segment.parts)


def _text(part: Any) -> str:
    return str(part)


def _key(part: Any) -> Any:
    return (part.text,) if isinstance(part, _Segment) else str(part)
