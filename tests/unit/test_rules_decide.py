"""Which rules take an event, with which models, to which streams."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from agents.rules.book import RuleBook, read_event
from agents.rules.decide import Output, Plan, named_streams, plan, source_topic
from agents.rules.explain import explain
from agents.rules.file import parse_rules
from agents.rules.rule import OutputKind
from agents.rules.sample import parse_key
from agents.rules.shorthands import WORDS, words_of
from schemas.catalogue import Catalogue
from schemas.prediction import ScoreKind
from tests.input_events import encoded, page_change, revision_create, user
from tests.rows import catalogue, model_info

TOPIC = "mediawiki.page_change.v1"
MODELS = catalogue({"mosswiki": ("damaging", "reverted"), "fernwiki": ("topics",)})


def planned(
    rules: str, event: dict[str, Any] | None = None, topic: str = TOPIC, models: Catalogue = MODELS
) -> Plan:
    return plan(page_change() if event is None else event, topic, parse_rules(rules, "moss.yaml"), models)


def one(rule: str) -> str:
    return f"rules: {{moss: {{topic: {TOPIC}, {rule}}}}}"


def why(rule: str, event: dict[str, Any] | None = None) -> str:
    return next(explain(planned(one(rule), event)))


def test_a_rule_without_models_means_all_of_the_wiki_each_to_its_own_stream() -> None:
    decided = planned(one("match: {wiki_id: mosswiki}"))
    assert list(decided.models) == ["damaging", "reverted"]
    assert [output.stream for output in decided.outputs] == [
        "mediawiki.revision_score_damaging",
        "mediawiki.revision_score_reverted",
    ]


def test_a_stream_that_the_rule_names_has_all_scores_in_one_event() -> None:
    decided = planned(one("output_stream: moss.scores"))
    assert decided.outputs == (Output("moss.scores", ("damaging", "reverted")),)


def test_what_is_not_in_production_goes_to_streams_of_its_own() -> None:
    decided = planned(one("models: [damaging], stage: staging"))
    assert [output.stream for output in decided.outputs] == ["staging.mediawiki.revision_score_damaging"]


def test_a_model_that_two_rules_name_is_scored_once_and_told_to_both_streams() -> None:
    decided = planned(
        f"rules: {{a: {{topic: {TOPIC}, models: [damaging]}}, "
        f"b: {{topic: {TOPIC}, output_stream: moss.scores}}}}"
    )
    assert list(decided.models) == ["damaging", "reverted"]
    assert decided.outputs == (
        Output("mediawiki.revision_score_damaging", ("damaging",)),
        Output("moss.scores", ("damaging", "reverted")),
    )
    assert [rule.name for rule in decided.taken_by] == ["a", "b"]


def test_two_rules_that_say_the_same_send_one_event() -> None:
    decided = planned(f"rules: {{a: {{topic: {TOPIC}}}, b: {{topic: {TOPIC}}}}}")
    assert len(decided.outputs) == 2


def test_a_failure_is_left_out_where_every_rule_that_sends_the_same_ignores_it() -> None:
    ignoring = "retry: {ignore: [revision_not_found, revision_deleted]}"
    (alone, _) = planned(one(ignoring)).outputs
    assert alone.ignore == {"revision_not_found", "revision_deleted"}
    decided = planned(
        f"rules: {{a: {{topic: {TOPIC}, {ignoring}}}, "
        f"b: {{topic: {TOPIC}, models: [damaging], retry: {{ignore: [revision_deleted]}}}}}}"
    )
    assert [output.ignore for output in decided.outputs] == [{"revision_deleted"}, alone.ignore]


def test_a_model_that_the_wiki_lacks_is_passed_over() -> None:
    decided = planned(one("models: [topics, damaging]"))
    assert list(decided.models) == ["damaging"]
    assert decided.catalogue.models("mosswiki") == decided.models


def test_an_event_that_no_rule_takes_has_no_models() -> None:
    decided = planned(one("match: {wiki_id: fernwiki}"))
    assert decided.models == {}
    assert decided.outputs == ()
    assert decided.catalogue.wikis == {}


def test_another_version_is_scored_beside_the_one_that_answers() -> None:
    info = MODELS.wikis["mosswiki"]["damaging"]
    later = replace(info, id=replace(info.id, model_version="9.9"))
    models = replace(MODELS, versions={"mosswiki": {"damaging@9.9": later}})
    decided = planned(one("models: [damaging, damaging@9.9], output_stream: s"), models=models)
    assert dict(decided.models) == {"damaging": info, "damaging@9.9": later}
    assert decided.outputs == (Output("s", ("damaging",)), Output("s", ("damaging@9.9",)))


def test_an_alias_names_the_same_model() -> None:
    models = replace(MODELS, aliases={"harm": "damaging"})
    decided = planned(one("models: [harm, damaging]"), models=models)
    assert list(decided.models) == ["damaging"]
    assert len(decided.outputs) == 1


def test_topics_are_names_or_expressions_and_may_leave_some_out() -> None:
    rules = r"rules: {moss: {topics: [a.b, /^moss\./], exclude_topics: [moss.old]}}"
    taken = [
        topic
        for topic in ("a.b", "a.b.c", "axb", "moss.new", "moss.old")
        if planned(rules, topic=topic).taken_by
    ]
    assert taken == ["a.b", "moss.new"]


@pytest.mark.parametrize(
    ("read_from", "meta", "topic"),
    [
        ("eqiad.liftwing.test-events", {"stream": TOPIC}, "liftwing.test-events"),
        ("codfw.mediawiki.page_change.v1", {"stream": TOPIC}, TOPIC),
        (TOPIC, {"stream": "mediawiki.revision-create"}, "mediawiki.revision-create"),
        (TOPIC, {"topic": "eqiad.mediawiki.revision-create"}, "mediawiki.revision-create"),
        (TOPIC, {}, TOPIC),
        (TOPIC, None, TOPIC),
        ("staging.moss", None, "staging.moss"),
    ],
)
def test_a_rule_knows_an_event_by_its_topic_or_by_its_stream_where_all_flow_into_one(
    read_from: str, meta: object, topic: str
) -> None:
    assert source_topic(read_from, {"meta": meta}) == topic


def test_the_first_case_that_fits_counts() -> None:
    rule = (
        "cases: [{match: {wiki_id: fernwiki}, models: [topics]}, "
        "{match: {wiki_id: mosswiki}, models: [reverted]}, {models: [damaging]}]"
    )
    decided = planned(one(rule))
    assert list(decided.models) == ["reverted"]
    assert decided.verdicts[0].case_index == 1


def test_a_case_that_is_excluded_gives_way_to_the_next() -> None:
    rule = "cases: [{match: {wiki_id: mosswiki}, match_not: {page: {namespace_id: 1}}}, {models: [damaging]}]"
    assert planned(one(rule)).verdicts[0].case_index == 1


def test_any_alternative_of_match_not_excludes() -> None:
    assert planned(one("match_not: [{wiki_id: fernwiki}, {page: {namespace_id: 1}}]")).taken_by == ()
    assert planned(one("match_not: [{wiki_id: fernwiki}, {page: {namespace_id: 2}}]")).taken_by
    # All keys of one alternative have to match.
    assert planned(one("match_not: {wiki_id: mosswiki, page: {namespace_id: 2}}")).taken_by


def test_a_sample_takes_the_same_keys_always_and_about_the_rate() -> None:
    (rule,) = parse_rules(one("sample: {rate: 0.25, key: page.page_id}"), "moss.yaml")
    pages = range(1, 2001)
    taken = [page for page in pages if rule.judge(TOPIC, {"page": {"page_id": page}}).case_index == 0]
    again = [
        page for page in pages if rule.judge(TOPIC, {"page": {"page_id": page, "more": 1}}).case_index == 0
    ]
    assert taken == again
    assert 430 < len(taken) < 570


def test_a_larger_sample_has_all_of_a_smaller_one() -> None:
    small, large = (
        parse_rules(one(f"sample: {{rate: {rate}, key: id}}"), "moss.yaml")[0].cases[0].sample
        for rate in (0.1, 0.3)
    )
    assert small is not None
    assert large is not None
    assert all(large.takes({"id": number}) for number in range(500) if small.takes({"id": number}))


def test_the_hash_is_murmur_3_as_its_author_published_it() -> None:
    (rule,) = parse_rules(one("sample: {rate: 1, key: id}"), "moss.yaml")
    sample = rule.cases[0].sample
    assert sample is not None
    assert sample.place({"id": "hello"}) == 0x248BFA47 / 0xFFFFFFFF
    assert sample.place({"id": ""}) == 0


def test_a_key_of_a_sample_may_join_several_values() -> None:
    (rule,) = parse_rules(
        one("sample: {rate: 1, key: '{{message.wiki_id}}:{{message.page.page_id}}/x'}"), "moss.yaml"
    )
    sample = rule.cases[0].sample
    assert sample is not None
    assert sample.text(page_change()) == "mosswiki:31/x"
    assert sample.text({"wiki_id": True, "page": {"page_id": 2.0}}) == "true:2/x"
    assert sample.text({"wiki_id": None}) == ":/x"


@pytest.mark.parametrize("key", ["", "a..b", "{a}", "{{a}}", "x{{message.a}}}", "{{message..a}}"])
def test_a_key_that_names_nothing_of_the_event_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_key(key)


def test_an_event_outside_the_sample_goes_to_no_later_case() -> None:
    rule = "cases: [{sample: {rate: 0.0001, key: meta.id}}, {models: [damaging]}]"
    assert planned(one(rule)).taken_by == ()


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("models: [damaging]", "moss takes it: damaging"),
        ("output_stream: s", "moss takes it: all models of the wiki to s"),
        (
            "output: {prediction_classification_change: s, weighted_tags: null}",
            "moss takes it: all models of the wiki as prediction_classification_change to s,weighted_tags",
        ),
        (
            "match: {wiki_id: mosswiki, page: {namespace_id: 0}}",
            "moss leaves it: match: page.namespace_id is 1, and 0 is wanted",
        ),
        (
            "match_not: {page: {namespace_id: 1}}",
            "moss leaves it: match_not: the event is {page: {namespace_id: 1}}",
        ),
        (
            "on: bot_edit",
            "moss leaves it: on: the event is edit, nonbot_edit, and bot_edit is wanted",
        ),
        (
            "sample: {rate: 0.0001, key: wiki_id}",
            "moss leaves it: sample: 'mosswiki' lies at ",
        ),
        (
            "cases: [{match: {wiki_id: a}}, {match: {wiki_id: b}}]",
            'moss leaves it: case 1, match: wiki_id is "mosswiki", and "a" is wanted; '
            'case 2, match: wiki_id is "mosswiki", and "b" is wanted',
        ),
        ("cases: [{match: {wiki_id: a}}, {models: [reverted]}]", "moss takes it by case 2: reverted"),
    ],
)
def test_a_rule_says_why_it_takes_or_leaves_an_event(rule: str, told: str) -> None:
    assert why(rule).startswith(told)


def test_a_rule_that_does_not_read_the_topic_says_so() -> None:
    decided = planned("rules: {moss: {topic: a}}")
    assert next(explain(decided)) == f"moss leaves it: topics: {TOPIC} is not among a"


def test_what_all_rules_come_to_is_told_last() -> None:
    assert list(explain(planned(one("models: [damaging]"))))[1:] == [
        "Scored with damaging.",
        "Sent to mediawiki.revision_score_damaging: damaging.",
    ]
    assert list(explain(planned(one("match: {a: 1}"))))[1:] == ["Not scored: no rule takes it."]
    told = list(explain(planned(one("models: [topics]"))))
    assert told[1:] == ["Not scored: mosswiki has none of the models that the rules name."]


def test_a_list_with_null_where_changeprop_would_crash_leaves_the_event() -> None:
    event = page_change(performer=user(groups=[None, {"name": "bot"}]))
    assert "null" in why("match: {performer: {groups: [{name: bot}]}}", event)


# ORES's words


def test_every_word_fits_some_event_and_each_has_its_meaning() -> None:
    main, bot = {"page_namespace": 0}, {"performer": {"user_groups": ["bot"]}}
    edit = revision_create(page_namespace=4, performer={"user_groups": ["*"]})
    fits = {
        "edit": (edit,),
        "main_edit": (edit | main,),
        "bot_edit": (edit | bot,),
        "nonbot_edit": (edit, edit | {"performer": None}),
        "page_creation": (edit | {"rev_parent_id": 0}, edit | {"rev_parent_id": None}),
        "main_creation": (edit | main | {"rev_parent_id": 0},),
        "bot_page_creation": (edit | bot | {"rev_parent_id": 0},),
        "nonbot_page_creation": (edit | {"rev_parent_id": 0},),
    }
    assert tuple(fits) == WORDS
    for word, events in fits.items():
        for event in events:
            assert word in words_of(event)
    assert words_of(edit) == {"edit", "nonbot_edit"}
    assert words_of(edit | main | bot | {"rev_parent_id": 0}) == set(WORDS) - {
        "nonbot_edit",
        "nonbot_page_creation",
    }


def test_the_words_ask_for_the_group_and_not_for_the_flag() -> None:
    event = revision_create(performer={"user_groups": ["*"], "user_is_bot": True})
    assert "nonbot_edit" in words_of(event)


def test_the_words_mean_the_same_of_page_changes() -> None:
    edit = page_change()
    assert words_of(edit) == {"edit", "nonbot_edit"}
    first = page_change(
        page_change_kind="create",
        page={"namespace_id": 0},
        revision={"rev_id": 1},
        performer=user(groups=["bot"]),
    )
    assert words_of(first) == set(WORDS) - {"nonbot_edit", "nonbot_page_creation"}
    assert "edit" in words_of(page_change(page_change_kind="move"))


@pytest.mark.parametrize(
    "event",
    [
        page_change(page_change_kind="delete"),
        revision_create(meta={"stream": "mediawiki.page-delete"}),
        {},
        {"meta": None},
        {"meta": {"stream": 7}},
    ],
)
def test_no_word_fits_what_brings_no_revision(event: dict[str, Any]) -> None:
    assert words_of(event) == frozenset()


# The book


async def test_no_more_events_are_scored_at_once_than_a_rule_allows() -> None:
    book = RuleBook(parse_rules(one("concurrency: 2"), "moss.yaml"), MODELS)
    decided = book.plan(encoded(page_change()), TOPIC)
    running = most = 0

    async def score() -> None:
        nonlocal running, most
        async with book.places(decided):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(score() for _ in range(10)))
    assert most == 2


async def test_rules_that_share_an_event_do_not_wait_for_each_other() -> None:
    text = f"rules: {{a: {{topic: {TOPIC}, concurrency: 1}}, b: {{topic: {TOPIC}, concurrency: 1}}}}"
    book = RuleBook(parse_rules(text, "moss.yaml"), MODELS)
    decided = book.plan(encoded(page_change()), TOPIC)

    async def score() -> None:
        async with book.places(decided):
            await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*(score() for _ in range(20))), 5)


def test_what_json_allows_is_read_however_odd() -> None:
    assert read_event(b'{"a": "\\ud800"}') == {"a": "\ud800"}
    assert read_event(b'{"a": 1}') == {"a": 1}
    with pytest.raises(ValueError, match=r"^Expecting"):
        read_event(b"{")


def test_all_streams_that_rules_may_send_to_are_known_beforehand() -> None:
    rules = parse_rules(
        "rules: {a: {topic: t, models: [damaging], output_stream: s}, b: {topic: t, stage: staging}, "
        "c: {topic: t, models: [reverted]}}",
        "moss.yaml",
    )
    assert set(named_streams(rules, MODELS)) == {
        "s",
        "mediawiki.revision_score_reverted",
        "staging.mediawiki.revision_score_damaging",
        "staging.mediawiki.revision_score_reverted",
        "staging.mediawiki.revision_score_topics",
    }


TOPICS = Catalogue(
    {
        "mosswiki": {
            name: model_info(name, ScoreKind.MULTILABEL)
            for name in ("outlink-topic-model", "article-country", "articletopic")
        }
        | {"revertrisk-language-agnostic": model_info("revertrisk-language-agnostic")}
    }
)


def streams(told: Iterable[Output]) -> list[tuple[str, tuple[str, ...]]]:
    return [(output.stream, output.models) for output in told]


def test_page_level_streams_are_named_as_wikimedia_names_them() -> None:
    decided = planned(one("output: prediction_classification_change, stage: staging"), models=TOPICS)
    assert streams(decided.outputs) == [
        ("staging.mediawiki.page_outlink_topic_prediction_change.v1", ("outlink-topic-model",)),
        ("staging.mediawiki.article_country_prediction_change.v1", ("article-country",)),
        ("staging.mediawiki.page_articletopic_prediction_change.v1", ("articletopic",)),
        ("staging.mediawiki.page_revert_risk_prediction_change.v1", ("revertrisk-language-agnostic",)),
    ]
    named = planned(one("output: {prediction_classification_change: moss}"), models=TOPICS)
    assert [output.stream for output in named.outputs] == ["moss"] * 4


def test_tags_of_one_stream_are_one_event_with_each_prefix_once_and_none_of_yes_or_no_models() -> None:
    decided = planned(
        f"rules: {{a: {{topic: {TOPIC}, models: [articletopic], output: weighted_tags}}, "
        f"b: {{topic: {TOPIC}, output: weighted_tags}}, "
        f"c: {{topic: {TOPIC}, models: [article-country], output: {{weighted_tags: moss}}, tag_prefix: x}}}}",
        models=TOPICS,
    )
    usual, other = decided.outputs
    assert usual.stream == "mediawiki.cirrussearch.page_weighted_tags_change.v1"
    # Both topic models speak of one prefix: the first that the rules name is heard.
    assert dict(zip(usual.tag_prefixes, usual.models, strict=True)) == {
        "classification.prediction.articletopic": "articletopic",
        "classification.prediction.articlecountry": "article-country",
    }
    assert (other.stream, other.models, other.tag_prefixes) == ("moss", ("article-country",), ("x",))


def test_a_withdrawal_is_told_wherever_the_wiki_s_pages_may_have_been_told_of() -> None:
    rules = parse_rules(
        "rules: {a: {topic: t, match: {page: {namespace_id: 7}}, models: [articletopic], "
        "output: [revision_score, prediction_classification_change]}}",
        "moss.yaml",
    )
    book = RuleBook(rules, TOPICS)
    assert streams(book.when_withdrawn("mosswiki").outputs) == [
        ("mediawiki.page_articletopic_prediction_change.v1", ("articletopic",))
    ]
    assert book.when_withdrawn("fernwiki").outputs == ()


@pytest.mark.parametrize(("namespace_id", "count"), [(1, 1), (0, 0)])
def test_an_undeletion_is_told_by_the_rules_that_take_edits_of_the_page(
    namespace_id: int, count: int
) -> None:
    rules = parse_rules(
        one(
            f"match: {{page_change_kind: /^(edit|move)$/, page: {{namespace_id: {namespace_id}}}}}, "
            "models: [articletopic], output: [revision_score, prediction_classification_change]"
        ),
        "moss.yaml",
    )
    book = RuleBook(rules, TOPICS)
    decided = book.plan(encoded(page_change(page_change_kind="undelete")), TOPIC)
    assert decided.outputs == ()
    told = book.when_restored(decided)
    assert [output.kind for output in told.outputs] == [OutputKind.PAGE_PREDICTION] * count
