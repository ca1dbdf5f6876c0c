"""Wikidata items of any form: the same features, or none where revscoring gives none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import resources, stand_ins
from models.engine.plan import Plan
from models.engine.wikibase import wikibase_rule
from models.engine.wikibase_mentions import languages

pytestmark = pytest.mark.skipif(
    not all(map(stand_ins.is_installed, ("editquality", "articlequality"))),
    reason="the packages with the feature lists of published models are not installed",
)

TEXT, PARENT = "datasource.revision.text", "datasource.revision.parent.text"
# Words in and around names of languages, and what stands between them.
PIECES = st.sampled_from(
    [
        "english",
        "simple ",
        "bahasa",
        " indonesia",
        "ger",
        "man",
        "fran\u00e7ais",
        "e",
        "\u00ea",
        "nglish",
        "Q4",
        "https://",
        "wwww.",
        " ",
        "(",
        "\uff08\u7b80\u4f53",
        "\uff09",
        "'",
        '"',
        "\\",
        "\x7f",
        "\t",
        "\ud800",
        "5",
    ]
)
STRINGS = st.lists(PIECES, max_size=5).map("".join)
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), STRINGS)
IDS = st.sampled_from(["P31", "P569", "P570", "P18", "P143", "P214"])
LANGUAGES = st.sampled_from(["en", "de", "fr", "german"])
VALUES = st.one_of(
    st.none(),
    st.fixed_dictionaries({"type": st.just("string"), "value": ANYTHING}),
    st.fixed_dictionaries(
        {
            "type": st.just("wikibase-entityid"),
            "value": st.fixed_dictionaries(
                {"entity-type": st.sampled_from(["item", "property"])},
                optional={"numeric-id": st.sampled_from([5, 0, 13442814]), "id": STRINGS | st.just("Q5")},
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("quantity"),
            "value": st.fixed_dictionaries(
                {"amount": st.sampled_from(["+5", "1e5", 0.1, "x"]), "unit": STRINGS},
                optional={"upperBound": st.just("+6"), "lowerBound": st.just(4)},
            ),
        }
    ),
    st.fixed_dictionaries({"type": STRINGS}, optional={"value": ANYTHING}),
)
SNAKS = st.fixed_dictionaries(
    {"property": IDS, "snaktype": st.just("value")}, optional={"datavalue": VALUES, "hash": STRINGS}
)
REFERENCES = st.fixed_dictionaries(
    {"snaks": st.dictionaries(IDS, st.lists(SNAKS, max_size=2), max_size=2)}, optional={"hash": STRINGS}
)
STATEMENTS = st.fixed_dictionaries(
    {"mainsnak": SNAKS, "id": STRINGS},
    optional={
        "references": st.lists(REFERENCES, max_size=2),
        "qualifiers": st.just({"P31": [{"property": "P31", "snaktype": "novalue"}]}),
        "qualifiers-order": st.lists(st.just("P31"), max_size=2),
    },
)
TERMS = st.dictionaries(LANGUAGES, st.fixed_dictionaries({"value": STRINGS}), max_size=3)
ITEMS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "title": STRINGS,
        "labels": TERMS | st.just([]),
        "descriptions": TERMS | st.none(),
        "aliases": st.dictionaries(
            LANGUAGES, st.lists(st.fixed_dictionaries({"value": STRINGS}), max_size=2)
        ),
        "claims": st.dictionaries(IDS, st.lists(STATEMENTS, max_size=3), max_size=3) | st.just([]),
        "sitelinks": st.dictionaries(
            STRINGS,
            st.fixed_dictionaries({"title": STRINGS}, optional={"badges": st.just(["Q1"])}),
            max_size=2,
        ),
    },
)


def _lists() -> list[tuple[list[Any], Plan]]:
    quality = resources.feature_list("articlequality", "wikidatawiki").item_quality
    damaging = resources.feature_list("editquality", "wikibase")
    return [(list(held), Plan(held, [wikibase_rule])) for held in (quality, damaging.parent + damaging.diff)]


@pytest.fixture(scope="module")
def lists() -> list[tuple[list[Any], Plan]]:
    return _lists()


def solved(features: list[Any], values: dict[str, Any]) -> list[Any] | None:
    datasource = resources.module("datasources").Datasource
    cache = {datasource(name.partition(".")[2]): value for name, value in values.items()}
    try:
        return list(resources.module("dependencies").solve(features, cache=cache))
    except resources.module("errors").DependencyError:
        return None


@given(ITEMS, ITEMS, st.booleans())
def test_an_item_has_revscorings_features_or_is_left_to_it(
    lists: list[tuple[list[Any], Plan]], before: dict[str, Any], item: dict[str, Any], shares: bool
) -> None:
    if shares and isinstance(before.get("claims"), dict) and isinstance(item.get("claims"), dict):
        item = {**item, "claims": {**before["claims"], **item["claims"]}}
    values = {TEXT: json.dumps(item), PARENT: json.dumps(before)}
    for features, plan in lists:
        expected = solved(features, values)
        try:
            got = plan.run({name: values[name] for name in plan.roots})[0]
        except Exception:
            continue
        assert expected is not None
        assert [(value, type(value)) for value in got] == [(value, type(value)) for value in expected]


@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(["'", '"']))
def test_languages_are_counted_as_the_expression_counts_them(text: str, quote: str) -> None:
    pattern = resources.module("features.wikibase.features.diff").LANGUAGE_RE
    assert languages().count(text, quote) == len(pattern.findall(text))
