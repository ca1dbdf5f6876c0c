"""Rule files: what they say, and how what they get wrong is told."""

import pytest

from agents.rules.document import MAX_BYTES, read_document, write_document
from agents.rules.file import ERROR_CODES, parse_rules
from agents.rules.javascript import Regex
from agents.rules.rule import OutputKind, Retry, Rule, RuleStage, Target
from schemas.errors import SettingsError

FULL = """
x-kinds: &kinds /^(edit|create|move)$/
rules:
  topics-of-articles:
    topics: [mediawiki.page_change.v1, /^staging\\.moss/]
    exclude_topics: [staging.moss.old]
    match:
      page_change_kind: *kinds
      page: {namespace_id: 0}
    match_not:
      - meta: {domain: canary}
      - wiki_id: /^test/
    sample: {rate: 0.25, key: page.page_id}
    concurrency: 5
    models: [topics, quality@2.0.1]
    output_stream: moss.topics
    retry: {limit: 3, delay_seconds: 2, factor: 10, ignore: [revision_not_found]}
    stage: staging
"""


def rule(text: str) -> Rule:
    (found,) = parse_rules(f"rules:\n  moss:\n    topic: t\n    {text}\n", "moss.yaml")
    return found


def refused(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as told:
        parse_rules(text, "moss.yaml")
    return told.value


def test_everything_that_a_rule_can_say_is_read() -> None:
    (found,) = parse_rules(FULL, "moss.yaml")
    (case,) = found.cases
    assert found.name == "topics-of-articles"
    assert [one.source if isinstance(one, Regex) else one for one in found.topics] == [
        "mediawiki.page_change.v1",
        r"/^staging\.moss/",
    ]
    assert found.exclude_topics == {"staging.moss.old"}
    assert found.concurrency == 5
    assert found.retry == Retry(3, 2.0, 10.0, frozenset({"revision_not_found"}))
    assert found.stage is RuleStage.STAGING
    assert found.line == 4
    assert case.models == ("topics", "quality@2.0.1")
    assert case.outputs == (Target(stream="moss.topics"),)
    assert case.sample is not None
    assert case.sample.rate == 0.25
    assert len(case.match_not) == 2


def test_a_rule_needs_no_more_than_a_topic() -> None:
    (found,) = parse_rules("rules: {moss: {topic: t}}", "moss.yaml")
    assert found.retry == Retry()
    assert found.stage is RuleStage.PRODUCTION
    assert found.concurrency is None
    assert found.judge("t", {}).case_index == 0


def test_a_retry_waits_longer_each_time() -> None:
    assert [Retry().wait_seconds(repetition) for repetition in (1, 2)] == [60, 360]


def test_cases_take_what_they_do_not_say_from_the_rule() -> None:
    found = rule("models: [a]\n    output_stream: s\n    cases: [{match: {x: 1}}, {models: [b]}]")
    assert [case.models for case in found.cases] == [("a",), ("b",)]
    assert [case.outputs for case in found.cases] == [(Target(stream="s"),)] * 2


def test_words_are_those_of_yaml_1_2() -> None:
    document = read_document("{a: no, b: on, c: 2026-11-01, d: 1:30, e: 0x1f, f: 1e3, on: ~, g: True}", "x")
    assert document.value == {
        "a": "no",
        "b": "on",
        "c": "2026-11-01",
        "d": "1:30",
        "e": 31,
        "f": 1000.0,
        "on": None,
        "g": True,
    }


def test_what_is_written_is_read_back() -> None:
    value = {"a": ["no", "1e5", "0x1", "true", "/x/", "undefined", "", "é\n", "1:30"], "on": {"b": 1.5}}
    assert read_document(write_document(value), "x").value == value


def test_merged_mappings_give_way_to_what_is_written() -> None:
    text = "base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\nboth: {<<: [*base, {c: 4}]}"
    assert read_document(text, "x").value["more"] == {"b": 3, "a": 1}
    assert read_document(text, "x").value["both"] == {"a": 1, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models: a", (Target(),)),
        ("output: weighted_tags", (Target(OutputKind.WEIGHTED_TAGS),)),
        (
            "output: [revision_score, prediction_classification_change]",
            (Target(), Target(OutputKind.PAGE_PREDICTION)),
        ),
        ("output: weighted_tags\n    output_stream: s", (Target(OutputKind.WEIGHTED_TAGS, "s"),)),
        (
            "output: {prediction_classification_change: s, weighted_tags: null}",
            (Target(OutputKind.PAGE_PREDICTION, "s"), Target(OutputKind.WEIGHTED_TAGS)),
        ),
    ],
)
def test_what_is_told_is_a_word_a_list_or_words_with_their_streams(
    text: str, told: tuple[Target, ...]
) -> None:
    assert rule(text).cases[0].outputs == told


