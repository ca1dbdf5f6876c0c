"""Printed names of composites, taken apart and made again by revscoring's own operators."""

from typing import Any

import pytest

from models import resources
from models.features import grammar
from models.features.binder import FeatureBinder
from models.features.definitions import canonical
from schemas.errors import ModelIncompatible


def binder() -> FeatureBinder:
    return FeatureBinder(lambda _collection: frozenset({"the"}))


def solved(name: str, text: str = "", parent_text: str = "", **given: Any) -> Any:
    source = resources.module("datasources").Datasource
    cache = {source("revision.text"): text, source("revision.parent.text"): parent_text}
    cache |= {source(f"revision.{key}"): value for key, value in given.items()}
    return resources.module("dependencies").solve(binder().bind(name).feature, cache=cache)


def wikitext(name: str) -> str:
    return f"wikitext.revision.{name}"


@pytest.mark.parametrize(
    ("name", "returns", "value"),
    [
        (f"({wikitext('chars')} + 1)", "float", 27.0),
        (f"({wikitext('chars')} - {wikitext('parent.chars')})", "float", 26.0),
        (f"({wikitext('wikilinks')} / max({wikitext('content_chars')}, 1))", "float", 1 / 15),
        (f"({wikitext('wikilinks')} * 0.5)", "float", 0.5),
        (f"log(({wikitext('wikilinks')} + 1))", "float", 0.6931471805599453),
        (f"min({wikitext('chars')}, {wikitext('wikilinks')}, 7)", "float", 1.0),
        (f"({wikitext('chars')} > 5)", "bool", True),
        (f"({wikitext('chars')} <= 5)", "bool", False),
        (f"({wikitext('wikilinks')} == 1)", "bool", True),
        (f"not ({wikitext('wikilinks')} != 1)", "bool", True),
        (f"(({wikitext('chars')} > 5) and ({wikitext('tags')} > 5))", "bool", False),
        (f"(({wikitext('chars')} > 5) or ({wikitext('tags')} > 5))", "bool", True),
        ("len(<datasource.wikitext.revision.words>)", "float", 4.0),
        (
            "sum(<datasource.map(<built-in function len>, <datasource.wikitext.revision.words>)>)",
            "float",
            13.0,
        ),
        ("max(<datasource.map(<built-in function len>, <datasource.wikitext.revision.words>)>)", "int", 6),
        ("len(<datasource.lower_case(<datasource.wikitext.revision.words>)>)", "float", 4.0),
        ("wikitext.revision.wikilink_titles_matching(^For)", "float", 1.0),
        ("wikitext.revision.template_names_matching(Cn|Fact)", "float", 1.0),
        ("wikitext.revision.template_names_matching((Cn) - (x))", "float", 0.0),
        ("len(<datasource.wikitext.revision.tokens_matching(\\b(an|oak)\\b)>)", "float", 2.0),
        ("wikitext.revision.headings_by_level(2)", "float", 0.0),
        ("len(<datasource.english.badwords.revision.matches>)", "float", 0.0),
    ],
)
def test_composites_are_computed_as_their_names_say(name: str, returns: str, value: object) -> None:
    bound = binder().bind(f"feature.{name}")
    assert (bound.name, str(bound.feature), bound.returns) == (f"feature.{name}", f"feature.{name}", returns)
    assert solved(f"feature.{name}", "An oak [[Forest]] {{Cn}}.\n") == value


def test_a_pattern_that_holds_an_operator_ends_where_the_rest_makes_sense() -> None:
    parts = (
        "wikitext.revision.template_names_matching(^cite)",
        "wikitext.revision.parent.template_names_matching(^cite)",
    )
    assert solved(f"feature.({parts[0]} - {parts[1]})", "{{cite web}} {{cite}}", "{{cite}}") == 1.0


def test_tests_of_sets_and_comments_take_their_arguments_from_the_name() -> None:
    assert (
        solved("feature.revision.comment_matches('^/\\\\* [^\\\\n]+ \\\\*/')", comment="/* Use */ more")
        is True
    )
    name = "feature.item_in_set('P31', <datasource.wikibase.revision.properties>)"
    assert solved(name, '{"claims": {}}') is False
    assert solved("feature.wikibase.revision.has_property_value('P31', 'Q5')", '{"claims": {}}') is False


def test_a_composite_tells_every_list_that_it_reads() -> None:
    lists = [f"len(<datasource.english.{name}.revision.matches>)" for name in ("badwords", "informals")]
    bound = binder().bind(f"feature.({lists[0]} + {lists[1]})")
    assert bound.pattern_collections == {"english.badwords", "english.informals"}
    assert bound.patterns is None
    stop = binder().bind("feature.log((english.stopwords.revision.diff.non_stopword_prop_delta_sum + 1))")
    assert stop.words == "english.stopwords"


@pytest.mark.parametrize(
    "name",
    [
        "feature.(wikitext.revision.chars + )",
        "feature.(wikitext.revision.chars +  1)",
        "feature.log()",
        "feature.log(wikitext.revision.chars",
        "feature.median(<datasource.wikitext.revision.words>)",
        "feature.len(<datasource.wikitext.revision.no_such_thing>)",
        "feature.len(<datasource.map(<built-in function eval>, <datasource.wikitext.revision.words>)>)",
        "feature.wikitext.revision.template_names_matching(()",
        "feature.wikitext.revision.headings_by_level('2')",
        "feature.wikitext.revision.diff.headings_by_level(2)",
        "feature.wikitext.__class__.template_names_matching(x)",
        "feature.AggregatorsScalar(<datasource.wikitext.revision.words>)",
        "feature_vector.revision.text.en_vectors_mean",
        "feature.klingon.badwords.revision.diff.match_delta_sum",
        "feature.((((" * 30,
    ],
)
def test_a_composite_that_means_nothing_is_refused_by_name(name: str) -> None:
    with pytest.raises(ModelIncompatible, match="does not define") as refusal:
        binder().bind(name)
    assert refusal.value.fields["feature"] == name


def test_a_long_name_is_taken_apart_in_little_time() -> None:
    part = "wikitext.revision.template_names_matching(a(b)c)"
    text = part
    for _ in range(8):
        text = f"({text} + {part})"
    assert any(node.kind == "operation" for node in grammar.parse(text))


def test_only_the_sets_of_a_name_are_sorted() -> None:
    assert (
        canonical("feature.revision.user.in_group({'b', 'a'})")
        == "feature.revision.user.in_group({'a', 'b'})"
    )
    pattern = "feature.wikitext.revision.template_names_matching(^a{3,2}$)"
    assert canonical(pattern) == pattern
