"""Printed names of pickled features: as revscoring 2.11.13 prints them, whichever release pickled them."""

import random
from typing import Any

import pytest

from models import resources
from models.features import catalogue
from models.features.mirror import Mirror
from models.importer.graph import FeatureGraph, sort_sets
from models.pickles import Global, Instance
from schemas.errors import ModelCorrupt
from tests.pickled_models import constant, datasource, feature

META = "revscoring.features.meta"
LEN, SUM = Global("builtins", "len"), Global("builtins", "sum")


def printed(*features: Any) -> list[str]:
    return [str(one) for one in FeatureGraph(features).features]


def aggregated(name: str, source: Instance, *, kind: str = "AggregatorsScalar", **state: Any) -> Instance:
    return feature(name, source, kind=kind, module=f"{META}.aggregators", **state)


def test_everything_of_the_installed_revscoring_is_named_as_it_prints() -> None:
    mirror = Mirror()
    installed = [*catalogue.installed().values()]
    installed += [entry.dependent for entry in catalogue.of_language("english").values()]
    assert len(installed) > 600
    named = FeatureGraph([mirror.of(one) for one in installed]).features
    wrong = {
        str(one): str(name)
        for one, name in zip(installed, named, strict=True)
        if sort_sets(str(one)) != str(name)
    }
    assert wrong == {}


def test_what_is_made_of_features_is_named_as_it_prints() -> None:
    modifiers = resources.module("features.modifiers")
    aggregators, bools = (
        resources.module("features.meta.aggregators"),
        resources.module("features.meta.bools"),
    )
    mappers = resources.module("datasources.meta.mappers")
    revision, text = (
        resources.module(f"features.{name}").revision for name in ("revision_oriented", "wikitext")
    )
    lengths = mappers.map(len, text.datasources.words)
    made = [
        modifiers.log(text.chars + 1),
        text.words / modifiers.max(text.chars, 1),
        modifiers.min(text.words - 1, text.chars * 2, 0.5),
        modifiers.not_(text.chars > 3),
        (text.chars >= 3).and_((text.words < 1).or_(text.words == 4)),
        aggregators.len(text.datasources.words),
        aggregators.max(lengths, returns=int),
        aggregators.mean(lengths, vector=True),
        aggregators.sum(lengths, name="lengths"),
        bools.regex_match(r"a{2,3}\s'b", revision.datasources.comment),
        bools.item_in_set("x", text.datasources.words),
        revision.user.in_group({"sysop", "bot", "a"}),
        text.headings_by_level(2),
        text.tag_names_matching(r"a{2}"),
    ]
    mirror = Mirror()
    assert printed(*(mirror.of(one) for one in made)) == [sort_sets(str(one)) for one in made]


def test_names_made_before_prefixes_get_them() -> None:
    tokens = datasource("tokenized(<revision.parent.text>)", datasource("revision.parent.text"))
    count = aggregated("len(<tokenized(<revision.parent.text>)>)", tokens, kind="len")
    plus = feature("(len(<tokenized(<revision.parent.text>)>) + 1)", count, constant(1), kind="add")
    log = feature("log((len(<tokenized(<revision.parent.text>)>) + 1))", plus, kind="log")
    assert printed(log) == ["feature.log((len(<datasource.tokenized(datasource.revision.parent.text)>) + 1))"]


def test_aggregators_that_printed_their_class_print_their_function() -> None:
    words = datasource("wikitext.revision.words")
    name = "AggregatorsScalar(<datasource.wikitext.revision.words>)"
    count = aggregated(name, words, func=LEN)
    assert printed(count) == ["feature.len(<datasource.wikitext.revision.words>)"]
    ratio = feature(f"({name} / max({name}, 1))", count, maximum(name, count), kind="div")
    now = "len(<datasource.wikitext.revision.words>)"
    assert printed(ratio) == [f"feature.({now} / max({now}, 1))"]


def maximum(name: str, of: Instance) -> Instance:
    return feature(f"max({name}, 1)", of, constant(1), kind="max")


def test_operators_of_2015_get_the_brackets_that_their_order_means() -> None:
    a, b, c = feature("a"), feature("b"), feature("c")
    left = feature("a / b / c", feature("a / b", a, b, kind="div"), c, kind="div")
    right = feature("a - b + c", a, feature("b + c", b, c, kind="add"), kind="sub")
    assert printed(left, right) == ["feature.((a / b) / c)", "feature.(a - (b + c))"]


