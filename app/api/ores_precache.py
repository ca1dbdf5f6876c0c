"""What ORES's ``precache`` reads: an event of a new revision, and which models rules score it with."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from agents.rules.book import RuleBook, read_event
from app.api.answers import Resources
from app.api.endpoint import read_body
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import RequestInvalid
from schemas.keys import PAGE_CHANGE_TOPIC, REVISION_CREATE_TOPIC

_ID_END = 1 << 63


class Precached(Struct, frozen=True):
    """A revision to score ahead of time.

    Attributes:
        wiki_id: Of the event.
        rev_id: In [0, 2**63).
        models: Those that rules name for the event, by their names on the wiki; empty where none do.
    """

    wiki_id: str
    rev_id: int
    models: Mapping[str, ModelInfo]


async def precached(request: Request, resources: Resources) -> Precached:
    """Read the event that a request posts.

    Raises:
        RequestInvalid: There is none, or it lacks what is needed; in ORES's words.
        BodyTooLarge: It is.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))):
        raise _no_event()
    return precached_event(await read_body(request), resources.catalogue, resources.rules)


def precached_event(value: bytes, catalogue: Catalogue, rules: RuleBook | None) -> Precached:
    """Return the revision of an event, and the models that score it ahead of time.

    Without rules, changes are scored as they come from the stream, and there is nothing to do ahead of them:
    only models that read no content answer.

    Args:
        value: JSON of a ``mediawiki.revision-create`` event.
        catalogue: The models of each wiki.
        rules: Those that the settings name.

    Raises:
        RequestInvalid: It is no event, or lacks what is needed; in ORES's words.
    """
    try:
        event: Any = read_event(value)
    except (ValueError, RecursionError) as error:
        raise _no_event() from error
    if not isinstance(event, dict):
        raise _no_event()
    wiki_id = _field(event, "database", str)
    rev_id = _field(event, "rev_id", int)
    if not 0 <= rev_id < _ID_END:
        raise _lacking("rev_id")
    models = catalogue.models(wiki_id)
    if not models:
        return Precached(wiki_id, rev_id, {})
    stream = _field(_field(event, "meta", dict), "stream", str)
    if rules is not None:
        return Precached(wiki_id, rev_id, rules.plan(value, PAGE_CHANGE_TOPIC, wiki_id).models)
    if stream != REVISION_CREATE_TOPIC:
        return Precached(wiki_id, rev_id, {})
    light = {name: info for name, info in sorted(models.items()) if not info.reads_content}
    return Precached(wiki_id, rev_id, light)


def _field(mapping: Mapping[str, Any], name: str, kind: type) -> Any:
    value = mapping.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _lacking(name)
    return value


def _lacking(name: str) -> RequestInvalid:
    return RequestInvalid(f"Must provide the '{name}' parameter")


def _no_event() -> RequestInvalid:
    return RequestInvalid("Must provide a POST'ed json as an event")
