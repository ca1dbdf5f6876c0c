"""What tells the statements of items apart, as pywikibase and our stand-ins for former releases print it.

It is read from the documents of statements; only times, quantities and places are made objects first.
Wherever pywikibase refuses a document, this does too.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from models.features import former_wikibase

_ITEM: Final = "wikibase-item"
_OBJECTS: Final = frozenset({"globe-coordinate", "time", "quantity"})
# Kinds of values, where the statement does not name its kind itself.
_KINDS: Final = {"wikibase-entityid": _ITEM, "globecoordinate": "globe-coordinate"}


class Part(Struct, frozen=True):
    """A value, of a statement or of one of its references.

    Attributes:
        property: That has the value.
        text: The value as it is printed.
        simple: The value as it is compared: the id of an item, text, or nothing.
        is_item: Whether the value is an item.
        is_plain: Whether it is none of the objects of pywikibase but an item.
    """

    property: str
    text: str
    simple: Any
    is_item: bool = False
    is_plain: bool = True

    def as_simple(self) -> Any:
        """Return the value as references are told apart.

        Raises:
            TypeError: The value is of a kind that cannot be.
        """
        return self.simple if self.is_item else former_wikibase._simple(self.simple)


class Told(Struct, frozen=True):
    """What tells a statement from others.

    Attributes:
        value: What is claimed.
        sources: Number of references.
        parts: Of all references.
        qualifiers: Properties that qualify the claim.
    """

    value: Part
    sources: int
    parts: list[Part]
    qualifiers: list[str]


class Teller:
    """Tells statements apart.

    Args:
        statement: Makes pywikibase's object of a document.
    """

    def __init__(self, statement: Callable[[Any], Any]) -> None:
        self._statement = statement

    def __call__(self, document: Any) -> Told:
        """Return what tells a statement from others.

        Args:
            document: Of the statement, read from JSON.

        Raises:
            LookupError, TypeError, ValueError, AttributeError: It is not of the form that Wikibase writes.
        """
        value = self._part(document["mainsnak"])
        sources = document.get("references", [])
        parts = [part for reference in sources for part in self._parts(reference)]
        order = document["qualifiers-order"] if "qualifiers" in document else []
        for name in order:
            for qualifier in document["qualifiers"][name]:
                qualifier["hash"]
                self._part(qualifier)
        return Told(value, len(sources), parts, list(dict.fromkeys(order)))

    def _parts(self, reference: dict[str, Any]) -> Iterator[Part]:
        snaks = reference["snaks"]
        found: dict[str, list[Part]] = {}
        for name in reference["snaks-order"] if "snaks-order" in reference else snaks.keys():
            for snak in snaks[name]:
                reference["hash"]
                part = self._part(snak)
                found.setdefault(part.property, []).append(part)
        for held in found.values():
            yield from held

    def _part(self, snak: dict[str, Any]) -> Part:
        name = snak["property"].upper()
        held = snak.get("datavalue", {})
        kind = snak.get("datatype") or held.get("type")
        if "datatype" not in snak:
            kind = _KINDS.get(kind, kind)
        if snak["snaktype"] != "value":
            return Part(name, "None", None)
        value = snak["datavalue"]["value"]
        if not kind:
            raise ValueError("a value is of no kind")
        if kind == _ITEM:
            number = value["numeric-id"]
            if type(number) is not int or number <= 0:
                raise ValueError(f"{number!r} is the number of no item")
            id_ = f"Q{number}"
            return Part(name, id_, id_, is_item=True)
        if kind in _OBJECTS:
            made = self._statement({"mainsnak": snak})
            return Part(name, former_wikibase._told(made), made.target, is_plain=False)
        return Part(name, str(value), value)
