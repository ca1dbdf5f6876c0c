"""Regular expressions as JavaScript reads them, on Python's engine.

ChangeProp's rules are JavaScript's regular expressions. Most mean the same to Python; those that do not are
written anew here, and what has no equal is refused rather than understood otherwise.

One difference is left: with the flag ``i``, Python lets ``s`` and ``k`` match the long s and the Kelvin sign.
"""

import re
from typing import Final

from msgspec import Struct

MAX_CHARACTERS: Final = 10_000

_LITERAL: Final = re.compile(r"/(.+)/([gimuy]{0,5})\Z")
_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??")
_NAMED_GROUP: Final = re.compile(r"\(\?<([A-Za-z_]\w*)>", re.ASCII)
_PLAIN_GROUPS: Final = ("(?:", "(?=", "(?!", "(?<=", "(?<!")
_LINE_ENDS: Final = r"\n\r\u2028\u2029"
_SPACES: Final = r"\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_WORDS: Final = "A-Za-z0-9_"
_CLASSES: Final = {"d": "0-9", "w": _WORDS, "s": _SPACES}
_COMPLEMENTS: Final = {
    "D": r"\x00-/:-\U0010ffff",
    "W": r"\x00-/:-@\x5b-\x5e\x60\x7b-\U0010ffff",
    "S": r"\x00-\x08\x0e-\x1f!-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e"
    r"\u2060-\u2fff\u3001-\ufefe\uff00-\U0010ffff",
}
# With the flag u no other character may be escaped without need; the hyphen in a class alone.
_ESCAPABLE: Final = r"^$\.*+?()[]{}|/-"
_CONTROLS: Final = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_WORD_BOUNDARY: Final = rf"(?:(?<![{_WORDS}])(?=[{_WORDS}])|(?<=[{_WORDS}])(?![{_WORDS}]))"
_NO_WORD_BOUNDARY: Final = rf"(?:(?<![{_WORDS}])(?![{_WORDS}])|(?<=[{_WORDS}])(?=[{_WORDS}]))"


class Regex(Struct, frozen=True):
    """A regular expression with its flags.

    Attributes:
        source: As written, ``/^(en|fr)wiki$/i``.
        compiled: The same to Python.
        is_sticky: Whether a match has to begin where the text does (``y``).
        counts_units: Whether a character beyond U+FFFF counts as two (no ``u``).
    """

    source: str
    compiled: re.Pattern[str]
    is_sticky: bool = False
    counts_units: bool = True

    def matches(self, text: str) -> bool:
        """Tell whether the expression is found in a text."""
        if self.counts_units and not text.isascii():
            text = in_units(text)
        found = self.compiled.match(text) if self.is_sticky else self.compiled.search(text)
        return found is not None


def is_regex(text: str) -> bool:
    """Tell whether a text of a rule is a regular expression and not a constant.

    It is one between slashes with flags out of ``gimuy`` behind them. With any other flag it is a constant.
    """
    return _LITERAL.match(text) is not None and not any(end in text for end in "\n\r\u2028\u2029")


def compile_regex(source: str) -> Regex:
    """Return the meaning of ``/expression/flags``.

    Raises:
        ValueError: JavaScript refuses it, or Python's engine has no equal; the message says why.
    """
    literal = _LITERAL.match(source)
    if literal is None:
        raise ValueError(f"{source} is no regular expression between slashes")
    if len(source) > MAX_CHARACTERS:
        raise ValueError(f"the expression is longer than {MAX_CHARACTERS} characters")
    body, flags = literal.groups()
    if len(set(flags)) < len(flags):
        raise ValueError(f"the flags of {source} repeat")
    has_names = _NAMED_GROUP.search(body) is not None
    translated = _Translation(body, is_unicode="u" in flags, is_multiline="m" in flags)
    try:
        compiled = re.compile(translated.run(), re.IGNORECASE if "i" in flags else re.NOFLAG)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{source}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    if has_names and len(compiled.groupindex) < compiled.groups:
        raise ValueError(f"{source} mixes named and unnamed groups: name all or none, or write (?:…)")
    return Regex(source, compiled, is_sticky="y" in flags, counts_units="u" not in flags)


def in_units(text: str) -> str:
    """Return a text in which each character beyond U+FFFF is two: JavaScript's own units."""
    if max(text, default="") <= "\uffff":
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(units[at] | units[at + 1] << 8) for at in range(0, len(units), 2))


