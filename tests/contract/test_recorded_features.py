"""Features against those that Lift Wing recorded."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models import stand_ins
from models.features.binder import FeatureBinder
from models.features.feature_set import FeatureSet
from models.manifest import FeatureSpec
from models.scoring import FeatureCache
from schemas.revision import Revision
from tests.feature_lists import published

# Feature by feature, on how many revisions the value is not the recorded one.
WIKIDATA_DIFFERENCES: dict[str, int] = {}
TYPES = {bool: "bool", int: "int", float: "float"}

needs_articlequality = pytest.mark.skipif(
    not stand_ins.is_installed("articlequality"), reason="the package articlequality is not installed"
)


def recorded(shared: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(shared / "data" / "api" / f"{name}_recorded.jsonl.gz", "rt", encoding="utf-8") as opened:
        return [json.loads(line) for line in opened]


def feature_set(values: dict[str, Any]) -> FeatureSet:
    """Bind features by name, each with the type that was recorded; another type would be refused."""
    specs = [FeatureSpec(name, TYPES[type(value)]) for name, value in values.items()]
    return FeatureSet("recorded", specs, FeatureBinder(lambda _: frozenset()))


def revision_of(text: str, **changes: Any) -> Revision:
    fields: dict[str, Any] = {
        "wiki_id": "enwiki",
        "page_id": 1,
        "page_title": "Oak",
        "namespace_id": 0,
        "rev_id": 2,
        "rev_parent_id": None,
        "rev_dt": datetime(2020, 1, 1, tzinfo=UTC),
        "content_model": "wikitext",
        "text": text,
        "parent_text": None,
        "comment": "",
        "user": None,
    }
    return Revision(**{**fields, **changes})


@needs_articlequality
def test_item_quality_features_are_those_that_lift_wing_recorded(shared: Path) -> None:
    rows = recorded(shared, "wikidata_itemquality")
    features = feature_set(rows[0]["recorded"]["features"])
    differences: Counter[str] = Counter()
    for row in rows:
        revision = revision_of(
            row["content"], wiki_id=row["wiki"], rev_id=row["rev_id"], content_model=row["content_model"]
        )
        values = features.by_name(features.compute(revision, FeatureCache()))
        assert list(values) == list(row["recorded"]["features"])
        for name, value in row["recorded"]["features"].items():
            assert type(values[name]) is type(value)
            differences[name] += values[name] != value
    assert len(rows) == 44
    assert len(features.specs) == 51
    assert {name: count for name, count in differences.items() if count} == WIKIDATA_DIFFERENCES


@needs_articlequality
def test_article_quality_features_bind_by_the_recorded_names_and_types(shared: Path) -> None:
    """The record holds no content, so names, types and ranges are what can be checked."""
    rows = recorded(shared, "enwiki_articlequality")
    features = feature_set(rows[0]["features"])
    assert len(rows) == 171
    assert len(features.specs) == 26
    for row in rows:
        assert [spec.name for spec in features.specs] == list(row["features"])
        for spec in features.specs:
            value = row["features"][spec.name]
            assert TYPES[type(value)] == spec.returns
            assert value >= 0


@needs_articlequality
@pytest.mark.parametrize(
    ("published_list", "record", "count"),
    [
        ("enwiki.wp10", "enwiki_articlequality", 42),
        ("wikidatawiki.item_quality", "wikidata_itemquality", 54),
    ],
)
def test_the_features_shown_of_a_published_list_are_those_that_lift_wing_shows(
    shared: Path, published_list: str, record: str, count: int
) -> None:
    features = published(f"articlequality.feature_lists.{published_list}")
    assert len(features.specs) == count
    first = recorded(shared, record)[0]
    shown = first["features"] if "features" in first else first["recorded"]["features"]
    assert [(spec.name, spec.returns) for spec in features.base.specs] == [
        (name, TYPES[type(value)]) for name, value in shown.items()
    ]


@needs_articlequality
def test_article_quality_features_of_a_text_that_a_reader_can_count() -> None:
    text = (
        "{{Infobox person|image=Oak.jpg}} '''Oak''' is a tree.<ref>{{Cite web|url=x}}</ref> {{Cn}}\n\n"
        "== Use ==\n[[File:Oak.png|thumb]] It is claimed since 1900.{{sfn|Ash|2001}}\n\n"
        "=== Wood ===\nHard.\n\n"
        "[[Category:Trees]] [[Category:Oaks]]"
    )
    expected = {
        "feature.wikitext.revision.chars": float(len(text)),
        "feature.wikitext.revision.ref_tags": 1.0,
        "feature.wikitext.revision.headings_by_level(2)": 1.0,
        "feature.wikitext.revision.headings_by_level(3)": 1.0,
        "feature.wikitext.revision.templates": 4.0,
        "feature.enwiki.revision.image_links": 1.0,
        "feature.enwiki.infobox_images": 1,
        "feature.enwiki.revision.category_links": 2.0,
        "feature.enwiki.revision.shortened_footnote_templates": 1.0,
        "feature.enwiki.revision.cite_templates": 1.0,
        "feature.enwiki.revision.infobox_templates": 1.0,
        "feature.enwiki.revision.cn_templates": 1.0,
        "feature.len(<datasource.english.words_to_watch.revision.matches>)": 1.0,
    }
    features = feature_set(expected)
    values = features.by_name(features.compute(revision_of(text), FeatureCache()))
    assert values == expected
