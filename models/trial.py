"""A revision that nobody wrote, to try out what a model reads before it is asked."""

import json
from datetime import UTC, datetime

from schemas.revision import Revision, RevisionUser

# Words of no dictionary and no word list, so that looking them up reaches every one of them.
_WIKITEXT = ("Qzxwvk [[jxqzpv]] wkzqxj.", "Qzxwvk vqjzkx.")


def trial_revision(content_model: str) -> Revision:
    """Return a revision with all that features read: text, parent, editor and dates.

    Args:
        content_model: ``wikitext``; ``wikibase-item`` and its like give JSON.
    """
    if content_model.startswith("wikibase-"):
        text, parent_text = json.dumps(_item("Q42", "Qzxwvk")), json.dumps(_item("Q43", "Vqjzkx"))
    else:
        text, parent_text = _WIKITEXT
    return Revision(
        wiki_id="trial",
        page_id=1,
        page_title="Trial",
        namespace_id=0,
        rev_id=2,
        rev_parent_id=1,
        rev_dt=datetime(2020, 1, 2, tzinfo=UTC),
        content_model=content_model,
        text=text,
        parent_text=parent_text,
        comment="",
        user=RevisionUser(1, "Trial", (), datetime(2019, 1, 1, tzinfo=UTC)),
        parent_dt=datetime(2020, 1, 1, tzinfo=UTC),
        parent_user=RevisionUser(2, "Trial parent"),
    )


def _item(value: str, label: str) -> dict[str, object]:
    snak = {
        "snaktype": "value",
        "property": "P31",
        "datavalue": {
            "type": "wikibase-entityid",
            "value": {"entity-type": "item", "numeric-id": int(value[1:]), "id": value},
        },
    }
    reference = {"hash": value, "snaks": {"P31": [snak]}, "snaks-order": ["P31"]}
    claim = {
        "id": "Q1$1",
        "type": "statement",
        "rank": "normal",
        "mainsnak": snak,
        "references": [reference],
        "qualifiers": {"P31": [{**snak, "hash": value}]},
        "qualifiers-order": ["P31"],
    }
    return {
        "type": "item",
        "id": "Q1",
        "labels": {"en": {"language": "en", "value": label}},
        "descriptions": {"en": {"language": "en", "value": label}},
        "aliases": {"en": [{"language": "en", "value": label}]},
        "claims": {"P31": [claim]},
        "sitelinks": {"enwiki": {"site": "enwiki", "title": label, "badges": []}},
    }
