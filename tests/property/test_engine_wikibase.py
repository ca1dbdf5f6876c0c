"""Wikidata items of any form: the same features, or none where revscoring gives none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from models import resources, stand_ins
from models.engine.plan import Plan
from models.engine.wikibase import wikibase_rule
from models.engine.wikibase_mentions import languages
from tests.feature_lists import differences
from tests.feature_revisions import items
from tests.unit.test_engine_wikibase import IMPORTED, LISTS, feature_set

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
    {"property": IDS, "snaktype": st.just("value")},
    optional={"datavalue": VALUES, "hash": st.just("1a") | STRINGS},
)
REFERENCES = st.fixed_dictionaries(
    {"snaks": st.dictionaries(IDS, st.lists(SNAKS, max_size=2), max_size=2)},
    optional={"hash": st.just("1a") | STRINGS},
)
STATEMENTS = st.fixed_dictionaries(
    {"mainsnak": SNAKS, "id": STRINGS},
    optional={
        "references": st.lists(REFERENCES, max_size=2),
        "qualifiers": st.just({"P31": [{"property": "P31", "snaktype": "novalue", "hash": "1a"}]}),
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


# What is put into the text of an item in place of any of its values.
FRAGMENTS = (
    *(
        "null",
        "true",
        "0",
        "-1",
        "1.0",
        "-0.0",
        "1e5",
        "01",
        "NaN",
        "-Infinity",
        "1e999",
        "9" * 30,
        "9" * 5_000,
    ),
    *(
        '""',
        '"Q5"',
        '"value"',
        '"somevalue"',
        '"string"',
        '"time"',
        '"+5"',
        '"\\ud800"',
        '"\\u0000"',
        '"arab"',
    ),
    *("[]", "{}", "[[]]", "[null]", '{"value":"x"}', '{"a":{}}', "{", '"'),
    *('1,"type":"string"', '{},"snaktype":"value"', '"novalue","datavalue":{}', '"x","property":"P31"'),
    *('{},"claims":[]', '"x","datatype":"string"', '"value","hash":null'),
)
_HERE = "put it here"


_PLACES = st.integers(0, 100_000)
CHANGES = st.tuples(
    st.sampled_from(["remove", "double", "move", "write", "write"]),
    _PLACES,
    _PLACES,
    st.sampled_from(FRAGMENTS),
)


def changed_text(text: str, changes: list[tuple[str, int, int, str]]) -> str:
    """Return an item of which values are gone, doubled, moved, or of any other kind."""
    document = json.loads(text)
    fragments = []
    for number, (change, place, other, fragment) in enumerate(changes):
        holders = list(_holders(document))
        if not holders:
            break
        holder = holders[place % len(holders)]
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = keys[other % len(keys)]
        if change == "remove":
            del holder[key]
        elif change == "double" and isinstance(holder, list):
            holder.append(holder[key])
        elif change == "move":
            holder[key] = json.loads(json.dumps(holders[other % len(holders)]))
        else:
            holder[key] = f"{_HERE} {number}"
            fragments.append((json.dumps(holder[key]), fragment))
    written = json.dumps(document, separators=(",", ":"))
    for place_held, fragment in fragments:
        written = written.replace(place_held, fragment)
    return written


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for held in value.values() if isinstance(value, dict) else value:
            yield from _holders(held)


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


@settings(deadline=None)
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


class Real:
    """Lists of features, and recorded items that are not too long. Prints short, as Hypothesis wants it."""

    def __init__(self, shared: Path) -> None:
        self.sets = [feature_set(name, shared) for name in (*IMPORTED, *LISTS)]
        self.revisions = [each for each in items(shared) if len(each.text or "") < 6_000]


@pytest.fixture(scope="module")
def real(shared: Path) -> Real:
    return Real(shared)


@settings(max_examples=40, deadline=None)
@given(_PLACES, st.lists(CHANGES, min_size=1, max_size=3))
def test_real_items_that_were_changed_have_revscorings_features_or_its_errors(
    real: Real, place: int, changes: list[tuple[str, int, int, str]]
) -> None:
    revision = real.revisions[place % len(real.revisions)]
    text = revision.text or ""
    changed = changed_text(text, changes)
    states = [(None, text), (text, changed), (changed, text)]
    history = [
        replace(
            revision,
            rev_id=number,
            text=now,
            parent_text=before,
            rev_parent_id=None if before is None else number - 1,
            parent_dt=None if before is None else revision.rev_dt,
        )
        for number, (before, now) in enumerate(states, start=1)
    ]
    compared, different = differences(real.sets, history)
    assert compared
    assert not different
