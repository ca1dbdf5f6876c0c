"""Definitions of features as plain data: what a model file says of them beyond their names.

A name does not settle what a feature computes: word lists and templates that it looks for have changed
over the years under one name. A published model holds the whole graph beneath each feature, so an
artefact carries it, as a list in which each entry builds on earlier ones:

- ``kind`` is a class of revscoring, ``revscoring.features.feature.add``; ``root`` for what a revision
  fills; ``known`` for a datasource or feature that the installed revscoring defines in the same way under
  the same name; ``refused`` for one that cannot be built, with the reason.
- ``process`` is the function of a feature that has one of its own.
- ``arguments`` are the attributes of the class. Values beyond JSON are objects with one telling key:
  ``set``, ``tuple``, ``dict``, ``regex``, ``name`` (of a function or class), ``method``, ``dictionary``,
  ``stemmer``.

Within a model, revscoring knows a value by the printed name of what computes it. Where two parts of one
model print the same name and differ, the one that is solved first answers for both, and published numbers
rest on that; so a list holds each printed name once.
"""

import ast
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

ROOT = "root"
KNOWN = "known"
REFUSED = "refused"
_NAMED = frozenset({ROOT, KNOWN, REFUSED})
_MARK = re.compile(r"@[0-9a-f]{16}")
_SET = re.compile(r"(?<=\()\{[^{}]*\}(?=[,)])")


class Definition(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One feature or datasource.

    Attributes:
        kind: Class, or ``root``, ``known``, ``refused``.
        name: As revscoring prints it, ``feature.wikitext.revision.chars``.
        returns: ``bool``, ``int``, ``float`` or ``str``; empty for datasources.
        process: Function of its own; None where the class gives it.
        arguments: Attributes of the class.
        on: Positions of earlier definitions, in the order of the arguments of the process.
    """

    kind: str
    name: str
    returns: str = ""
    process: Any = None
    arguments: Mapping[str, Any] = {}
    on: tuple[int, ...] = ()


def fingerprints(definitions: Sequence[Definition]) -> list[str]:
    """Hash each definition with all beneath it, but for the names.

    Equal fingerprints compute equal values. What a known definition rests on is the installed revscoring.

    Returns:
        Hexadecimal digests, in the order of the definitions.
    """
    hashes: list[str] = []
    for definition in definitions:
        content = [
            definition.kind,
            definition.name if definition.kind in _NAMED else "",
            definition.returns,
            definition.process,
            definition.arguments,
            [hashes[position] for position in definition.on],
        ]
        hashes.append(hashlib.sha512(msgspec.json.encode(content, order="sorted")).hexdigest()[:24])
    return hashes


def canonical(name: str) -> str:
    """Return a printed name with its sets in sorted order; Python prints them in random order."""
    return _SET.sub(_sorted_set, name) if "{" in name else name


def printed_name(dependent: Any) -> str:
    """Return the name that revscoring prints, without the marks that keep equal names apart here."""
    return canonical(_MARK.sub("", str(dependent)))


def _sorted_set(match: re.Match[str]) -> str:
    try:
        items = ast.literal_eval(match[0])
    except (ValueError, SyntaxError):
        return match[0]
    if not isinstance(items, set):
        return match[0]
    return printed_set(items)


def printed_set(items: set[Any]) -> str:
    """Return a set as Python prints it, sorted."""
    return "{" + ", ".join(repr(item) for item in sorted(items, key=repr)) + "}"
