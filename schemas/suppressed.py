"""How events name a page: without its title where that may be what is suppressed."""

from typing import Any, Final

import orjson

from schemas.page_change import PageChange

SUPPRESSED_TITLE: Final = "<suppressed>"
"""Stands where a schema asks for a title and none may be told. No page can bear it: MediaWiki allows no ``<``
in titles."""

_TITLE: Final = SUPPRESSED_TITLE.encode()
_SCHEMAS: Final = (
    "/mediawiki/page/prediction_classification_change/",
    "/mediawiki/cirrussearch/page_weighted_tags_change/",
)


def page_of(change: PageChange) -> dict[str, Any]:
    """Return the page as events about it name it: without its title where the change is a suppression."""
    page = change.page
    title = SUPPRESSED_TITLE if change.is_suppression else page.page_title
    return {"page_id": page.page_id, "page_title": title}


def is_suppression_notice(value: bytes) -> bool:
    """Tell whether a record's value is an event of ours that says that something is suppressed.

    Such an event tells nothing of what it was. One that tells more is none, whatever its title: whoever
    writes events by hand may call a page so.
    """
    if _TITLE not in value:
        return False
    try:
        told = orjson.loads(value)
        is_ours = told["$schema"].startswith(_SCHEMAS) and told["page"]["page_title"] == SUPPRESSED_TITLE
        tags = told.get("weighted_tags")
        withdraws = told.get("changelog_kind") == "delete" if tags is None else "set" not in tags
        is_bare = not {"performer", "comment", "prior_state"} & told.keys() and "uri" not in told["meta"]
    except (ValueError, TypeError, LookupError, AttributeError):
        return False
    return bool(is_ours and withdraws and is_bare)
