"""What a reader sees of a text, as mwparserfromhell's ``strip_code()`` gives it, made from tokens."""

import functools
import importlib
import re
from collections.abc import Collection, Sequence
from html.entities import name2codepoint

from models.engine.node_codes import TEXT, Token
from models.engine.node_strings import Unproven

_BRACES = re.compile(rb"[{}]")
_TEMPLATE, _COMMENT, _ENTITY, _TAG, _LINK, _ENDING = b"{K&T<c"
_ALWAYS_SHOWN = frozenset(b"[=")
_OPENING = frozenset(b"([<=T")
_RESTARTING = frozenset(b"awxo")
_CLOSING = frozenset(b")]>-Sc")


def content_of(tokens: Sequence[Token], codes: bytes) -> str:
    """Return the text of sound tokens without templates and markup.

    Raises:
        Unproven: An entity stands for no character.
    """
    return collapsed([shown_of(tokens, codes)])


def shown_of(tokens: Sequence[Token], codes: bytes) -> str:
    """Return what is to be collapsed to the text of sound tokens without templates and markup.

    Every node with text in it has a frame of parts. What comes before a separator goes when the separator
    comes: only the last part of a link, the contents of a tag and the default of an argument are seen.

    Raises:
        Unproven: An entity stands for no character.
    """
    hidden_tags = _hidden_tags()
    parts: list[str] = []
    outer: list[tuple[list[str], bool, bool]] = []
    shown = shown_after = True
    position, stop = 0, len(codes)
    while position < stop:
        code = codes[position]
        if code == TEXT:
            parts.append(tokens[position]["text"])
        elif code == _TEMPLATE:
            position = _behind_template(codes, position)
            continue
        elif code in _CLOSING:
            inner = parts if shown else []
            parts, shown, shown_after = outer.pop()
            if inner and (stripped := collapsed(inner)):
                parts.append(stripped)
            if code == _ENDING:
                position = codes.index(b"z", position)
        elif code in _OPENING:
            outer.append((parts, shown, shown_after))
            parts = []
            shown = code in _ALWAYS_SHOWN or (code == _LINK and not tokens[position]["brackets"])
            shown_after = code != _TAG or tokens[position + 1]["text"].lower() not in hidden_tags
        elif code in _RESTARTING:
            parts = []
            shown = shown_after
        elif code == _COMMENT:
            position = codes.index(b"k", position)
        elif code == _ENTITY:
            start, position = position + 1, codes.index(b";", position)
            parts.append(_character(tokens[position - 1]["text"], codes[start : position - 1]))
        position += 1
    return "".join(parts)


@functools.cache
def _hidden_tags() -> Collection[str]:
    return frozenset(importlib.import_module("mwparserfromhell.definitions").INVISIBLE_TAGS)


def _behind_template(codes: bytes, start: int) -> int:
    depth = 0
    for match in _BRACES.finditer(codes, start):
        depth += 1 if match.group() == b"{" else -1
        if not depth:
            return match.end()
    raise Unproven


def _character(value: str, form: bytes) -> str:
    try:
        if form == b"":
            return chr(name2codepoint[value])
        return chr(int(value, 16 if form == b"#h" else 10))
    except (KeyError, ValueError, OverflowError) as error:
        raise Unproven from error


def collapsed(parts: Sequence[str]) -> str:
    """Join what is seen, without newlines at its ends and with at most two of them together."""
    text = "".join(parts).strip("\n")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text
