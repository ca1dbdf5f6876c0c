"""What statements of items say, as pywikibase reads them and our stand-ins for former releases print it."""

import functools
import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import UNSET, to_builtins

from models.engine import wikibase_form as form
from models.engine.wikibase_mentions import Writing
from models.features import former_wikibase

_OBJECTS: Final = (form.OfPlace, form.OfTime, form.OfQuantity)


def check(read: form.Form) -> None:
    """Refuse an item of which pywikibase asks for more than for the form.

    Raises:
        ValueError: It does.
    """
    if read.title and not read.id:
        raise ValueError("the item has a title and no id")
    for held in read.claims.values() if read.claims else ():
        for statement in held:
            for reference in statement.references:
                snaks, order = reference.snaks, reference.snaks_order
                if order is UNSET:
                    if len(snaks) > 1:
                        raise ValueError("the parts of a reference have no order")
                elif order != list(snaks) and not snaks.keys() >= set(order):
                    raise ValueError("a reference lacks a part of its order")


def compared(snak: form.AnySnak) -> Any:
    """Return a value as revscoring's lists compare it with text: the id of an item, text, or nothing.

    Raises:
        TypeError: pywikibase compares it in its own way.
    """
    if not isinstance(snak, form.Snak):
        return None
    data = snak.datavalue
    if isinstance(data, form.OfEntity):
        return f"Q{data.value.numeric_id}"
    if isinstance(data, _OBJECTS):
        raise TypeError(f"{snak.property} of the item has a time, a quantity or a place")
    return data.value


def value_of(snak: form.AnySnak) -> str:
    """Return a value as it is printed."""
    if isinstance(snak, form.Snak):
        data = snak.datavalue
        if isinstance(data, form.OfTime):
            return _time(data.value.time)
        if isinstance(data, _OBJECTS):
            return former_wikibase._told(claim_of(snak))
    return str(compared(snak))


def simple_of(parts: Iterable[form.AnySnak]) -> set[tuple[str, Any]]:
    """Return parts of references as they are told apart: property and value, each pair once.

    Raises:
        TypeError: A value is of a kind that cannot be.
    """
    found: set[tuple[str, Any]] = set()
    # As they are written: most parts tell when something was looked up, and many on one day.
    times: set[tuple[str, str]] = set()
    for part in parts:
        name = part.property.upper()
        if not isinstance(part, form.Snak):
            found.add((name, None))
            continue
        data = part.datavalue
        if isinstance(data, form.OfEntity):
            found.add((name, f"Q{data.value.numeric_id}"))
        elif isinstance(data, form.OfString):
            found.add((name, data.value))
        elif isinstance(data, form.OfTime):
            times.add((name, data.value.time))
        elif isinstance(data, form.OfText):
            found.add((name, former_wikibase._simple(data.value)))
        else:
            found.add((name, former_wikibase._simple(claim_of(part).target)))
    found.update((name, _time(time)) for name, time in times)
    return found


def _time(text: str) -> str:
    """Return a point in time as pywikibase writes it: nothing but its text matters there."""
    return str(_pywikibase().WbTime.fromTimestr(text).toTimestr())


def parts_of(statement: form.Statement) -> Iterator[form.AnySnak]:
    """Yield the parts of the references of a statement."""
    for reference in statement.references:
        yield from reference.in_order()


def claim_of(snak: form.AnySnak) -> Any:
    """Return pywikibase's object of a snak."""
    return _pywikibase().Claim.fromJSON({"mainsnak": to_builtins(snak)})


def write(statement: form.Statement, into: Writing) -> None:
    """Write what pywikibase writes of a statement."""
    into.words.append(statement.id)
    _write(statement.mainsnak, into)
    for name, snaks in statement.in_order().items():
        into.names.add(name)
        for snak in snaks:
            into.hashes.append(snak.hash)
            _write(snak, into)
    for reference in statement.references:
        into.hashes.append(reference.hash)
    for snak in parts_of(statement):
        _write(snak, into)


def _write(snak: form.AnySnak, into: Writing) -> None:
    into.names.add(snak.property)
    if not isinstance(snak, form.Snak):
        return
    data = snak.datavalue
    if isinstance(data, form.OfString | form.OfText):
        into.words.append(data.value)
    elif isinstance(data, form.OfTime):
        into.words.append(data.value.calendarmodel)
    elif isinstance(data, form.OfPlace):
        into.words.append(data.value.globe)
    elif isinstance(data, form.OfQuantity):
        into.words.append(data.value.unit)


@functools.cache
def _pywikibase() -> Any:
    return importlib.import_module("pywikibase")