def test_the_prefix_of_tags_is_named_for_one_model() -> None:
    assert rule("models: [a]\n    tag_prefix: moss.topics").cases[0].tag_prefix == "moss.topics"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (
            "rules:\n  moss:\n    topic: t\n    sampl: 1",
            4,
            "sampl: this key is unknown. Did you mean sample?",
        ),
        ("rules:\n  moss:\n    topic: t\n    exec: {uri: x}", 4, "Name models instead"),
        ("rules:\n  moss:\n    topic: t\n    retry_limit: 1", 4, "Write retry"),
        (
            "rules:\n  moss:\n    topic: t\n    match:\n      page:\n        id: null",
            6,
            "match.page.id: null",
        ),
        ("rules:\n  moss:\n    topic: t\n    match: [{a: 1}]", 4, "a match is a mapping"),
        ("rules:\n  moss:\n    topic: t\n    match_not:\n    - a: 1\n    - b: /(/", 6, "match_not.1.b"),
        ("rules:\n  moss:\n    topic: t\n    cases:\n    - match: {a: /(/}", 5, "cases.0.match.a"),
        ("rules:\n  moss:\n    topic: t\n    match: {a: 1}\n    cases: [{}]", 4, "would not count"),
        ("rules:\n  moss:\n    topic: t\n    on: [edits]", 4, "no word of ORES's"),
        ("rules:\n  moss:\n    topic: t\n    sample: {rate: 0.5}", 4, "needs a rate and a key"),
        ("rules:\n  moss:\n    topic: t\n    sample: {rate: 2, key: a}", 4, "out of range"),
        ("rules:\n  moss:\n    topic: t\n    sample: {rate: 1, key: 'a{{b}}'}", 4, "neither a path"),
        ("rules:\n  moss:\n    topic: t\n    concurrency: 0", 4, "out of range"),
        ("rules:\n  moss:\n    topic: t\n    concurrency: true", 4, "out of range"),
        ("rules:\n  moss:\n    topic: t\n    retry: {limit: 1.5}", 4, "a whole number"),
        ("rules:\n  moss:\n    topic: t\n    retry: {ignore: [gone]}", 4, "Known are"),
        ("rules:\n  moss:\n    topic: t\n    stage: [beta]", 4, "no stage"),
        ("rules:\n  moss:\n    topic: t\n    models: []", 4, "leave the key out"),
        ("rules:\n  moss:\n    topic: t\n    models: [a, a]", 4, "repeats"),
        ("rules:\n  moss:\n    topic: t\n    models: [7]", 4, "no model name"),
        ("rules:\n  moss:\n    topic: t\n    output_stream: a b", 4, "no stream name"),
        ("rules:\n  moss:\n    topic: t\n    output: scores", 4, "no output"),
        ("rules:\n  moss:\n    topic: t\n    output: [[weighted_tags]]", 4, "no output"),
        ("rules:\n  moss:\n    topic: t\n    output: 7", 4, "no output"),
        ("rules:\n  moss:\n    topic: t\n    output: []", 4, "no output"),
        ("rules:\n  moss:\n    topic: t\n    output: [weighted_tags, weighted_tags]", 4, "repeats"),
        ("rules:\n  moss:\n    topic: t\n    output:\n      weighted_tags: a b", 5, "no stream name"),
        (
            "rules:\n  moss:\n    topic: t\n    output: [weighted_tags, revision_score]"
            "\n    output_stream: s",
            5,
            "could mean any",
        ),
        (
            "rules:\n  moss:\n    topic: t\n    output: {weighted_tags: s}\n    output_stream: s",
            5,
            "could mean any",
        ),
        ("rules:\n  moss:\n    topic: t\n    tag_prefix: a", 4, "overwrite each other"),
        ("rules:\n  moss:\n    topic: t\n    models: [a, b]\n    tag_prefix: a", 5, "overwrite each other"),
        ("rules:\n  moss:\n    topic: t\n    models: a\n    tag_prefix: a/b", 5, "no prefix of tags"),
        ("rules:\n  moss:\n    topic: 'a b'", 3, "no topic name"),
        ("rules:\n  moss:\n    topics: [/(/]", 3, "topics: /(/"),
        ("rules:\n  moss:\n    topics: []", 3, "no topics"),
        ("rules:\n  moss:\n    models: [a]", 2, "no topics are named"),
        ("rules:\n  moss:\n    topic: t\n    topics: [t]", 2, "both topic and topics"),
        ("rules:\n  moss: 7", 2, "no mapping"),
        ("rules:\n  'a b': {topic: t}", 2, "no name for a rule"),
        ("rules:\n  moss: {topic: t}\n  moss: {topic: t}", 3, "given twice"),
        ("rules: {}", 1, "there are 0 rules"),
        ("rulez: {moss: {topic: t}}", 1, "Did you mean rules?"),
        ("", 1, "no mapping"),
        ("rules:\n  moss: {topic: [}", 2, "not YAML"),
        ("rules:\n  moss: !!python/object/apply:os.getcwd []", 2, "leave the tag out"),
        ("rules:\n  moss: {topic: !!binary aGk=}", 2, "has the type"),
        ("rules:\n  ? [a]\n  : 1", 2, "no text"),
        ("a: 1\n---\nb: 2", 2, "not YAML"),
    ],
)
def test_a_mistake_is_told_with_file_line_rule_cause_and_cure(text: str, line: int, told: str) -> None:
    error = refused(text)
    assert error.message.startswith(f"moss.yaml line {line}")
    assert error.fields["line"] == line
    assert told.lower() in error.message.lower()
    assert error.message[-1] in ".?"
    assert ("rule moss: " in error.message) == (error.fields.get("rule") == "moss")


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\x00",
        b"rules: " + b"[" * 5000,
        b"rules: &a {moss: *a}",
        b"\n".join(
            [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
            + [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)]
        ),
        b"#" * (MAX_BYTES + 1),
        b"rules: \x00",
    ],
    ids=["no-utf-8", "deep", "cycle", "billion-laughs", "large", "nul"],
)
def test_a_hostile_file_is_refused_at_once(text: bytes) -> None:
    with pytest.raises(SettingsError):
        parse_rules(text, "moss.yaml")


def test_what_may_be_ignored_are_errors_of_revisions() -> None:
    assert {"revision_not_found", "content_unavailable", "model_not_found", "scorer_crashed"} <= ERROR_CODES
    assert "settings_invalid" not in ERROR_CODES
