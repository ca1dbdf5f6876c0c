"""Every real event at hand either decodes, or is refused as of a schema that revstream does not read."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agents.decide import Restore, ScoreWith, Withdraw, decide
from schemas.decode import decode_event, peek_key
from schemas.errors import EventSchemaUnsupported
from schemas.keys import page_topic_key
from schemas.page_change import PageChange, PageChangeKind
from tests.rows import catalogue

READ = (
    "page_change_1.2/mediainfo/edit-mediainfo-item.json",
    "page_change_1.2/mediainfo/edit-non-mediainfo-item.json",
    "page_change_1.2/mediainfo/move-mediainfo-item.json",
    "page_change_1.2/wikibase/item-create.json",
    "page_change_1.2/wikibase/item-delete.json",
    "page_change_1.2/wikibase/item-edit.json",
    "page_change_1.2/wikibase/item-page-suppress.json",
    "page_change_1.2/wikibase/item-undelete-suppressed.json",
    "page_change_1.2/wikibase/item-undelete.json",
    "page_change_1.2/wikibase/item-visibility-change.json",
    "page_change_1.2/wikibase/lexeme-create.json",
    "page_change_1.2/wikibase/non-item-create.json",
    "page_change_1.2/wikibase/property-edit.json",
    "page_change_1.12/wikipedia-page-change.jsonl",
    "ores/revision_create_1.json",
    "ores/revision_create_2.json",
    "wdqs_old_events/create-event-full.json",
    "wdqs_old_events/page-delete.json",
    "wdqs_old_events/page-undelete.json",
)
# The event lies in a field of something else.
WRAPPED = {
    "page_change_1.12/raw-sse-frame-excerpt.jsonl": "data",
    "liftwing/test_unit_revertrisk_wikidata_sample_page_change_event.json": "event",
    "liftwing/test_unit_revise_tone_task_generator_sample_payload.json": "event",
}
OF_ANOTHER_SCHEMA = (
    "recentchange_1.0.0/kafka-connect-sse_recentchange.json",
    "recentchange_1.0.0/recentchange_sample_excerpt.jsonl",
    "wdqs_old_events/prop-change-wb.json",
    "wdqs_old_events/prop-change.json",
    # Fragments that name no schema, no stream and no wiki.
    "wdqs_old_events/create-event-ms.json",
    "wdqs_old_events/create-event.json",
    "wdqs_old_events/rc-domain.json",
    "wdqs_old_events/rc-namespace.json",
    # Answers and questions of services.
    "liftwing/enwiki_ores_responses.json",
    "liftwing/liftwing_responses.json",
    "liftwing/test_unit_revise_tone_task_generator_sample_input.json",
    "wikiticker-2015-09-12-sampled.json.gz",
)
MIXED = ("schema_examples.jsonl",)


def values(path: Path) -> Iterator[bytes]:
    """Yield the JSON documents of a file, one a line unless the file is one document."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if path.suffix == ".json":
        yield data
    else:
        yield from (line for line in data.splitlines() if line.strip())


def is_read(schema: object) -> bool:
    return isinstance(schema, str) and schema.startswith(
        (
            "/mediawiki/page/change/1.",
            "/mediawiki/page/delete/1.",
            "/mediawiki/page/move/1.",
            "/mediawiki/page/undelete/1.",
            "/mediawiki/revision/create/1.",
            "/mediawiki/revision/create/2.",
            "/mediawiki/revision/visibility-change/1.",
        )
    )


def assert_agrees(value: bytes) -> PageChange:
    """Compare what was decoded with the event's own fields, read another way."""
    event: dict[str, Any] = json.loads(value)
    change = decode_event(value)
    assert isinstance(change, PageChange)
    if "database" in event:
        wiki_id, page, revision = event["database"], event, event
        rev_dt = event.get("rev_timestamp") or event["meta"]["dt"]
        namespace_id, is_redirect = event["page_namespace"], event["page_is_redirect"]
    else:
        wiki_id, page, revision = event["wiki_id"], event["page"], event["revision"]
        rev_dt, namespace_id, is_redirect = revision["rev_dt"], page["namespace_id"], page["is_redirect"]
        assert change.page_change_kind == event["page_change_kind"]
        assert change.dt == datetime.fromisoformat(event["dt"])
    assert change.wiki_id == wiki_id
    assert (change.page.page_id, change.page.page_title) == (page["page_id"], page["page_title"])
    assert (change.page.namespace_id, change.page.is_redirect) == (namespace_id, is_redirect)
    assert change.revision.rev_id == revision["rev_id"]
    prior = event.get("prior_state", {})
    # The older stream of moves names the parent there.
    parent_id = revision.get("rev_parent_id") or (prior.get("rev_id") if "page_title" in prior else None)
    assert change.revision.rev_parent_id == (parent_id or None)
    assert change.revision.rev_dt == datetime.fromisoformat(rev_dt)
    assert change.revision.rev_sha1 == revision.get("rev_sha1")
    assert change.event_id == event["meta"].get("id", change.event_id)
    assert change.domain == event["meta"].get("domain")
    performer = event.get("performer")
    assert (change.performer is None) == (performer is None)
    if change.performer is not None and performer is not None:
        assert change.performer.user_text == performer.get("user_text")
        groups = performer.get("groups", performer.get("user_groups", []))
        assert change.performer.groups == tuple(groups)
    assert peek_key(value) == page_topic_key(change.wiki_id, change.page.page_id)
    return change


