"""What tells the statements of Wikidata's items apart, as revscoring and mwbase print it.

It is read from the documents of statements, of which mwbase would make an object for every value first.
Wherever mwbase refuses a document, this does too; the other way round does not matter, for then
revscoring's own code computes the revision.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

_PREFIXES: Final = {"item": "Q", "property": "P"}
_OF_TIME: Final = frozenset({"time", "before", "after", "timezone", "calendarmodel"})
_OF_PLACE: Final = ("latitude", "longitude", "altitude", "globe")


class Told(Struct, frozen=True):
    """What tells a statement from others.

    Attributes:
        value: What is claimed.
        references: By property, each with the property that it names itself.
        qualifiers: By property.
    """

    value: str
    references: Mapping[str, list[tuple[str, str]]]
    qualifiers: Mapping[str, list[str]]


def tell(document: Any) -> Told:
    """Return what tells a statement from others.

    Args:
        document: Of the statement, read from JSON.

    Raises:
        LookupError, TypeError, AttributeError, ArithmeticError: It is not of the form that Wikibase writes.
    """
    references: dict[str, list[tuple[str, str]]] = {}
    for reference in document.get("references", ()):
        for name, snaks in reference["snaks"].items():
            references[name] = [(snak["property"], _text(snak)) for snak in snaks]
    order = document.get("qualifiers-order", ())
    held = document["qualifiers"] if order else {}
    return Told(
        _text(document["mainsnak"]),
        references,
        {name: [_text(snak) for snak in held[name]] for name in order},
    )


def _text(snak: dict[str, Any]) -> str:
    snak["property"], snak["snaktype"]
    value = snak.get("datavalue")
    if value is None:
        return "None"
    of_kind = _KINDS.get(value["type"])
    return "None" if of_kind is None else of_kind(value["value"])


def _entity(value: dict[str, Any]) -> str:
    kind = value["entity-type"]
    value.get("numeric-id")
    if "id" in value:
        return str(value["id"])
    return _PREFIXES[kind] + str(value["numeric-id"]) if kind in _PREFIXES else "None"


def _time(value: dict[str, Any]) -> str:
    if not value.keys() >= _OF_TIME:
        raise KeyError("time")
    return str(value["time"])


def _place(value: dict[str, Any]) -> str:
    value["precision"]
    latitude, longitude, altitude, globe = (str(value[name]) for name in _OF_PLACE)
    return f"{latitude} x {longitude} x {altitude} @ {globe}"


def _quantity(value: dict[str, Any]) -> str:
    amount, unit = Decimal(str(value["amount"])), value["unit"]
    if "upperBound" in value:
        upper, lower = Decimal(str(value["upperBound"])), Decimal(str(value["lowerBound"]))
        return f"{amount} ({upper}-{lower}) {unit}"
    return f"{amount} {unit}"


def _string(value: Any) -> str:
    return repr(str(value))


_KINDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "wikibase-entityid": _entity,
    "time": _time,
    "globecoordinate": _place,
    "quantity": _quantity,
    "string": _string,
}
