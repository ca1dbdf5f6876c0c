"""Features of Wikidata items read from plain JSON, against revscoring's own over its libraries' objects."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models import inputs, resources, stand_ins
from models.engine.plan import Plan
from models.engine.wikibase import wikibase_rule
from models.engine.wikibase_mentions import languages, mentions_in
from models.engine.wikibase_nodes import EntityOf
from models.features import catalogue
from models.features.binder import FeatureBinder
from models.features.describe import describe
from models.features.feature_set import FeatureSet
from models.manifest import FeatureSpec
from models.pickles import read_pickle
from schemas.revision import Revision
from tests.feature_lists import differences, published
from tests.feature_revisions import items

pytestmark = pytest.mark.skipif(
    not all(map(stand_ins.is_installed, ("editquality", "articlequality", "pywikibase"))),
    reason="the packages with the feature lists of published models are not installed",
)

ITEM = "datasource.revision.text"
PARENT = "datasource.revision.parent.text"
IMPORTED = (
    "articlequality__wikidatawiki.item_quality.rf.model",
    "editquality__wikidatawiki.goodfaith.gradient_boosting.model",
)
LISTS = ("articlequality.item_quality", "editquality.damaging")
STRANGE = [
    "",
    "[]",
    "null",
    "{}",
    '"text"',
    "{",
    "\ud800",
    '{"labels": {"en": {"value": "\\ud800"}}}',
    '{"claims": null}',
    '{"claims": []}',
    '{"claims": {"P1": []}}',
    '{"claims": {"P1": [{}]}}',
    '{"claims": {"P1": {"mainsnak": 1}}}',
    '{"claims": [1]}',
    '{"claims": "{}"}',
    '{"claims": {}, "claims": {"P31": [{"mainsnak": {"property": "P31", "snaktype": "novalue"}}]}}',
    '{"labels": [], "descriptions": [], "aliases": [], "sitelinks": [], "claims": []}',
    '{"labels": {"en": {"value": "French Q42 https://x", "removed": ""}}}',
    '{"aliases": {"french": [{"value": "Q1"}, {"value": "german"}]}}',
    '{"aliases": {"Q7": [{"value": "x"}]}, "id": 5}',
    '{"title": "Q5 german", "id": "Q5"}',
    '{"title": NaN}',
    '{"title": 1e999}',
    '{"title": 123456789012345678901234567890}',
    '{"sitelinks": {"enwiki": {"title": "norsk bokmål", "badges": ["Q1"]}}}',
    '{"sitelinks": {"enwiki": {"title": "x"}}}',
    '{"labels": {"en": {"value": "\\u007french \\u00eanglais b\\u00e1hasa indonesia simple english"}}}',
]
VALUES: list[Any] = [
    None,
    {"type": "string", "value": 'it\'s "german" \u00eanglish http://x'},
    {"type": "string", "value": 5},
    {"type": "string", "value": {"a": 1.50}},
    {"type": "string"},
    {"type": "wikibase-entityid", "value": {"entity-type": "item", "numeric-id": 5, "id": "Q5"}},
    {"type": "wikibase-entityid", "value": {"entity-type": "item", "numeric-id": 5}},
    {"type": "wikibase-entityid", "value": {"entity-type": "property", "numeric-id": 31}},
    {"type": "wikibase-entityid", "value": {"entity-type": "lexeme", "id": "L3"}},
    {"type": "wikibase-entityid", "value": {"entity-type": "lexeme"}},
    {"type": "wikibase-entityid", "value": {"entity-type": "item", "numeric-id": 0}},
    {"type": "wikibase-entityid", "value": {"id": "Q5"}},
    {"type": "wikibase-entityid", "value": "id"},
    {
        "type": "time",
        "value": {
            "time": "+2013-01-01T00:00:00Z",
            "timezone": 0,
            "before": 0,
            "after": 0,
            "precision": 11,
            "calendarmodel": "http://www.wikidata.org/entity/Q1985727",
        },
    },
    {"type": "time", "value": {"time": "soon", "timezone": 0, "before": 0, "after": 0, "calendarmodel": ""}},
    {"type": "time", "value": {"time": "+2013-01-01T00:00:00Z"}},
    {"type": "quantity", "value": {"amount": "+5.00", "unit": "1"}},
    {"type": "quantity", "value": {"amount": "+5", "unit": "1", "upperBound": "+6", "lowerBound": "+4"}},
    {"type": "quantity", "value": {"amount": 1e-7, "unit": "http://x/Q11573", "upperBound": 2}},
    {"type": "quantity", "value": {"amount": "many", "unit": "1"}},
    {
        "type": "globecoordinate",
        "value": {"latitude": 1.0, "longitude": -2, "altitude": None, "precision": 0.1, "globe": "Q2"},
    },
    {"type": "globecoordinate", "value": {"latitude": 1.0, "longitude": -2, "globe": None}},
    {"type": "monolingualtext", "value": {"text": "x", "language": "french"}},
    {"type": "unheard-of", "value": 1},
    {"value": 1},
    "{}",
]


def written(document: Any) -> str:
    """Write JSON as PHP does."""
    return json.dumps(document, separators=(",", ":")).replace("/", "\\/")


def features_of(name: str, shared: Path) -> list[Any]:
    return [each.feature for each in feature_set(name, shared).bound]


def feature_set(name: str, shared: Path) -> FeatureSet:
    """Bind a published list, or that of a model file."""
    if name in LISTS:
        package, attribute = name.split(".")
        return published(f"{package}.feature_lists.wikidatawiki.{attribute}")
    model = read_pickle((shared / "data" / "models" / "revscoring" / name).read_bytes())
    state = model.state if isinstance(model.state, dict) else model.args
    positions, definitions = describe(state["features"], catalogue.known())
    specs = [
        FeatureSpec(definitions[position].name, definitions[position].returns, definition=position)
        for position in positions
    ]
    return FeatureSet(name, specs, FeatureBinder(lambda _: frozenset(), definitions))


def solved(features: Sequence[Any], values: dict[str, Any]) -> list[Any] | None:
    """Compute features with revscoring's solver, each alone; None where it cannot."""
    datasource = resources.module("datasources").Datasource
    cache = {datasource(name.partition(".")[2]): value for name, value in values.items()}
    try:
        return list(resources.module("dependencies").solve(features, cache=cache))
    except resources.module("errors").DependencyError:
        return None


