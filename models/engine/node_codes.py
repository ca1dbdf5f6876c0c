"""The tokens of mwparserfromhell as one byte each, on which whole texts are searched at once.

mwparserfromhell's tree has one node for every token that opens one, in the same order, where its builder
neither gives up nor leaves nodes out. ``are_sound`` proves that for one text: it takes away complete nodes
without children until nothing is left.
"""

import functools
import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import Any, Final

from models.native import native

Token = Any
"""A token of mwparserfromhell: a dict with a class of its own."""

TEXT: Final = ord("t")
_CODES: Final[Mapping[str, str]] = {
    "Text": "t",
    "TemplateOpen": "{",
    "TemplateParamSeparator": "s",
    "TemplateParamEquals": "e",
    "TemplateClose": "}",
    "ArgumentOpen": "(",
    "ArgumentSeparator": "a",
    "ArgumentClose": ")",
    "WikilinkOpen": "[",
    "WikilinkSeparator": "w",
    "WikilinkClose": "]",
    "ExternalLinkOpen": "<",
    "ExternalLinkSeparator": "x",
    "ExternalLinkClose": ">",
    "HTMLEntityStart": "&",
    "HTMLEntityNumeric": "#",
    "HTMLEntityHex": "h",
    "HTMLEntityEnd": ";",
    "HeadingStart": "=",
    "HeadingEnd": "-",
    "CommentStart": "K",
    "CommentEnd": "k",
    "TagOpenOpen": "T",
    "TagAttrStart": "A",
    "TagAttrEquals": "E",
    "TagAttrQuote": "Q",
    "TagCloseOpen": "o",
    "TagCloseSelfclose": "S",
    "TagOpenClose": "c",
    "TagCloseClose": "z",
}
OPENERS: Final[Mapping[str, bytes]] = {
    "Heading": b"=",
    "Wikilink": b"[",
    "ExternalLink": b"<",
    "Template": b"{",
    "Tag": b"T",
    "Argument": b"(",
    "Comment": b"K",
    "HTMLEntity": b"&",
}
OPENING: Final = frozenset(b"{([<&=KT")
CLOSING: Final = frozenset(b"})]>;-kSz")

# What holds no nodes, once its few forms are proven, and text.
_CHILDLESS: Final = b"t&#h;Kk"
_COMPLETE: Final = re.compile(
    rb"\{(?:se?)*+\}|\(a?\)|\[w?\]|<x?>|=-|T(?:A(?:EQ?)?)*+(?:S|ocz)",
)
_UNQUOTED: Final = re.compile(rb"E(?![QAoS])")
_ENDS_OF_ATTRIBUTE: Final = frozenset(b"AoS")
_SELECTORS: Final = {
    letter: bytes(int(code in letter) for code in range(256)) for letter in (b"A", b"oS", b"=", b"Q")
}


def tokenized(text: str) -> tuple[list[Token], bytes]:
    """Return the tokens of a text and their codes.

    Raises:
        KeyError: The parser gave a kind of token that is not known here.
        mwparserfromhell.parser.ParserError: The parser failed.
    """
    tokenizer, code_of = _parser()
    tokens = tokenizer().tokenize(text, 0, False)
    return tokens, token_codes(tokens, code_of) if native is None else native.token_codes(tokens, code_of)


def token_codes(tokens: list[Token], code_of: Mapping[type, int]) -> bytes:
    """Return the codes of tokens.

    Raises:
        KeyError: The type of one has none.
    """
    return bytes(map(code_of.__getitem__, map(type, tokens)))


def are_sound(tokens: list[Token], codes: bytes) -> bool:
    """Tell whether mwparserfromhell's builder is known to make a node of every token that opens one."""
    return are_sound_tokens(tokens, codes) if native is None else native.tokens_are_sound(tokens, codes)


def are_sound_tokens(tokens: list[Token], codes: bytes) -> bool:
    """Tell what ``are_sound`` tells."""
    return _forms_are_known(codes) and _nests(codes) and _values_are_legal(tokens, codes)


def end_of_child(codes: bytes, start: int) -> int:
    """Return where the nodes end that begin at ``start``: at a separator, or where their parent closes."""
    depth = 0
    for position in range(start, len(codes)):
        code = codes[position]
        if code in OPENING:
            depth += 1
        elif not depth and code != TEXT:
            return position
        elif code in CLOSING:
            depth -= 1
    return len(codes)


@functools.cache
def _parser() -> tuple[Any, dict[type, int]]:
    parser = importlib.import_module("mwparserfromhell.parser")
    tokens = importlib.import_module("mwparserfromhell.parser.tokens")
    tokenizer = (
        parser.CTokenizer
        if parser.use_c
        else importlib.import_module("mwparserfromhell.parser.tokenizer").Tokenizer
    )
    return tokenizer, {getattr(tokens, name): ord(code) for name, code in _CODES.items()}


def _forms_are_known(codes: bytes) -> bool:
    count = codes.count
    return (
        count(b"TtA") + count(b"Tto") + count(b"TtS") == count(b"T")
        and count(b"ctz") == count(b"c")
        and count(b"EQ") == count(b"Q")
        and count(b"Ktk") + count(b"Kk") == count(b"K") == count(b"k")
        and count(b"&t;") + count(b"&#t;") + count(b"&#ht;") == count(b"&") == count(b";")
        and count(b"&#") == count(b"#")
        and count(b"&#h") == count(b"h")
    )


def _nests(codes: bytes) -> bool:
    rest = codes.translate(None, _CHILDLESS)
    while rest:
        shorter = _COMPLETE.sub(b"", rest)
        if len(shorter) == len(rest):
            return False
        rest = shorter
    return True


def _values_are_legal(tokens: Sequence[Token], codes: bytes) -> bool:
    """Tell whether the nodes take these values: they raise ValueError for others."""
    pads = [pad for token in _of(b"A", tokens, codes) for pad in token.values() if pad]
    pads += [pad for token in _of(b"oS", tokens, codes) if (pad := token.get("padding"))]
    return (
        (not pads or "".join(pads).isspace())
        and all(1 <= token["level"] <= 6 for token in _of(b"=", tokens, codes))
        and all(token["char"] in {"'", '"'} for token in _of(b"Q", tokens, codes))
        and not any(map(_has_space, _unquoted_values(tokens, codes)))
    )


def _of(letters: bytes, tokens: Sequence[Token], codes: bytes) -> Iterable[Token]:
    return compress(tokens, codes.translate(_SELECTORS[letters]))


def _unquoted_values(tokens: Sequence[Token], codes: bytes) -> Iterable[str]:
    for match in _UNQUOTED.finditer(codes):
        start = match.end()
        if codes[start] == TEXT and codes[start + 1] in _ENDS_OF_ATTRIBUTE:
            yield tokens[start]["text"]
        else:
            depth = 0
            for position in range(start, end_of_child(codes, start)):
                code = codes[position]
                depth += (code in OPENING) - (code in CLOSING)
                if not depth and code == TEXT:
                    yield tokens[position]["text"]


def _has_space(value: str) -> bool:
    return value.split(None, 1) != [value]
