"""Which models read nothing of a revision but its text."""

from pathlib import Path

import pytest

from models.features.definitions import Definition
from models.features.text_alone import reads_text_alone
from models.manifest import FeatureSpec
from models.store import ModelStore
from tests.conftest import ROOT

TEXT = Definition("root", "datasource.revision.text")
PARENT = Definition("root", "datasource.revision.parent.text")


def named(*names: str) -> bool:
    return reads_text_alone([FeatureSpec(name, "float") for name in names], ())


@pytest.mark.parametrize(
    "name",
    [
        "feature.wikitext.revision.chars",
        "feature.english.badwords.revision.matches",
        "feature.(wikitext.revision.templates / max(wikitext.revision.content_chars, 1))",
        "feature.len(<datasource.tokenized(datasource.revision.text)>)",
        "feature.max(<datasource.map(<built-in function len>, <datasource.wikitext.revision.words>)>)",
    ],
)
def test_a_feature_of_the_text_is_told_by_its_name(name: str) -> None:
    assert named(name)


@pytest.mark.parametrize(
    "name",
    [
        "feature.wikitext.revision.parent.chars",
        "feature.wikitext.revision.diff.words_added",
        "feature.temporal.revision.day_of_week",
        "feature.revision.comment.has_link",
        "feature.revision.user.is_anon",
        "feature.revision.page.is_articleish",
        "feature.(wikitext.revision.chars - wikitext.revision.parent.chars)",
        "feature.(wikitext.revision.chars * is_custom_comment)",
        "edit.user.is_anonymous",
        "feature.characters",
        "",
    ],
)
def test_whatever_else_a_name_says_is_not_certain(name: str) -> None:
    assert not named("feature.wikitext.revision.chars", name)


def test_no_features_are_no_certainty() -> None:
    assert not named()


def spec(definition: int) -> FeatureSpec:
    return FeatureSpec("feature.of_any_name", "float", definition=definition)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (Definition("feature.add", "feature.x", on=(0,)), True),
        (Definition("feature.add", "feature.x", on=(0, 1)), False),
        (Definition("known", "feature.wikitext.revision.chars"), True),
        (Definition("known", "feature.temporal.revision.hour_of_day"), False),
        (Definition("refused", "feature.wikitext.revision.chars"), False),
        (Definition("feature.constant", "feature.x"), False),
    ],
)
def test_a_definition_counts_with_all_beneath_it(last: Definition, expected: bool) -> None:
    definitions = (TEXT, PARENT, last, Definition("feature.add", "feature.y", on=(0, 2)))
    assert reads_text_alone([spec(3)], definitions) is expected


def test_of_the_models_that_come_with_revstream_none_is_taken_for_one_that_reads_text_alone() -> None:
    folder: Path = ROOT / "models/artefacts"
    names = {path.parents[1].name for path in folder.glob("*/*/manifest.json")}
    infos = [ModelStore([folder]).load(name).info for name in sorted(names)]
    assert infos
    assert not any(info.reads_text_alone for info in infos)
    # A model that reads no content at all has no content models either.
    assert {info.content_models for info in infos if not info.reads_content} == {()}
