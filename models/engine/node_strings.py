"""mwparserfromhell's nodes as strings, made from tokens without the nodes."""

import re
from collections.abc import Sequence
from itertools import accumulate

from models.engine.node_codes import Token

_FIXED = {
    "{": "{{",
    "s": "|",
    "e": "=",
    "}": "}}",
    "(": "{{{",
    "a": "|",
    ")": "}}}",
    "[": "[[",
    "w": "|",
    "]": "]]",
    "&": "&",
    "#": "#",
    ";": ";",
    "K": "<!--",
    "k": "-->",
}
_PIECE_OF = [_FIXED.get(chr(code), "") for code in range(256)]
_TEXTS = re.compile(rb"t").finditer
_OTHERS = re.compile(rb"[TAEQoScz=\-h<x>]").finditer
_EQUALS, _HYPHEN, _HEX, _ANGLE, _SPACE = b"=-h<x"
_TAG, _ATTRIBUTE, _IS, _QUOTE, _OPENED, _ENDING, _ENDED = b"TAEQocz"
_OF_TAGS = frozenset(b"TAEQoScz")
_OF_ATTRIBUTES = frozenset(b"AEQ")


class Unproven(Exception):
    """The tokens have a form that is not known here; mwparserfromhell's own nodes know."""


class Strings:
    """Strings of whole nodes, cut from the string of the text.

    Args:
        tokens: Sound ones.
        codes: Of the same tokens.

    Raises:
        Unproven: They have a form that is not known here.
    """

    def __init__(self, tokens: Sequence[Token], codes: bytes) -> None:
        parts = pieces(tokens, codes)
        self._text = "".join(parts)
        self._offsets = list(accumulate(map(len, parts), initial=0))
        self._codes = codes

    def between(self, opener: bytes, closers: bytes) -> list[str]:
        """Return every node that opens with one code and closes with one of the others."""
        text, offsets = self._text, self._offsets
        found: list[str] = []
        open_nodes: list[tuple[int, int]] = []
        for match in re.finditer(b"[" + opener + closers + b"]", self._codes):
            if match.group() == opener:
                open_nodes.append((len(found), offsets[match.start()]))
                found.append("")
            else:
                order, start = open_nodes.pop()
                found[order] = text[start : offsets[match.end()]]
        return found


class _OpenTag:
    """A tag whose end is to come.

    Attributes:
        markup: What stands for it in wikitext, ``''``; empty for HTML.
        attribute: The token that began its last attribute.
        suffix: What ends that attribute: its quote, or the space after a name without a value.
    """

    __slots__ = ("attribute", "markup", "suffix")

    def __init__(self, markup: str) -> None:
        self.markup = markup
        self.attribute: Token | None = None
        self.suffix = ""

    def end_of_attribute(self) -> str:
        """Return what ends its last attribute, once."""
        suffix, self.suffix = self.suffix, ""
        return suffix


def pieces(tokens: Sequence[Token], codes: bytes) -> list[str]:
    """Return for every token its part of the string of its node; joined, they are the nodes' string.

    Args:
        tokens: Complete nodes of sound tokens.
        codes: Of the same tokens.

    Raises:
        Unproven: They have a form that is not known here.
    """
    given = list(map(_PIECE_OF.__getitem__, codes))
    for match in _TEXTS(codes):
        position = match.start()
        given[position] = tokens[position]["text"]
    heads: list[str] = []
    links: list[bool] = []
    tags: list[_OpenTag] = []
    for match in _OTHERS(codes):
        position = match.start()
        code, token = codes[position], tokens[position]
        if code in _OF_TAGS:
            given[position] = _tag_piece(code, token, tags, codes[position - 1])
            if code in (_TAG, _ENDING) and tags[-1].markup:
                given[position + 1] = ""
        elif code == _EQUALS:
            heads.append("=" * token["level"])
            given[position] = heads[-1]
        elif code == _HYPHEN:
            given[position] = heads.pop()
        elif code == _HEX:
            given[position] = token["char"]
        elif code == _ANGLE:
            links.append(bool(token["brackets"]))
            given[position] = "[" if links[-1] else ""
        elif code == _SPACE:
            if not links[-1]:
                raise Unproven
            given[position] = "" if token.get("suppress_space") is True else " "
        else:
            given[position] = "]" if links.pop() else ""
    return given


def _tag_piece(code: int, token: Token, tags: list[_OpenTag], code_before: int) -> str:
    if code == _TAG:
        markup = token.get("wiki_markup") or ""
        tags.append(_OpenTag(markup))
        return markup or ("</" if token.get("invalid") else "<")
    tag = tags[-1]
    if code in _OF_ATTRIBUTES:
        return _attribute_piece(code, token, tag, code_before)
    if code == _ENDING:
        markup = token.get("wiki_markup")
        return (tag.markup if markup is None else markup) if tag.markup else "</"
    if code == _ENDED:
        return "" if tags.pop().markup else ">"
    if code == _OPENED:
        last = (token.get("wiki_markup") or "") if tag.markup else ">"
    else:
        last = "" if tag.markup else ">" if token.get("implicit") else "/>"
        tags.pop()
    return tag.end_of_attribute() + (token.get("padding") or "") + last


def _attribute_piece(code: int, token: Token, tag: _OpenTag, code_before: int) -> str:
    if code == _ATTRIBUTE:
        end_before = tag.end_of_attribute()
        tag.attribute = token
        tag.suffix = token.get("pad_before_eq") or ""
        return end_before + (token.get("pad_first") or "")
    if code == _QUOTE:
        tag.suffix = token["char"]
        return tag.suffix
    # An attribute without a name takes its value for its name.
    if tag.attribute is None or code_before == _ATTRIBUTE:
        raise Unproven
    return f"{tag.end_of_attribute()}={tag.attribute.get('pad_after_eq') or ''}"
