"""The events that Lift Wing's models take in place of a revision, and what they name."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from schemas.errors import RequestInvalid

_PAGE_CHANGE: Final = "/mediawiki/page/change/1"
_REVISION_CREATE: Final = ("/mediawiki/revision/create/1", "/mediawiki/revision/create/2")


class EventFields(Struct, frozen=True):
    """What an event names, of whatever type; None where it is missing."""

    wiki_id: Any = None
    page_id: Any = None
    rev_id: Any = None
    domain: Any = None


def event_fields(event: object, value_name: str) -> EventFields:
    """Return what an event names.

    Args:
        event: As the client sent it.
        value_name: What the caller looks for first, as Lift Wing names it where it cannot be found.

    Raises:
        RequestInvalid: It is no object, or of a schema that Lift Wing's models do not take.
    """
    if not isinstance(event, Mapping):
        raise RequestInvalid('Expected "event" to be an object.')
    domain = _inner(event, "meta", "domain")
    schema = str(event.get("$schema"))
    # Old events name no schema; of one that names nothing at all Lift Wing says that its values are missing.
    has_schema = event.get("$schema") is not None
    if schema.startswith(_PAGE_CHANGE) or (not has_schema and "revision" in event):
        return EventFields(
            wiki_id=event.get("wiki_id"),
            page_id=_inner(event, "page", "page_id"),
            rev_id=_inner(event, "revision", "rev_id"),
            domain=domain,
        )
    if schema.startswith(_REVISION_CREATE) or not has_schema:
        return EventFields(event.get("database"), event.get("page_id"), event.get("rev_id"), domain)
    raise RequestInvalid(
        f"Unsupported event of schema {schema[:200]}, the {value_name} value cannot be determined."
    )


def wikipedia_of(fields: EventFields) -> str:
    """Return the Wikipedia that an event is of, by its database name.

    Raises:
        RequestInvalid: It names none.
    """
    wiki_id = fields.wiki_id
    if not isinstance(wiki_id, str) or not wiki_id.endswith("wiki"):
        raise RequestInvalid('Missing "lang" in input data.')
    return wiki_id


def event_id(value: object, name: str) -> int:
    """Return an id that an event names.

    Raises:
        RequestInvalid: It is missing, or no positive whole number below 2**63.
    """
    if value is None:
        raise RequestInvalid(f'Missing "{name}" in input data.')
    return positive_id(value, name)


def positive_id(value: object, name: str) -> int:
    """Return an id.

    Raises:
        RequestInvalid: It is no positive whole number below 2**63.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 63:
        raise RequestInvalid(f'Expected "{name}" to be a int.')
    return value


def _inner(event: Mapping[str, Any], outer: str, name: str) -> Any:
    found = event.get(outer)
    return found.get(name) if isinstance(found, Mapping) else None
