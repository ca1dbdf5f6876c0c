"""What statements of Wikidata's items say, as mwbase reads them and revscoring prints them."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from models.engine import wikibase_form as form
from models.engine.wikibase_mentions import Writing

_PREFIXES: Final = {"item": "Q", "property": "P"}


def value_of(snak: form.AnySnak) -> str:
    """Return what a claim, a qualifier or a part of a reference says, as mwbase's objects are printed."""
    if not isinstance(snak, form.Snak):
        return "None"
    data = snak.datavalue
    return _PRINT[type(data)](data.value)


def references_of(statement: form.Statement) -> Mapping[str, list[form.AnySnak]]:
    """Return the parts of references by property: of several with one property, the last."""
    if len(statement.references) == 1:
        return statement.references[0].snaks
    found: dict[str, list[form.AnySnak]] = {}
    for reference in statement.references:
        found |= reference.snaks
    return found


def write(statement: form.Statement, into: Writing) -> None:
    """Write what mwbase writes of a statement."""
    into.words.append(statement.id)
    into.hashes.append(statement.hash)
    _write(statement.mainsnak, into)
    both: tuple[Mapping[str, Sequence[form.AnySnak]], ...] = (references_of(statement), statement.in_order())
    for parts in both:
        into.names.update(parts)
        for snaks in parts.values():
            for snak in snaks:
                _write(snak, into)


def _write(snak: form.AnySnak, into: Writing) -> None:
    into.names.add(snak.property)
    into.hashes.append(snak.hash)
    if not isinstance(snak, form.Snak):
        return
    data = snak.datavalue
    if isinstance(data, form.OfEntity):
        into.words.append(_entity(data.value))
    elif isinstance(data, form.OfString):
        into.words.append(data.value)
    elif isinstance(data, form.OfTime):
        into.words.append(data.value.calendarmodel)
    elif isinstance(data, form.OfPlace):
        into.words.append(data.value.globe)
    elif isinstance(data, form.OfQuantity):
        into.words.append(data.value.unit)


def _entity(value: form.EntityId) -> str:
    if value.id:
        return value.id
    return _PREFIXES[value.entity_type] + str(value.numeric_id) if value.entity_type in _PREFIXES else "None"


def _place(value: form.Place) -> str:
    return f"{value.latitude} x {value.longitude} x {value.altitude} @ {value.globe}"


def _quantity(value: form.Quantity) -> str:
    if not value.upper_bound:
        return f"{Decimal(value.amount)} {value.unit}"
    upper, lower = Decimal(value.upper_bound), Decimal(value.lower_bound)
    return f"{Decimal(value.amount)} ({upper}-{lower}) {value.unit}"


_PRINT: Final[Mapping[type, Callable[[Any], str]]] = {
    form.OfEntity: _entity,
    form.OfString: repr,
    form.OfTime: lambda value: value.time,
    form.OfPlace: _place,
    form.OfQuantity: _quantity,
    form.OfText: lambda value: "None",
}
