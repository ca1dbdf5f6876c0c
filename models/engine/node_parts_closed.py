"""Whether what follows a text can change how mwparserfromhell reads it.

Tokens of a text that ends with a line are *closed* when the tokenizer, on its way to them, met the end of the
text at the outermost level alone. Then the tokens of this text with any other behind it are the tokens of
the one and those of the other.

The tokenizer is not asked where it met the end, but its tokens tell. Within a node it meets the end only
where something opened and was not closed; it then goes back and takes what opened it for text, closes a tag
that needs no end, takes a quote for part of a value, or takes other apostrophes. What opens a node is tried
in the same way wherever it is met, so that no trace of this in the tokens means that it did not happen on
the way either, but for three things: apostrophes open and close alike, so all are counted; headings are not
made within headings, so none may be within a node; and nodes too deep are not made at all. The slower
tokenizer in Python can be watched instead, but does not read every tag as the other does.
"""

import functools
import importlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from models.engine.node_codes import CLOSING, OPENING, TEXT, Token

# The tokenizer refuses to go deeper than a hundred levels, of which a node takes up to three.
_MOST_DEPTH: Final = 25
_APOSTROPHES: Final = re.compile("''+")
_HEADINGS: Final = re.compile("^=", re.MULTILINE)
_COMMENTS: Final = re.compile(b"Ktk")
_UNPARSED: Final = re.compile(rb"Tt(?:At(?:EQ?t)?)*+o([t&#h;]*+)c")
_UNQUOTED: Final = re.compile(rb"Et")
_TAG: Final = re.compile(rb"T")
_FORBIDDEN: Final = re.compile(rb"\(|\{\{|\[\[")
_SEPARATOR: Final = "\0"


def are_closed(text: str, tokens: Sequence[Token], codes: bytes) -> bool:
    """Tell whether the tokens of a text are known to stay the same, whatever follows.

    Args:
        text: Ends with a line.
        tokens: Of the text; sound ones.
        codes: Of the same tokens.
    """
    if not text.endswith("\n") or "\0" in text:
        return False
    if codes == b"t":
        # Nothing was recognised: what could have been is text.
        return not (_HEADINGS.search(text) or _APOSTROPHES.search(text) or _residue().search(text))
    if _FORBIDDEN.search(codes) or _linked().search(text) or not _is_shallow(codes):
        return False
    hidden = _hidden(tokens, codes)
    if not _tags_are_closed(tokens, codes) or not _apostrophes_are_paired(text, tokens, codes, hidden):
        return False
    headings = sum(1 for _ in _HEADINGS.finditer(text))
    if headings and headings != codes.count(b"="):
        return False
    shown = _SEPARATOR.join(
        [
            token["text"]
            for place, (code, token) in enumerate(zip(codes, tokens, strict=True))
            if code == TEXT and place not in hidden
        ]
    )
    return _residue().search(shown) is None


@functools.cache
def _residue() -> re.Pattern[str]:
    """Return what finds, in text between separators, all that opens a node."""
    return re.compile(rf"\{{[{{|]|''|<|\[\[|\[(?:{_schemes()})|[\[{{](?:\0|\Z)", re.IGNORECASE | re.ASCII)


@functools.cache
def _linked() -> re.Pattern[str]:
    """Return what finds two brackets that are tried as a link to another site."""
    return re.compile(rf"\[\[(?:{_schemes()})", re.IGNORECASE | re.ASCII)


def _schemes() -> str:
    schemes = _definitions().URI_SCHEMES
    with_slashes = "|".join(map(re.escape, schemes))
    alone = "|".join(re.escape(scheme) for scheme, needs_slashes in schemes.items() if not needs_slashes)
    return f"//|(?:{with_slashes})://|(?:{alone}):"


@functools.cache
def _names() -> tuple[frozenset[str], frozenset[str]]:
    """Return the tags that are closed at the end of a text, and those within which nothing is parsed."""
    known = _definitions()
    return frozenset(known.SINGLE) - frozenset(known.SINGLE_ONLY), frozenset(known.PARSER_BLACKLIST)


def _definitions() -> Any:
    return importlib.import_module("mwparserfromhell.definitions")


def _is_shallow(codes: bytes) -> bool:
    """Tell whether nodes are not too deep, and headings in no other node."""
    depth = 0
    for code in codes:
        if code in OPENING:
            if code == ord("=") and depth:
                return False
            depth += 1
            if depth > _MOST_DEPTH:
                return False
        elif code in CLOSING:
            depth -= 1
    return depth == 0


def _hidden(tokens: Sequence[Token], codes: bytes) -> frozenset[int]:
    """Return the places of texts within comments and tags whose contents are not parsed."""
    places = {match.start() + 1 for match in _COMMENTS.finditer(codes)}
    unparsed = _names()[1]
    for match in _UNPARSED.finditer(codes):
        tag = match.start()
        if not tokens[tag].get("wiki_markup") and tokens[tag + 1]["text"].lower() in unparsed:
            places.update(place for place in range(*match.span(1)) if codes[place] == TEXT)
    return frozenset(places)


def _tags_are_closed(tokens: Sequence[Token], codes: bytes) -> bool:
    optional = _names()[0]
    for match in _TAG.finditer(codes):
        place = match.start()
        if not tokens[place].get("wiki_markup") and tokens[place + 1]["text"].strip().lower() in optional:
            return False
    return not any(tokens[match.end() - 1]["text"][:1] in {"'", '"'} for match in _UNQUOTED.finditer(codes))


def _apostrophes_are_paired(text: str, tokens: Sequence[Token], codes: bytes, hidden: frozenset[int]) -> bool:
    """Tell whether all apostrophes that stand together make text bold or italic."""
    if "''" not in text:
        return True
    runs = list(map(len, _APOSTROPHES.findall(text)))
    in_hidden = [len(run) for place in hidden for run in _APOSTROPHES.findall(tokens[place]["text"])]
    counts = Counter(runs)
    counts.subtract(in_hidden)
    styles = Counter(tokens[match.start()].get("wiki_markup") for match in _TAG.finditer(codes))
    both = counts[5]
    if both and (in_hidden or runs[::2] != runs[1::2]):
        return False
    return (
        sum(counts.values()) == counts[2] + counts[3] + both
        and counts[2] + both == 2 * styles["''"]
        and counts[3] + both == 2 * styles["'''"]
    )