class Pair:
    """A plan with the rules, and revscoring's solver."""

    def __init__(self, features: Sequence[Any]) -> None:
        self.features = features
        self.plan = Plan(features, [wikibase_rule])

    def values(self, revision: Revision) -> dict[str, Any]:
        roots = frozenset(self.plan.roots)
        return dict(inputs.values(revision, roots))

    def differences(self, values: dict[str, Any], *, is_plain: bool) -> list[tuple[str, Any, Any]]:
        """Compare a revision seen alone, and after its parent.

        Args:
            is_plain: Whether the plan must not refuse.
        """
        expected = solved(self.features, values)
        found = []
        runs: list[dict[str, Any]] = [{}]
        if values.get(PARENT) is not None:
            try:
                kept = self.plan.run({**values, ITEM: values[PARENT]})[1]
                runs.append({"of_parent": kept, "of_page": kept})
            except Exception:
                assert not is_plain
        for known in runs:
            try:
                got = self.plan.run(values, **known)[0]
            except Exception:
                assert expected is None or not is_plain
                continue
            assert expected is not None, "revscoring refuses what the plan computes"
            found += [
                (str(feature), ours, theirs)
                for feature, ours, theirs in zip(self.features, got, expected, strict=True)
                if (ours, type(ours)) != (theirs, type(theirs))
            ]
        return found


