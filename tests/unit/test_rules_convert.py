"""What others run by becomes our rules, and what has no meaning here is told."""

import pytest

from agents.rules.convert import Conversion, convert
from agents.rules.file import parse_rules
from schemas.errors import SettingsError

LIFTWING = """
main_app:
  site: staging
  changeprop:
    liftwing:
      uri: https://models.example.org
      models:
        quality:
          concurrency: 3
          match_config_need_quotes: [wiki_id]
          match_config:
            match: {wiki_id: mosswiki, page: {namespace_id: 0}}
            match_not: {meta: {domain: canary}}
            extra: 1
          namespace: quality-models
          kafka_topic: moss.events
          message_wiki_selector: wiki_id
        revertrisk-wikidata: {kafka_topic: moss.events}
"""

CHANGEPROP = r"""
spec:
  paths:
    /sys/queue:
      x-modules:
      - path: sys/kafka.js
        options:
          dc_name: moss
          templates:
            precache:
              topic: mediawiki.revision-create
              concurrency: 10
              retry_delay: 500
              retry_limit: 4
              retry_factor: 3
              retry_on: {status: [50x]}
              ignore: {status: [403, 404, 412, 503]}
              claim_ttl: 60
              sample: {rate: 0.5, hash_template: '{{message.meta.uri}}'}
              match: {page_namespace: 0}
              match_not: [{rev_parent_id: undefined}]
              exec: {method: post, uri: /sys/ores/}
            predict:
              topics: [a, /^b/]
              match: {never: looked at}
              cases:
              - match: {wiki_id: mosswiki}
                exec: {uri: 'https://x.example.org/v1/models/quality:predict'}
              - exec: [{uri: 'https://x.example.org/v1/models/{{message.wiki_id}}-damaging:predict'}]
            purge:
              topic: resource_change
              match: {meta: {uri: '/^https?:\/\/[^\/]+\/wiki\/(?<title>.+)$/'}, tags: [purge]}
              exec: {method: post, uri: /sys/purge/}
"""

ORES = """
scoring_contexts:
  mosswiki:
    scorer_models: {damaging: mosswiki_damaging}
    precache:
      damaging: {"on": [nonbot_edit, page_creation]}
  fernwiki: {scorer_models: {}}
"""


def notes(conversion: Conversion, rule: str = "") -> list[str]:
    return [note.what for note in conversion.notes if note.rule == rule]


def test_liftwings_rules_keep_conditions_topic_model_and_concurrency() -> None:
    found = convert(LIFTWING, "values.yaml")
    expected = """
rules:
  quality:
    topics: [moss.events]
    match: {wiki_id: mosswiki, page: {namespace_id: 0}}
    match_not: {meta: {domain: canary}}
    models: [quality]
    concurrency: 3
    stage: staging
  revertrisk-wikidata:
    topics: [moss.events]
    models: [revertrisk-wikidata]
    output: prediction_classification_change
    stage: staging
"""
    ours = parse_rules(expected, "moss.yaml")
    assert [(rule.name, rule.topics, rule.cases, rule.concurrency, rule.stage) for rule in found.rules] == [
        (rule.name, rule.topics, rule.cases, rule.concurrency, rule.stage) for rule in ours
    ]
    assert found.others == ()


def test_what_liftwing_says_of_its_servers_is_told_as_without_meaning() -> None:
    found = convert(LIFTWING, "values.yaml")
    (uri,) = notes(found)
    assert uri.startswith("uri has no meaning here")
    said = notes(found, "quality")
    for key in ("match_config_need_quotes", "namespace", "message_wiki_selector", "extra"):
        assert any(note.startswith(f"{key} has no meaning here: ") for note in said)


def test_a_note_tells_the_line() -> None:
    note = next(note for note in convert(LIFTWING, "values.yaml").notes if note.what.startswith("namespace"))
    assert str(note).startswith("line 15, rule quality: namespace")


def test_changeprops_rules_that_ask_for_scores_become_rules() -> None:
    found = convert(CHANGEPROP, "config.yaml")
    ores, predict = found.rules
    assert ores.name == "precache"
    assert ores.cases[0].models == ()
    assert ores.concurrency == 10
    assert (ores.retry.limit, ores.retry.delay_seconds, ores.retry.factor) == (4, 0.5, 3)
    assert ores.retry.ignore == {"revision_deleted", "revision_suppressed", "revision_not_found"}
    sample = ores.cases[0].sample
    assert sample is not None
    assert sample.text({"meta": {"uri": "u"}}) == "u"
    assert len(predict.cases) == 2
    assert predict.cases[0].models == ("damaging", "quality")


def test_what_changeprop_would_do_besides_is_told() -> None:
    found = convert(CHANGEPROP, "config.yaml")
    said = notes(found, "precache")
    assert any("ignore 503" in note for note in said)
    assert not any("412" in note or "404" in note for note in said)
    for key in ("retry_on", "claim_ttl", "exec"):
        assert any(note.startswith(f"{key} has no meaning") for note in said)
    assert any(note.startswith("match has no meaning here: beside cases") for note in notes(found, "predict"))
    assert any("dc_name" in note for note in notes(found))


def test_rules_that_ask_for_no_scores_are_left_out_and_still_understood() -> None:
    found = convert(CHANGEPROP, "config.yaml")
    (purge,) = found.others
    event = {"meta": {"uri": "https://moss.example.org/wiki/Moss"}, "tags": ["null_edit", "purge"]}
    assert purge.judge("resource_change", event).case_index == 0
    assert "purge" not in found.text


def test_oress_precache_becomes_a_rule_for_each_model_of_a_wiki() -> None:
    (rule,) = convert(ORES, "ores.yaml").rules
    assert rule.name == "mosswiki-damaging"
    assert rule.cases[0].on == ("nonbot_edit", "page_creation")
    assert rule.cases[0].models == ("damaging",)
    event = {"meta": {"stream": "mediawiki.revision-create"}, "rev_parent_id": 1}
    assert rule.judge("mediawiki.revision-create", event | {"database": "mosswiki"}).case_index == 0
    assert rule.judge("mediawiki.revision-create", event | {"database": "fernwiki"}).case_index is None


def test_what_is_written_is_what_was_understood() -> None:
    for text in (LIFTWING, CHANGEPROP, ORES):
        found = convert(text, "given.yaml")
        assert parse_rules(found.text, "given.yaml (converted)") == found.rules


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1",
        "main_app: {changeprop: {liftwing: {models: {}}}}",
        "scoring_contexts: {}",
        "templates: {a: {uri: x}}",
        "main_app: {changeprop: {liftwing: {models: {moss: 7}}}}",
        "o: {templates: {a: {topic: t, cases: 7}}}",
        "o: {templates: {a: {topic: t, retry_delay: soon}}}",
        "o: {templates: {a: {topic: t, sample: 7}}}",
        "scoring_contexts: {moss: {precache: {a: 7}}}",
    ],
)
def test_what_is_no_such_file_or_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        convert(text, "given.yaml")
