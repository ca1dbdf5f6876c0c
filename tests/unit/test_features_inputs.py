"""What features are given of a revision, and what they are told to install."""

import importlib.util
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from models import inputs, resources, stand_ins
from models.features.binder import FeatureBinder
from models.features.feature_set import FeatureSet
from models.manifest import FeatureSpec
from models.scoring import FeatureCache
from models.trial import trial_revision
from schemas.errors import FeatureError, ModelIncompatible, ParentNotFound, ResourceMissing
from schemas.revision import RevisionUser
from tests.model_revisions import edit
from tests.unit.test_models_resources import run


def feature_set(*names: str, returns: str = "float") -> FeatureSet:
    specs = [FeatureSpec(f"feature.{name}", returns) for name in names]
    return FeatureSet("trial", specs, FeatureBinder(lambda _: frozenset({"the"})))


def test_dates_are_given_as_text_and_as_dates() -> None:
    user = RevisionUser(7, "Example", (), datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC))
    names = ("user.info.registration", "user.info.registration_str", "timestamp", "parent.timestamp")
    given = inputs.values(
        edit(user=user, parent_dt=None), frozenset(f"datasource.revision.{name}" for name in names)
    )
    assert given["datasource.revision.user.info.registration_str"] == "2020-02-03T04:05:06Z"
    assert str(given["datasource.revision.user.info.registration"]) == "2020-02-03T04:05:06Z"
    assert str(given["datasource.revision.timestamp"]) == "2021-01-01T00:00:00Z"
    assert given["datasource.revision.parent.timestamp"] is None


def test_an_editor_without_account_has_no_registration_in_either_form() -> None:
    user = RevisionUser(None, "192.0.2.1", (), None)
    names = frozenset(
        f"datasource.revision.user.info.{name}" for name in ("registration", "registration_str", "groups")
    )
    assert set(inputs.values(edit(user=user), names).values()) == {None}


def test_the_length_of_a_parent_is_asked_for_like_its_text() -> None:
    root = "datasource.revision.parent.byte_length"
    assert inputs.values(edit(parent_text="Ü"), frozenset({root})) == {root: 2}
    assert inputs.values(edit(parent_text=None, rev_parent_id=None), frozenset({root})) == {root: None}
    with pytest.raises(ParentNotFound):
        inputs.values(edit(parent_text=None, rev_parent_id=3), frozenset({root}))


def test_a_page_creation_has_an_empty_parent() -> None:
    features = feature_set(
        "wikitext.revision.parent.chars", "(wikitext.revision.chars - wikitext.revision.parent.chars)"
    )
    values = features.compute(edit(text="Oak", parent_text=None, rev_parent_id=None), FeatureCache())
    assert values == [0.0, 3.0]


def test_features_of_an_item_read_its_json() -> None:
    item = {"labels": {"en": {"language": "en", "value": "oak"}}, "claims": {"P31": []}}
    features = feature_set(
        "len(<datasource.wikibase.revision.labels>)", "len(<datasource.wikibase.revision.properties>)"
    )
    assert features.compute(edit(text=json.dumps(item)), FeatureCache()) == [1.0, 1.0]
    with pytest.raises(FeatureError, match="JSON"):
        features.compute(edit(text="no JSON"), FeatureCache())


@pytest.mark.parametrize("content_model", ["wikitext", "wikibase-item", "wikibase-property"])
def test_the_trial_revision_suits_its_content_model(content_model: str) -> None:
    name = "wikibase" if content_model.startswith("wikibase") else "wikitext"
    source = {"wikibase": "claim", "wikitext": "words"}[name]
    parent = f"len(<datasource.{name}.revision.parent.{source}>)"
    features = feature_set(f"len(<datasource.{name}.revision.{source}>)", parent)
    values = features.compute(trial_revision(content_model), FeatureCache())
    assert all(isinstance(value, float) and value >= 1 for value in values)


def test_a_vector_is_not_taken_for_a_single_value_nor_the_other_way_round() -> None:
    spec = FeatureSpec("feature.wikitext.revision.chars", "float", columns=5)
    with pytest.raises(ModelIncompatible, match=r"takes .* for 5 values, but it gives one"):
        FeatureSet("trial", [spec], FeatureBinder(lambda _: frozenset()))


def test_a_feature_of_another_type_than_stated_is_refused() -> None:
    with pytest.raises(ModelIncompatible, match="for int, but the installed revscoring gives float"):
        feature_set("wikitext.revision.chars", returns="int")


def test_dictionaries_and_stemmers_are_one_of_a_kind_in_a_process() -> None:
    assert resources.dictionary("de") is resources.dictionary("de")
    assert resources.stemmer("german") is resources.language("german").stemmer


def test_a_list_of_a_package_that_is_not_installed_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "editquality", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert resources.feature_lists("editquality") == frozenset()
    with pytest.raises(ResourceMissing, match="pip install editquality"):
        stand_ins.imported("editquality.feature_lists.wikitext")


def test_only_packages_that_define_features_are_imported_this_way() -> None:
    with pytest.raises(ResourceMissing, match="no package that defines features"):
        stand_ins.imported("antigravity")


def test_a_missing_corpus_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nltk: Any = pytest.importorskip("nltk")
    monkeypatch.setattr(nltk.data, "path", [])
    corpus = resources._LazySentiWordNet()
    with pytest.raises(ResourceMissing, match=r"nltk\.downloader sentiwordnet wordnet"):
        corpus.senti_synsets("oak")


def test_stems_are_nltks_without_what_nltk_imports() -> None:
    """In a process of its own, since another test may have imported NLTK whole."""
    lines = run(
        "import sys\nfrom models import resources\n"
        "names = 'dutch english french german italian portuguese romanian russian spanish swedish'.split()\n"
        "words = 'running generously Häuser maisons corriendo städerna домами gondolatok'.split()\n"
        "light = [[resources.stemmer(name).stem(word) for word in words] for name in names]\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'nltk', 'sklearn', 'scipy'}))\n"
        "import warnings; warnings.simplefilter('ignore')\n"
        "from nltk.stem.snowball import SnowballStemmer\n"
        "print(light == [[SnowballStemmer(name).stem(word) for word in words] for name in names])\n"
    )
    assert lines == ["[]", "True"]