@pytest.fixture(scope="module", params=[*IMPORTED, *LISTS])
def pair(request: pytest.FixtureRequest, shared: Path) -> Pair:
    return Pair(features_of(request.param, shared))


@pytest.fixture(scope="module")
def revisions(shared: Path) -> list[Revision]:
    return items(shared)


def edited(revision: Revision, number: int) -> Revision:
    """Write an item as PHP does, and a parent of it that lacks one thing."""
    item, parent = json.loads(revision.text or ""), json.loads(revision.text or "")
    claims = parent["claims"] or {}
    name = sorted(claims)[number % len(claims)] if claims else None
    if name is not None and number % 3 == 0:
        del claims[name]
    elif name is not None and number % 3 == 1:
        claims[name][0]["references"] = []
        claims[name].append(claims[name][0])
    elif parent["labels"]:
        parent["labels"].popitem()
    return msgspec.structs.replace(revision, text=written(item), parent_text=written(parent), rev_parent_id=1)


def test_recorded_items_have_the_same_features(pair: Pair, revisions: list[Revision]) -> None:
    for revision in revisions:
        assert not pair.differences(pair.values(revision), is_plain=True)


def test_edits_of_recorded_items_have_the_same_features(pair: Pair, revisions: list[Revision]) -> None:
    for number, revision in enumerate(revisions):
        assert not pair.differences(pair.values(edited(revision, number)), is_plain=True)


def test_a_large_item_has_the_same_features(pair: Pair, revisions: list[Revision], shared: Path) -> None:
    answer = json.loads((shared / "data" / "api" / "wbgetentities-Douglas-Adams.json").read_text())
    # As it is stored, where no statement names the kind of its value.
    stored = json.loads(json.dumps(answer["entities"]["Q42"]), object_hook=_without_kind)
    revision = msgspec.structs.replace(revisions[0], text=written(stored))
    for number in range(3):
        assert not pair.differences(pair.values(edited(revision, number)), is_plain=True)
    served = msgspec.structs.replace(revisions[0], text=json.dumps(answer["entities"]["Q42"]))
    assert not pair.differences(pair.values(served), is_plain=False)


def test_items_of_a_dump_of_2014_have_the_same_features_or_are_left_to_revscoring(
    pair: Pair, revisions: list[Revision], shared: Path
) -> None:
    path = shared / "data" / "dumps" / "wikidatawiki-20140220_sample-daily-dump.xml"
    texts = [element.text for element in ET.parse(path).iter() if element.tag.endswith("}text")]
    assert len(texts) == 7
    for before, text in zip([None, *texts], texts, strict=False):
        revision = msgspec.structs.replace(
            revisions[0], text=text, parent_text=before, rev_parent_id=None if before is None else 1
        )
        assert not pair.differences(pair.values(revision), is_plain=False)


@pytest.mark.parametrize("text", STRANGE)
def test_a_strange_text_gives_the_same_features_or_is_left_to_revscoring(
    pair: Pair, revisions: list[Revision], text: str
) -> None:
    plain = revisions[0].text
    for before, after in ((None, text), (text, plain), (plain, text), (text, text)):
        revision = msgspec.structs.replace(
            revisions[0], text=after, parent_text=before, rev_parent_id=None if before is None else 1
        )
        assert not pair.differences(pair.values(revision), is_plain=False)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: json.dumps(value)[:40])
