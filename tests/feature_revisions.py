"""Real revisions to compute features from: edits of eight wikis, and Wikidata items with made-up parents."""

import ast
import csv
import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models import inputs
from schemas.revision import Revision, RevisionUser

_WIKIS = ("dewiki", "arwiki", "eswiki", "fawiki", "ruwiki", "svwiki", "nlwiki", "enwiki")
_GROUPS: tuple[tuple[str, ...], ...] = ((), ("bot",), ("rollback", "sysop"), ("autopatrolled",))
_REGISTERED = (datetime(2004, 5, 6, 7, 8, 9, tzinfo=UTC), datetime(2021, 12, 31, tzinfo=UTC), None)
DATE = "%Y-%m-%dT%H:%M:%SZ"
_COMMENTS = ("/* wbsetclaim-create:2||1 */ [[P31]]", "/* clientsitelink-update:0| */ See", "Undid 1 by X 22")


def edits(shared: Path, *, of_each: int) -> list[Revision]:
    """Read edits of eight wikis: what they removed and changed is the parent, what they inserted the text.

    Args:
        shared: Shared data.
        of_each: Edits of each wiki, the first that hold enough text.
    """
    path = shared / "data" / "labelled" / "revertrisk" / "KI_multilingual_data_sample.csv.gz"
    csv.field_size_limit(sys.maxsize)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    return [revision for wiki_id in _WIKIS for revision in list(_edits_of(wiki_id, rows))[:of_each]]


def items(shared: Path) -> list[Revision]:
    """Read the recorded Wikidata items; parents are made of them, or are another item, or there is none."""
    path = shared / "data" / "api" / "wikidata_itemquality_recorded.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        rows = [json.loads(line) for line in opened]
    parents = [_earlier(row["content"]) for row in rows]
    return [
        Revision(
            wiki_id=row["wiki"],
            page_id=row["page_id"],
            page_title=row["title"],
            namespace_id=0,
            rev_id=row["rev_id"],
            rev_parent_id=None if number % 3 == 1 else 1,
            rev_dt=datetime(2017, 5, 6, 7, 8, 9, tzinfo=UTC),
            content_model=row["content_model"],
            text=row["content"],
            parent_text=(parents[number], None, rows[number - 1]["content"])[number % 3],
            comment=_COMMENTS[number % 3],
            user=_user(number, is_anonymous=number % 5 == 0),
        )
        for number, row in enumerate(rows)
    ]


def _edits_of(wiki_id: str, rows: list[dict[str, str]]) -> Iterator[Revision]:
    for number, row in enumerate(rows):
        if row["wiki_db"] != wiki_id:
            continue
        removed, inserted, changed = (
            ast.literal_eval(row[f"texts_{kind}"]) for kind in ("removed", "insert", "change")
        )
        parent_text = "\n\n".join([*removed, *(before for before, _ in changed)])
        text = "\n\n".join([*inserted, *(after for _, after in changed)])
        if len(parent_text) + len(text) < 80:
            continue
        yield Revision(
            wiki_id=wiki_id,
            page_id=5,
            page_title=row["page_title"],
            namespace_id=(0, 0, 118, 2)[number % 4],
            rev_id=int(row["revision_id"]),
            rev_parent_id=int(row["revision_parent_id"]),
            rev_dt=datetime.fromisoformat(row["event_timestamp"]).replace(tzinfo=UTC, microsecond=0),
            content_model="wikitext",
            text=text,
            parent_text=parent_text,
            comment=row["event_comment"],
            user=_user(number, is_anonymous=row["is_anon"] == "1"),
        )


def _user(number: int, *, is_anonymous: bool) -> RevisionUser:
    if is_anonymous:
        return RevisionUser(None, "192.0.2.7")
    return RevisionUser(1000 + number, "Example", _GROUPS[number % 4], _REGISTERED[number % 3])


def _earlier(content: str) -> str:
    """Make a plausible earlier state: fewer claims, fewer references and qualifiers, another label."""
    item: dict[str, Any] = json.loads(content)
    claims = item["claims"] or {}
    for property_ in list(claims)[::3]:
        del claims[property_]
    for property_ in list(claims)[::2]:
        for claim in claims[property_]:
            claim["references"] = claim.get("references", [])[1:]
            if claim.get("qualifiers"):
                del claim["qualifiers"][claim["qualifiers-order"].pop(0)]
    for language in list(item["labels"] or ())[:1]:
        item["labels"][language]["value"] = "changed"
    for site in list(item["sitelinks"] or ())[:2]:
        del item["sitelinks"][site]
    return json.dumps(item)


def inputs_of(revision: Revision) -> dict[str, Any]:
    """Return what revscoring is given for a revision, by printed name; dates as ``{"date": text}``."""
    given = inputs.values(revision, inputs.injectable())
    return {
        name: {"date": value.strftime(DATE)} if hasattr(value, "strftime") else value
        for name, value in given.items()
    }


def is_in_dictionary(word: str) -> bool:
    """Tell a word of a made-up dictionary, which knows two thirds of all words; any interpreter agrees."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % 3 > 0


if __name__ == "__main__":
    _shared = Path(sys.argv[1])
    json.dump(
        {
            "edits": [inputs_of(revision) for revision in edits(_shared, of_each=3)],
            "items": [inputs_of(revision) for revision in items(_shared)],
        },
        sys.stdout,
    )
