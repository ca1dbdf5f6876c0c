"""The form in which Wikibase writes an item, as types: what is read by them can be read by the libraries too.

What these types take, ``json``, mwbase and pywikibase take as well, and find the same in it; whatever these
libraries refuse, or read in a way of their own, is of another form. So what is asked of an item can be
computed when somebody asks, and nothing can go wrong any more. Fields that are not named here are read by
neither library.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

_DIGITS: Final = 2_150
"""Half of the longest whole number that Python reads: a longer one fills a part of a text of this length."""

# PHP writes an empty mapping as an empty list.
Empty = tuple[()]
# Exports name the datatypes of properties, which pywikibase would obey; no revision does.
_Never = Annotated[str, Meta(min_length=1, max_length=0)]
_Number = int | float
# A field that is missing is the empty word, which is refused where it is written.
_Word = Annotated[str, Meta(min_length=1)]
_Amount = Annotated[str, Meta(pattern=r"\A[+-]?[0-9]{1,500}(\.[0-9]{1,500})?\Z")]
_Time = Annotated[
    str, Meta(pattern=r"\A[+-]?[0-9]{1,20}-[0-9]{1,4}-[0-9]{1,4}T[0-9]{1,4}:[0-9]{1,4}:[0-9]{1,4}Z\Z")
]


class EntityId(Struct, gc=False, omit_defaults=True, rename="kebab"):
    """Names an entity, in older items by its number alone."""

    entity_type: Literal["item", "property", "lexeme"]
    numeric_id: Annotated[int, Meta(gt=0)]
    id: _Word = ""


class Time(Struct, gc=False):
    """A point in time."""

    time: _Time
    precision: Annotated[int, Meta(ge=0, le=14)]
    before: int
    after: int
    timezone: int
    calendarmodel: str


class Place(Struct, gc=False):
    """Coordinates."""

    latitude: _Number
    longitude: _Number
    altitude: _Number | None
    precision: _Number | None
    globe: Annotated[str, Meta(min_length=1)]


class Quantity(Struct, gc=False, omit_defaults=True, rename="camel"):
    """An amount."""

    amount: _Amount
    unit: str
    upper_bound: _Amount = ""
    lower_bound: _Amount = ""

    def __post_init__(self) -> None:
        """Refuse an upper bound without a lower one."""
        if self.upper_bound and not self.lower_bound:
            raise ValueError("a quantity has an upper bound alone")


class OfEntity(Struct, gc=False, tag="wikibase-entityid"):
    """A value that is an entity."""

    value: EntityId


class OfTime(Struct, gc=False, tag="time"):
    """A value that is a point in time."""

    value: Time


class OfPlace(Struct, gc=False, tag="globecoordinate"):
    """A value that is a place."""

    value: Place


class OfQuantity(Struct, gc=False, tag="quantity"):
    """A value that is an amount."""

    value: Quantity


class OfString(Struct, gc=False, tag="string"):
    """A value that is a string."""

    value: str


class OfText(Struct, tag="monolingualtext"):
    """A value that is text in a language."""

    value: dict[str, Any]


Value = OfEntity | OfString | OfTime | OfQuantity | OfPlace | OfText


class Snak(Struct, gc=False, omit_defaults=True, tag_field="snaktype", tag="value"):
    """A property with a value."""

    property: str
    datavalue: Value
    datatype: _Never | UnsetType = UNSET
    hash: _Word = ""


class Unknown(
    Struct, gc=False, omit_defaults=True, tag_field="snaktype", tag="somevalue", forbid_unknown_fields=True
):
    """A property with a value that nobody knows."""

    property: str
    datatype: _Never | UnsetType = UNSET
    hash: _Word = ""


class Nothing(
    Struct, gc=False, omit_defaults=True, tag_field="snaktype", tag="novalue", forbid_unknown_fields=True
):
    """A property without a value."""

    property: str
    datatype: _Never | UnsetType = UNSET
    hash: _Word = ""


class Qualifier(Snak, gc=False, omit_defaults=True, kw_only=True, tag="value"):
    """A value that qualifies a claim; pywikibase reads none without a hash."""

    hash: _Word


class UnknownQualifier(Unknown, gc=False, omit_defaults=True, kw_only=True, tag="somevalue"):
    """The same, unknown."""

    hash: _Word


class NoQualifier(Nothing, gc=False, omit_defaults=True, kw_only=True, tag="novalue"):
    """The same, of no value."""

    hash: _Word


AnySnak = Snak | Unknown | Nothing


class Reference(Struct, gc=False, rename="kebab"):
    """What backs a claim."""

    hash: str
    snaks: dict[str, list[AnySnak]]
    snaks_order: list[str] | UnsetType = UNSET

    def in_order(self) -> Iterable[AnySnak]:
        """Return what the order names, or all without one."""
        order = self.snaks_order
        return (snak for name in (self.snaks if order is UNSET else order) for snak in self.snaks[name])


class Statement(Struct, gc=False, omit_defaults=True, rename="kebab"):
    """A claim with what qualifies and backs it."""

    mainsnak: AnySnak
    id: _Word = ""
    hash: _Word = ""
    rank: Literal["normal", "preferred", "deprecated"] | UnsetType = UNSET
    references: list[Reference] = []
    qualifiers: dict[str, list[Qualifier | UnknownQualifier | NoQualifier]] | UnsetType = UNSET
    qualifiers_order: list[str] | UnsetType = UNSET

    def in_order(self) -> Mapping[str, Sequence[AnySnak]]:
        """Return the qualifiers that the order names."""
        held, order = self.qualifiers, self.qualifiers_order
        return {} if held is UNSET or order is UNSET else {name: held[name] for name in order}


class Term(Struct, gc=False):
    """A text of the item in a language."""

    value: str
    removed: msgspec.Raw | UnsetType = UNSET


class Sitelink(Struct, gc=False):
    """A page about the item."""

    title: str
    badges: list[str]


class Form(Struct):
    """An item.

    Attributes:
        id: Of the item.
        title: In exports of old.
    """

    id: _Word = ""
    title: _Word = ""
    labels: dict[str, Term] | Empty = ()
    descriptions: dict[str, Term] | Empty = ()
    aliases: dict[str, list[Term]] | Empty = ()
    claims: dict[str, list[Statement]] | Empty = ()
    sitelinks: dict[str, Sitelink] | Empty = ()


_FORM: Final = msgspec.json.Decoder(Form)


def read_form(text: str) -> Form:
    """Read an item.

    Raises:
        msgspec.DecodeError, UnicodeError, ValueError: It is no JSON, or of another form.
    """
    if any(text[place : place + _DIGITS].isdigit() for place in range(0, len(text), _DIGITS)):
        raise ValueError("a number of the item is too long for Python")
    form = _FORM.decode(text)
    for statements in form.claims.values() if form.claims else ():
        for statement in statements:
            held, order = statement.qualifiers, statement.qualifiers_order
            if held is UNSET or order is UNSET:
                if held is not order:
                    raise ValueError("qualifiers have no order, or an order has no qualifiers")
            elif not held.keys() >= set(order):
                raise ValueError("a statement lacks a qualifier of its order")
    return form