def test_a_statement_of_every_kind_of_value_gives_the_same_features(
    pair: Pair, revisions: list[Revision], value: Any
) -> None:
    snak = {"property": "P31", "snaktype": "value", "datavalue": value, "hash": "1a2b"}
    if value is None:
        snak |= {"snaktype": "somevalue"}
        del snak["datavalue"]
    plain = {"property": "P5", "snaktype": "novalue", "hash": "ff"}
    for parts in (
        {"mainsnak": snak},
        {"mainsnak": plain, "qualifiers": {"P31": [snak, plain]}, "qualifiers-order": ["P31"]},
        {"mainsnak": plain, "references": [{"hash": "0", "snaks": {"P31": [snak], "P5": []}}]},
        {
            "mainsnak": plain,
            "references": [
                {"hash": "0", "snaks": {"P31": [snak]}, "snaks-order": ["P31"]},
                {"hash": "1", "snaks": {"P31": [plain, snak], "p5": [plain]}},
            ],
        },
    ):
        statement = {"id": "Q1$A", "rank": "normal", "type": "statement", **parts}
        text = written({"id": "Q1", "claims": {"P31": [statement, statement], "P5": [statement]}})
        revision = msgspec.structs.replace(
            revisions[0], text=text, parent_text=written({"id": "Q1", "claims": {"P31": [statement]}})
        )
        assert not pair.differences(pair.values(revision), is_plain=False)


@pytest.mark.parametrize("name", [*IMPORTED, *LISTS])
def test_no_list_asks_for_the_objects_of_whole_items(shared: Path, name: str) -> None:
    plan = Plan(features_of(name, shared), [wikibase_rule])
    made = [step for step in plan._steps if isinstance(step.process, EntityOf)]
    assert not made


@pytest.mark.parametrize("name", [*IMPORTED, *LISTS])
def test_a_number_too_long_for_python_is_left_to_revscoring(
    shared: Path, revisions: list[Revision], name: str
) -> None:
    item = json.loads(revisions[0].text)
    for number in ("9" * 4_300, "9" * 4_301, "-" + "9" * 9_000):
        text = json.dumps({**item, "lastrevid": "here"}).replace('"here"', number)
        revision = msgspec.structs.replace(revisions[0], text=text)
        assert not differences([feature_set(name, shared)], [revision])[1]


def test_names_that_mention_something_count_as_often_as_they_are_written(
    pair: Pair, revisions: list[Revision]
) -> None:
    document = json.loads(revisions[0].text)
    document["labels"] = {name: {"language": name, "value": "x"} for name in ("kk-arab", "Q5", "en")}
    document["sitelinks"]["frenchwiki"] = {"site": "frenchwiki", "title": "x", "badges": []}
    revision = msgspec.structs.replace(
        revisions[0], text=json.dumps(document), parent_text=revisions[0].text, rev_parent_id=1
    )
    assert not pair.differences(pair.values(revision), is_plain=True)


TEXTS = [
    "",
    "french",
    "Simple english, simple english",
    "bahasa",
    '"bahasa indonesia" bahasa\tindonesia',
    "中文\uff08简体\uff09 中文简体 简体 繁體",
    "norsk bokmål norsk  bokmål",
    "हिन्दी ไทย (brasil) português do brasil portugues (brasil)",
    "portugu\u0303es \u200cहिनद़ि",
    "ENGLISH englishenglish dansk'dansk\"dansk",
    "татарский язык",
    "tiếng việt tieng viet tiếng\nviệt",
    "\ud800 german \udfff",
    "x" * 100_000 + "german",
    "ger" * 30_000,
    "english " * 1000,
    "_dansk_ 5dansk5 dansk\x00dansk",
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:20].encode("ascii", "replace").decode())
def test_languages_are_counted_as_the_expression_counts_them(text: str) -> None:
    pattern = resources.module("features.wikibase.features.diff").LANGUAGE_RE
    for quote in ('"', "'"):
        assert languages().count(text, quote) == len(pattern.findall(text))
        assert languages().count(f"{quote}{text}{quote} {text}", quote) == len(
            pattern.findall(f"{quote}{text}{quote} {text}")
        )


def test_items_and_addresses_are_counted_as_the_expressions_count_them() -> None:
    counted = mentions_in("Q1 Q Q12345678901 QQ5 Q\u0663 https://http://wwwwww. http:/ httpss:// wwww. wwww")
    assert counted == (4, 0, 4)


def _without_kind(found: dict[str, Any]) -> dict[str, Any]:
    if "snaktype" in found:
        found.pop("datatype", None)
    return found
