"""Production rules convert, and take the real events that they take in production."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from agents.rules.convert import Conversion, convert
from agents.rules.decide import named_streams, plan
from agents.rules.file import parse_rules
from agents.rules.rule import OutputKind, Rule
from tests.rows import catalogue

PAGE_CHANGE = "mediawiki.page_change.v1"
PRODUCTION = "changeprop-values-production.yaml"
SERVED = (
    "drafttopic",
    "outlink-topic-model",
    "revise-tone-task-generator",
    "article-country",
    "revertrisk-language-agnostic",
    "revertrisk-multilingual",
    "revertrisk-wikidata",
)
WIKIPEDIAS = {
    "outlink-topic-model",
    "article-country",
    "revertrisk-language-agnostic",
}


def converted(shared: Path, name: str) -> Conversion:
    return convert((shared / "data" / "rules" / name).read_bytes(), name)


def page_changes(shared: Path) -> list[dict[str, Any]]:
    folder = shared / "data" / "events"
    events = [json.loads(path.read_text()) for path in sorted((folder / "page_change_1.2").rglob("*.json"))]
    lines = (folder / "page_change_1.12" / "wikipedia-page-change.jsonl").read_text().splitlines()
    events += [json.loads(line) for line in lines if line.strip()]
    for name in (
        "test_unit_revertrisk_wikidata_sample_page_change_event.json",
        "test_unit_revise_tone_task_generator_sample_payload.json",
    ):
        events.append(json.loads((folder / "liftwing" / name).read_text())["event"])
    assert len(events) >= 20
    return events


def taking(rules: tuple[Rule, ...], event: dict[str, Any], topic: str = PAGE_CHANGE) -> set[str]:
    return {rule.name for rule in rules if rule.judge(topic, event).case_index is not None}


def expected(event: dict[str, Any]) -> set[str]:
    """Return what the table of production values says of an event, in plain Python."""
    wiki_id, kind, page = event["wiki_id"], event["page_change_kind"], event["page"]
    domain = event["meta"]["domain"]
    rules = {"drafttopic"} if wiki_id == "enwiki" and kind in {"edit", "create"} else set()
    if page.get("namespace_id") != 0 or page.get("is_redirect") is not False or domain == "canary":
        return rules
    is_article = wiki_id.endswith("wiki") and not any(
        part in wiki_id for part in ("commons", "meta", "sources", "species", "wikidata")
    )
    is_saved = kind in {"edit", "create", "move"}
    if is_article and is_saved:
        rules |= WIKIPEDIAS
    if is_saved and wiki_id == "wikidatawiki" and domain == "www.wikidata.org":
        rules.add("revertrisk-wikidata")
    is_wikipedia = domain.endswith(".wikipedia.org")
    if (
        is_wikipedia
        and kind == "edit"
        and wiki_id in {f"{one}wiki" for one in ("en", "pt", "fr", "ar", "test")}
    ):
        rules.add("revise-tone-task-generator")
    if (
        is_wikipedia
        and is_saved
        and wiki_id in {"enwiki", "ruwiki", "dewiki", "frwiki", "simplewiki"} - {"simplewiki"}
    ):
        rules.add("revertrisk-multilingual")
    return rules


def test_every_production_rule_of_liftwing_converts(shared: Path) -> None:
    found = converted(shared, PRODUCTION)
    assert tuple(rule.name for rule in found.rules) == SERVED
    assert found.others == ()
    for rule in found.rules:
        assert rule.topics == (PAGE_CHANGE,)
        assert rule.cases[0].models == (rule.name,)
        assert rule.concurrency == (2 if rule.name == "revertrisk-wikidata" else 5)
    assert {note.what.partition(" ")[0] for note in found.notes} == {
        "uri",
        "namespace",
        "match_config_need_quotes",
        "message_wiki_selector",
    }


def test_page_level_events_of_converted_rules_go_where_liftwing_sends_them(shared: Path) -> None:
    streams = named_streams(converted(shared, PRODUCTION).rules, catalogue({"enwiki": SERVED}))
    of_pages = [stream for stream, kind in streams.items() if kind is OutputKind.PAGE_PREDICTION]
    assert of_pages == [
        "mediawiki.article_country_prediction_change.v1",
        "mediawiki.page_outlink_topic_prediction_change.v1",
        "mediawiki.page_revert_risk_multilingual_prediction_change.v1",
        "mediawiki.page_revert_risk_prediction_change.v1",
        "mediawiki.page_revert_risk_wikidata_prediction_change.v1",
    ]
    assert "mediawiki.revision_score_drafttopic" in streams


def test_every_staging_rule_of_liftwing_converts_and_writes_to_no_production_stream(shared: Path) -> None:
    found = converted(shared, "changeprop-values-staging.yaml")
    assert len(found.rules) == 7
    assert {topic for rule in found.rules for topic in rule.topics} >= {"liftwing.test-events"}
    event = page_changes(shared)[-2] | {"wiki_id": "enwiki", "page_change_kind": "edit"}
    decided = plan(event, "liftwing.test-events", found.rules, catalogue({"enwiki": ("goodfaith",)}))
    assert [output.stream for output in decided.outputs] == ["staging.mediawiki.revision_score_goodfaith"]


def test_every_rule_of_changeprops_example_is_understood(shared: Path) -> None:
    name = "config.example.wikimedia.yaml"
    found = converted(shared, name)
    assert [rule.name for rule in found.rules] == ["ores_cache"]
    text = (shared / "data" / "rules" / name).read_text()
    templates = text[text.index("            templates:\n\n") : text.index("\nnum_workers:")]
    written = re.findall(r"^ {14}([a-z_]+): ?(?:&[a-z_]+)?$", templates, re.MULTILINE)
    assert sorted(rule.name for rule in (*found.rules, *found.others)) == sorted(written)


def test_what_is_converted_can_be_read_again(shared: Path) -> None:
    for path in sorted((shared / "data" / "rules").iterdir()):
        found = converted(shared, path.name)
        assert parse_rules(found.text, f"{path.name} (converted)") == found.rules


def test_real_page_changes_are_taken_by_the_rules_that_take_them_in_production(shared: Path) -> None:
    rules = converted(shared, PRODUCTION).rules
    outcomes = []
    for event in page_changes(shared):
        assert taking(rules, event) == expected(event), (event["wiki_id"], event["page_change_kind"])
        outcomes.append(frozenset(taking(rules, event)))
    assert len(set(outcomes)) >= 3


def test_real_page_changes_moved_to_other_wikis_kinds_and_namespaces_are_taken_alike(shared: Path) -> None:
    rules = converted(shared, PRODUCTION).rules
    wikis = {
        "enwiki": "en.wikipedia.org",
        "ruwiki": "ru.wikipedia.org",
        "simplewiki": "simple.wikipedia.org",
        "commonswiki": "commons.wikimedia.org",
        "metawiki": "meta.wikimedia.org",
        "wikidatawiki": "www.wikidata.org",
        "enwikisource": "en.wikisource.org",
    }
    kinds = ("create", "edit", "move", "delete", "undelete", "visibility_change")
    seen = set()
    for event, (wiki_id, domain), kind, namespace_id, is_redirect, is_canary in itertools.product(
        page_changes(shared)[:4], wikis.items(), kinds, (0, 1), (False, True), (False, True)
    ):
        other = event | {
            "wiki_id": wiki_id,
            "page_change_kind": kind,
            "page": event["page"] | {"namespace_id": namespace_id, "is_redirect": is_redirect},
            "meta": event["meta"] | {"domain": "canary" if is_canary else domain},
        }
        assert taking(rules, other) == expected(other)
        seen |= taking(rules, other)
    assert seen == set(SERVED)


@pytest.mark.parametrize("name", ["revision_create_1.json", "revision_create_2.json"])
def test_real_new_revisions_are_what_ores_was_asked_about(name: str, shared: Path) -> None:
    event = json.loads((shared / "data" / "events" / "ores" / name).read_text())
    rules = converted(shared, "config.example.wikimedia.yaml").rules
    decided = plan(event, "mediawiki.revision-create", rules, catalogue({event["database"]: ("damaging",)}))
    assert list(decided.models) == ["damaging"]
    assert taking(rules, event, PAGE_CHANGE) == set()


def test_changeprops_own_rules_take_real_old_events(shared: Path) -> None:
    rules = converted(shared, "config.example.wikimedia.yaml").others
    folder = shared / "data" / "events"
    create = json.loads((folder / "ores" / "revision_create_1.json").read_text())
    event = create | {"rev_content_changed": True, "page_namespace": 0}
    topic = "mediawiki.revision-create"
    assert "page_edit" in taking(rules, event, topic)
    assert "page_edit" not in taking(
        rules, {key: event[key] for key in event if key != "rev_parent_id"}, topic
    )
    wikidata = event | {"meta": event["meta"] | {"domain": "www.wikidata.org"}}
    assert "page_edit" not in taking(rules, wikidata, topic)
    assert "page_edit" in taking(rules, wikidata | {"page_namespace": 4}, topic)
    assert "wikidata_description_on_edit" in taking(
        rules, wikidata | {"comment": "/* wbsetdescription-add */"}, topic
    )
    properties = {"meta": {"domain": "de.wikipedia.org"}, "added_properties": {"page_image": "Moss.jpg"}}
    assert taking(rules, properties, "mediawiki.page-properties-change") == {"page_images"}
    assert taking(rules, {"tags": ["tilerator", "x"]}, "resource_change") == {"purge_map_tile"}