def test_a_name_that_somebody_gave_is_kept() -> None:
    words = datasource("wikitext.revision.words")
    named = aggregated("wikitext.revision.words_count", words, func=LEN)
    ratio = feature("revision.words_share", named, constant(2), kind="div")
    assert printed(named, ratio) == ["feature.wikitext.revision.words_count", "feature.revision.words_share"]
    around = feature("log(revision.words_share)", ratio, kind="log")
    assert printed(around) == ["feature.log(revision.words_share)"]


def test_of_two_that_print_the_same_the_first_names_both_as_in_the_solver() -> None:
    words = datasource("w")
    name = "AggregatorsScalar(<datasource.w>)"
    first = aggregated(name, words, func=LEN)
    second = aggregated(name, words, func=SUM)
    assert printed(first, second) == ["feature.len(<datasource.w>)", "feature.len(<datasource.w>)"]
    assert printed(second, first) == ["feature.sum(<datasource.w>)", "feature.sum(<datasource.w>)"]


def test_vectors_print_as_vectors() -> None:
    words = datasource("w")
    vector = aggregated("revision.text.mean", words, kind="AggregatorsVector", func=SUM)
    assert printed(vector) == ["feature_vector.revision.text.mean"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("in_group({'sysop', 'bot'})", "in_group({'bot', 'sysop'})"),
        ("x({3, 1}, {'b, {', 'a'})", "x({1, 3}, {'a', 'b, {'})"),
        ("frozenset({2, 1})", "frozenset({1, 2})"),
        ("regex_match('a{2,1}', <x>)", "regex_match('a{2,1}', <x>)"),
        ('m("it\'s {2,1}", {2, 1})', 'm("it\'s {2,1}", {1, 2})'),
        ("x({'a': 2})", "x({'a': 2})"),
        ("matching([a-z]{2}x)", "matching([a-z]{2}x)"),
        ("open {", "open {"),
    ],
)
def test_only_sets_are_sorted(name: str, expected: str) -> None:
    assert sort_sets(name) == expected


def test_sets_print_the_same_whatever_their_order() -> None:
    groups = ["bot", "sysop", "bureaucrat", "steward"]
    names = set()
    for seed in range(20):
        random.Random(seed).shuffle(groups)
        names.add(sort_sets("in_group({" + ", ".join(map(repr, groups)) + "})"))
    assert names == {"in_group({'bot', 'bureaucrat', 'steward', 'sysop'})"}


def test_what_the_first_releases_name_by_text_is_a_root() -> None:
    graph = FeatureGraph([feature("age", datasource("rev_doc", "session", "rev_id"))])
    assert [str(one) for one in graph] == [
        "datasource.session",
        "datasource.rev_id",
        "datasource.rev_doc",
        "feature.age",
    ]


def test_a_feature_that_rests_on_itself_is_refused() -> None:
    inner = datasource("inner")
    outer = feature("outer", inner)
    inner.state["dependencies"].append(outer)
    with pytest.raises(ModelCorrupt, match="rests on itself"):
        FeatureGraph([outer])


def test_a_deep_graph_is_read_without_recursion() -> None:
    deepest = datasource("0")
    for depth in range(1, 15_000):
        deepest = datasource(str(depth), deepest)
    assert len(list(FeatureGraph([feature("top", deepest)]))) == 15_001


def test_a_graph_larger_than_any_model_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="more than 20000"):
        FeatureGraph([feature("wide", *(datasource(str(number)) for number in range(20_001)))])


def test_a_name_that_doubles_with_every_step_is_refused() -> None:
    name, one = "a", feature("a")
    for _ in range(14):
        name = f"({name} + {name})"
        one = feature(name, one, one, kind="add")
    with pytest.raises(ModelCorrupt, match="has a name of"):
        FeatureGraph([one])


@pytest.mark.parametrize("odd", [3, None, {"name": "x"}, Instance(Global("a", "b"))])
def test_what_is_neither_feature_nor_datasource_is_refused(odd: Any) -> None:
    with pytest.raises(ModelCorrupt, match="no feature and no datasource"):
        FeatureGraph([feature("a", odd)])