@pytest.mark.parametrize("name", READ)
def test_a_real_event_decodes(shared: Path, name: str) -> None:
    found = [assert_agrees(value) for value in values(shared / "data/events" / name)]
    assert found


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_event_decodes_once_unwrapped(shared: Path, name: str) -> None:
    for value in values(shared / "data/events" / name):
        with pytest.raises(EventSchemaUnsupported):
            decode_event(value)
        inner = json.loads(value)[WRAPPED[name]]
        assert_agrees(inner.encode() if isinstance(inner, str) else json.dumps(inner).encode())


@pytest.mark.parametrize("name", OF_ANOTHER_SCHEMA)
def test_another_kind_of_event_is_unsupported(shared: Path, name: str) -> None:
    count = 0
    for value in values(shared / "data/events" / name):
        with pytest.raises(EventSchemaUnsupported):
            decode_event(value)
        assert peek_key(value) == b""
        count += 1
        if count == 500:
            break
    assert count


def test_of_the_schemas_own_examples_those_that_are_read_decode(shared: Path) -> None:
    decoded = refused = 0
    for value in values(shared / "data/events/schema_examples.jsonl"):
        if is_read(json.loads(value).get("$schema")):
            assert_agrees(value)
            decoded += 1
        else:
            with pytest.raises(EventSchemaUnsupported):
                decode_event(value)
            refused += 1
    assert (decoded, refused) == (17, 115)


def test_no_file_of_events_is_left_out(shared: Path) -> None:
    folder = shared / "data/events"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*READ, *WRAPPED, *OF_ANOTHER_SCHEMA, *MIXED}


def test_the_real_events_show_every_kind(shared: Path) -> None:
    kinds = set()
    for name in READ:
        for value in values(shared / "data/events" / name):
            kinds.add(assert_agrees(value).page_change_kind)
    assert kinds == set(PageChangeKind) - {PageChangeKind.OTHER}


SCORED, SKIPPED = "scored", "skipped"
DECIDED = {
    "item-create": SCORED,
    "item-delete": "page hidden",
    "item-edit": SCORED,
    "item-page-suppress": "page erased",
    "item-undelete": "page shown, scored",
    "item-undelete-suppressed": "page shown, scored",
    # The comment alone is hidden.
    "item-visibility-change": SKIPPED,
    "lexeme-create": SCORED,
    "non-item-create": SCORED,
    "property-edit": SCORED,
    "edit-mediainfo-item": SCORED,
    "edit-non-mediainfo-item": SCORED,
    "move-mediainfo-item": SCORED,
    "revision_create_1": SCORED,
    "revision_create_2": SCORED,
    "create-event-full": SCORED,
    "page-delete": "page hidden",
    "page-undelete": "page shown",
}
OF_KIND = {"create": SCORED, "edit": SCORED, "move": SCORED, "delete": "page hidden"}
OF_EXAMPLE = {
    "/mediawiki/page/delete/": "page hidden",
    "/mediawiki/page/undelete/": "page shown",
    "/mediawiki/page/move/": SCORED,
    "/mediawiki/revision/visibility-change/": "revision hidden",
    "/mediawiki/revision/create/": SCORED,
    "/mediawiki/page/change/": SCORED,
}


def decided(change: PageChange) -> str:
    """Return the decision in words, on a wiki that has a model."""
    decision = decide(change, catalogue({change.wiki_id: ("damaging",)}))
    match decision:
        case Withdraw(scope, is_erasure):
            return f"{scope} {'erased' if is_erasure else 'hidden'}"
        case Restore(scope, scoring):
            return f"{scope} shown" + (", scored" if scoring else "")
        case ScoreWith():
            return SCORED
    return SKIPPED


@pytest.mark.parametrize("name", READ)
def test_a_real_event_is_decided_as_the_readme_says(shared: Path, name: str) -> None:
    for value in values(shared / "data/events" / name):
        change = assert_agrees(value)
        stem = Path(name).stem
        expected = DECIDED[stem] if stem in DECIDED else OF_KIND[change.page_change_kind]
        assert decided(change) == expected


def test_the_examples_of_the_schemas_are_decided_as_the_readme_says(shared: Path) -> None:
    found = set()
    for value in values(shared / "data/events/schema_examples.jsonl"):
        schema = json.loads(value).get("$schema")
        if is_read(schema):
            (prefix,) = (each for each in OF_EXAMPLE if schema.startswith(each))
            found.add(prefix)
            assert decided(assert_agrees(value)) == OF_EXAMPLE[prefix]
    assert found == OF_EXAMPLE.keys()


def test_a_real_suppression_shows_nobody(shared: Path) -> None:
    (value,) = values(shared / "data/events/page_change_1.2/wikibase/item-page-suppress.json")
    change = assert_agrees(value)
    assert change.page_change_kind is PageChangeKind.DELETE
    assert (change.performer, change.revision.editor, change.revision.comment) == (None, None, None)
    assert not change.revision.is_content_visible
    assert not change.revision.is_editor_visible
    assert change.prior_state is not None
    assert change.prior_state.is_editor_visible
    assert change.prior_state.rev_id is None


def test_a_real_move_tells_the_old_title_and_no_more(shared: Path) -> None:
    lines = list(values(shared / "data/events/page_change_1.12/wikipedia-page-change.jsonl"))
    (move,) = (
        change for change in map(assert_agrees, lines) if change.page_change_kind is PageChangeKind.MOVE
    )
    assert move.prior_state is not None
    assert move.prior_state.page_title == "A_Paz_Perpétua:_Um_Projeto_Filosófico"
    assert move.prior_state.namespace_id is None
    assert move.prior_state.rev_id == move.revision.rev_parent_id
    assert move.prior_state.rev_sha1 == move.revision.rev_sha1