class _Translation:
    """One walk over an expression, piece by piece."""

    def __init__(self, body: str, *, is_unicode: bool, is_multiline: bool) -> None:
        self._body = body if is_unicode else in_units(body)
        self._is_unicode = is_unicode
        self._is_multiline = is_multiline
        self._at = 0
        self._out: list[str] = []
        # Of each group that is open: whether it may be repeated.
        self._open: list[bool] = []

    def run(self) -> str:
        """Return the expression for Python.

        Raises:
            ValueError: It has no meaning in JavaScript, or none here.
        """
        can_repeat = False
        while self._at < len(self._body):
            rest = self._body[self._at :]
            quantifier = _QUANTIFIER.match(rest)
            if quantifier is not None:
                if not can_repeat:
                    raise ValueError(f"nothing to repeat at {rest[:12]!r}")
                self._take(quantifier[0])
                can_repeat = False
                continue
            can_repeat = self._piece(rest)
        return "".join(self._out)

    def _piece(self, rest: str) -> bool:
        """Translate one piece; return whether a quantifier may follow."""
        match rest[0]:
            case "(":
                return self._group(rest)
            case "[":
                self._class()
            case "\\":
                return self._escape(rest)
            case "^" | "$":
                return self._edge(rest[0])
            case ".":
                self._take(".", f"[^{_LINE_ENDS}]")
            case ")":
                self._take(")")
                return self._open.pop() if self._open else True
            case "/":
                raise ValueError("a slash inside the expression has to be written \\/")
            case "{" | "}" | "]" if self._is_unicode:
                raise ValueError(f"with the flag u, {rest[0]} has to be written \\{rest[0]}")
            case "|":
                self._take("|")
                return False
            case character:
                self._take(character, re.escape(character))
        return True

    def _edge(self, sign: str) -> bool:
        if sign == "^":
            self._take(sign, rf"(?:\A|(?<=[{_LINE_ENDS}]))" if self._is_multiline else r"\A")
        else:
            self._take(sign, rf"(?:(?=[{_LINE_ENDS}])|\Z)" if self._is_multiline else r"\Z")
        return False

    def _take(self, piece: str, translated: str | None = None) -> None:
        self._at += len(piece)
        self._out.append(piece if translated is None else translated)

    def _group(self, rest: str) -> bool:
        named = _NAMED_GROUP.match(rest)
        if named is not None:
            self._open.append(True)
            self._take(named[0], f"(?P<{named[1]}>")
            return False
        opening = next((one for one in _PLAIN_GROUPS if rest.startswith(one)), "(")
        if opening == "(" and rest.startswith("(?"):
            raise ValueError(f"JavaScript has no group {rest[:4]!r}")
        is_ahead = opening in {"(?=", "(?!"}
        self._open.append(not opening.startswith("(?<") and not (is_ahead and self._is_unicode))
        self._take(opening)
        return False

    def _escape(self, rest: str) -> bool:
        letter = rest[1:2]
        if letter in {"b", "B"}:
            self._take(rest[:2], _WORD_BOUNDARY if letter == "b" else _NO_WORD_BOUNDARY)
            return False
        if letter in _CLASSES:
            self._take(rest[:2], f"[{_CLASSES[letter]}]")
        elif letter.lower() in _CLASSES:
            self._take(rest[:2], f"[^{_CLASSES[letter.lower()]}]")
        elif letter in "123456789" and letter:
            number = re.match(r"\\([0-9]+)", rest)
            assert number is not None  # noqa: S101 - for the type checker: a digit follows
            # A group that took no part matches nothing in Python, and the empty text in JavaScript.
            self._take(number[0], f"(?({number[1]})(?:\\{number[1]})|)")
        else:
            if rest.startswith("\\-") and self._is_unicode:
                raise ValueError("with the flag u, a hyphen is escaped in a class alone")
            self._out.append(re.escape(self._character()))
        return True

    def _character(self) -> str:
        """Take one character, escaped or not, and return what it stands for."""
        rest = self._body[self._at :]
        if rest[0] != "\\":
            self._at += 1
            return rest[0]
        coded = re.match(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|c([A-Za-z]))", rest)
        if coded is None and self._is_unicode:
            coded = re.match(r"\\u\{([0-9a-fA-F]+)\}()()", rest)
        if coded is not None:
            self._at += len(coded[0])
            return chr(int(coded[1] or coded[2], 16) if coded[1] or coded[2] else ord(coded[3]) % 32)
        letter = rest[1:2]
        if letter == "0" and not rest[2:3].isdigit():
            self._at += 2
            return "\0"
        is_unknown = self._is_unicode and letter not in _CONTROLS and letter not in _ESCAPABLE
        if not letter or letter.isdigit() or letter in "ckpP" or is_unknown:
            raise ValueError(f"the escape {rest[:2]!r} is not supported")
        self._at += 2
        return _CONTROLS.get(letter, letter)

    def _class(self) -> None:
        """Translate ``[…]``, with every character written by its number: Python reads more into some."""
        start = self._at
        self._at += 1
        is_negated = self._body.startswith("^", self._at)
        self._at += is_negated
        members: list[str] = []
        while not self._body.startswith("]", self._at):
            if self._at >= len(self._body):
                raise ValueError(f"the class {self._body[start:][:12]!r} is not closed")
            low = self._member()
            if self._body.startswith("-", self._at) and self._body[self._at + 1 : self._at + 2] not in {
                "",
                "]",
            }:
                self._at += 1
                high = self._member()
                if len(low) != 1 or len(high) != 1:
                    if self._is_unicode:
                        raise ValueError("with the flag u, a range in a class is between characters")
                    members += [_coded(low), _coded("-"), _coded(high)]
                elif low > high:
                    raise ValueError("a range in a class is out of order")
                else:
                    members.append(f"{_coded(low)}-{_coded(high)}")
            else:
                members.append(_coded(low))
        self._at += 1
        if members:
            self._out.append(f"[{'^' if is_negated else ''}{''.join(members)}]")
        else:
            self._out.append(r"[\x00-\U0010ffff]" if is_negated else r"(?!)")

    def _member(self) -> str:
        """Take one member of a class; more than one character stands for a set of them."""
        letter = self._body[self._at + 1 : self._at + 2] if self._body[self._at] == "\\" else ""
        if letter in _CLASSES or letter in _COMPLEMENTS:
            self._at += 2
            return _CLASSES.get(letter) or _COMPLEMENTS[letter]
        if letter == "b":
            self._at += 2
            return "\b"
        return self._character()


def _coded(member: str) -> str:
    return member if len(member) > 1 else f"\\U{ord(member):08x}"
