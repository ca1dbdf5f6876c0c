import asyncio
import gzip
import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from schemas.errors import ContentUnavailable, ParentNotFound
from schemas.revision import RevisionRequest
from tests.mediawiki_api import (
    USER_AGENT,
    MediaWikiApi,
    WikiRevision,
    WikiUser,
    answer_with,
    recorded_revisions,
)

CASSETTES = ["cached_both_editors", "cached_third_place", "new_article", "single_editor"]


def exchanges(shared: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(shared / "data" / "api" / f"{name}.yml.gz", "rt", encoding="utf-8") as file:
        recorded = yaml.safe_load(file)
    return list(recorded["http_interactions"])


def api_queries(shared: Path) -> list[tuple[dict[str, str], dict[str, Any], dict[str, str]]]:
    """Return parameters, answer and headers of each recorded ``action=query`` for revisions."""
    found = []
    for name in CASSETTES:
        for exchange in exchanges(shared, name):
            address = urlsplit(exchange["request"]["uri"])
            parameters = {key: values[0] for key, values in parse_qs(address.query).items()}
            if address.path == "/w/api.php" and parameters.get("prop") == "revisions":
                response = exchange["response"]
                headers = {key: values[0] for key, values in response["headers"].items()}
                found.append((parameters, json.loads(response["body"]["string"]), headers))
    assert len(found) >= 11
    return found


def source_for(api: MediaWikiApi) -> MediaWikiSource:
    return MediaWikiSource(MediaWikiSettings(user_agent=USER_AGENT, url_template=api.url))


async def test_a_whole_recorded_page_history_comes_through_with_texts_parents_and_editors(
    shared: Path,
) -> None:
    with gzip.open(shared / "data" / "api" / "wikiwho_adam_himebauch_revisions.json.gz") as file:
        rows = json.load(file)
    texts = {row["revid"]: row["*"] for row in rows}
    accounts = {row["userid"]: row["user"] for row in rows if row["userid"]}
    api = MediaWikiApi(
        recorded_revisions(rows, page_id=47683164, title="Adam Himebauch"),
        [WikiUser(user_id, name) for user_id, name in accounts.items()],
    )
    async with api.serving():
        source = source_for(api)
        revisions = await asyncio.gather(
            *(
                source.get(
                    RevisionRequest("enwiki", row["revid"], row["parentid"] or None, "en.wikipedia.org")
                )
                for row in rows
            )
        )
        await source.close()
    assert len(revisions) == 146
    for row, revision in zip(rows, revisions, strict=True):
        assert revision.text == row["*"]
        assert revision.parent_text == texts.get(row["parentid"])
        assert revision.comment == row["comment"]
        assert revision.rev_dt == datetime.fromisoformat(row["timestamp"])
        assert revision.user is not None
        assert revision.user.user_text == row["user"]
        # The recording marks with "anon" the edits that were made without an account.
        assert (revision.user.user_id is None) is ("anon" in row)
    # 146 revisions, whose parents are among them, and their editors: each is asked for once.
    assert len(api.requests) <= 10


async def test_recorded_wikidata_items_come_through_byte_for_byte(shared: Path) -> None:
    with gzip.open(shared / "data" / "api" / "wikidata_itemquality_recorded.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    api = MediaWikiApi(
        [
            WikiRevision(
                row["rev_id"],
                row["content"],
                page_id=row["page_id"],
                title=row["title"],
                content_model=row["content_model"],
            )
            for row in rows
        ]
    )
    async with api.serving():
        source = source_for(api)
        revisions = await asyncio.gather(
            *(
                source.get(RevisionRequest("wikidatawiki", row["rev_id"], None, "www.wikidata.org"))
                for row in rows
            )
        )
        await source.close()
    assert [revision.text for revision in revisions] == [row["content"] for row in rows]
    assert {revision.content_model for revision in revisions} == {"wikibase-item"}


async def test_a_recorded_history_with_a_suppressed_parent_loses_that_one_score_only(shared: Path) -> None:
    (exchange, *_) = exchanges(shared, "cached_suppressed_parent")
    listed = json.loads(exchange["response"]["body"]["string"])["data"]
    rev_ids = sorted(int(row["rev_id"]) for row in listed if row["page_title"] == "Ball_culture")[-4:]
    suppressed, child, *others = rev_ids
    rows = [WikiRevision(suppressed, is_text_hidden=True, is_user_hidden=True, is_suppressed=True)]
    rows += [WikiRevision(new, parent_id=old) for old, new in pairwise(rev_ids)]
    api = MediaWikiApi(rows)
    async with api.serving():
        source = source_for(api)
        wanted = [RevisionRequest("enwiki", rev_id, None, "en.wikipedia.org") for rev_id in (child, *others)]
        first, *rest = await asyncio.gather(*map(source.get, wanted), return_exceptions=True)
        await source.close()
    assert isinstance(first, ParentNotFound)
    assert first.fields["rev_parent_id"] == suppressed
    assert not any(isinstance(answer, BaseException) for answer in rest)


async def test_recorded_answers_of_the_older_format_are_refused_and_never_misread(shared: Path) -> None:
    """Recorded bodies key pages by id; format version 2 lists them. Taking one for the other loses data."""
    for _, body, headers in api_queries(shared):
        api = MediaWikiApi([])
        kept = {
            key: value for key, value in headers.items() if key in {"Set-Cookie", "Vary", "Cache-Control"}
        }
        api.faults.extend([answer_with(200, body, kept)] * 9)
        async with api.serving():
            source = MediaWikiSource(
                MediaWikiSettings(user_agent=USER_AGENT, url_template=api.url),
                sleep=lambda _: asyncio.sleep(0),
            )
            with pytest.raises(ContentUnavailable, match="no API answer"):
                await source.get(RevisionRequest("enwiki", 1, None, "en.wikipedia.org"))
            await source.close()
        assert not any("cookie" in headers for headers in api.headers)


async def test_recorded_revisions_in_the_format_that_we_ask_for_name_the_same_parents(shared: Path) -> None:
    recorded: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    for _, body, _ in api_queries(shared):
        for page in body["query"]["pages"].values():
            for revision in page.get("revisions", []):
                recorded[revision["revid"]] = (page, revision)
    assert len(recorded) >= 4
    rows = [
        WikiRevision(rev_id, page_id=page["pageid"], title=page["title"], parent_id=revision["parentid"])
        for rev_id, (page, revision) in recorded.items()
    ]
    parents = {row.parent_id for row in rows} - {0} - set(recorded)
    api = MediaWikiApi([*rows, *(WikiRevision(parent_id, "parent") for parent_id in parents)])
    async with api.serving():
        source = source_for(api)
        for rev_id, (page, revision) in recorded.items():
            got = await source.get(RevisionRequest("enwiki", rev_id, None, "en.wikipedia.org"))
            assert got.rev_parent_id == (revision["parentid"] or None)
            assert (got.page_id, got.page_title) == (page["pageid"], page["title"])
        await source.close()


async def test_what_we_send_is_spelt_as_recorded_clients_spelt_it(shared: Path) -> None:
    by_id = [parameters for parameters, _, _ in api_queries(shared) if "revids" in parameters]
    assert by_id
    api = MediaWikiApi([WikiRevision(1)])
    async with api.serving():
        source = source_for(api)
        await source.get(RevisionRequest("enwiki", 1, None, "en.wikipedia.org"))
        await source.close()
    ours = api.requests[0]
    for theirs in by_id:
        assert theirs.keys() <= ours.keys()
        assert {name: ours[name] for name in ("action", "format", "prop")} == {
            name: theirs[name] for name in ("action", "format", "prop")
        }
        assert set(theirs["rvprop"].split("|")) <= set(ours["rvprop"].split("|"))
