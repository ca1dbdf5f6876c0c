"""Features of the published models, computed from what their files say of them.

The judge is the release of revscoring that each model was made with, on an interpreter of its day
(``tests/golden/make_feature_values.py``).
"""

import bz2
import json
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from models import stand_ins
from models.features import catalogue
from models.features.binder import FeatureBinder
from models.features.definitions import Definition
from models.features.describe import describe
from models.features.feature_set import FeatureSet, Values
from models.features.former_edits import Origin
from models.features.rebuild import Rebuilder
from models.importer.envelope import open_envelope
from models.manifest import FeatureSpec
from models.pickles import Instance, read_pickle
from models.scoring import FeatureCache
from schemas.errors import ModelIncompatible, ResourceMissing
from schemas.revision import Revision
from tests.dictionaries import make_up_dictionaries
from tests.feature_revisions import edits, items
from tests.former_revisions import made_up
from tests.former_roots import values_of_made_up

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "features"
NAMES = sorted(path.name.removesuffix(".json") for path in GOLDEN.glob("*.json"))
# Made with releases whose functions are gone, and by which era of the golden values they are judged.
FIRST = {
    "editquality__enwiki.damaging.linear_svc.model": "revscoring-0.6.7",
    "ores__azwiki.reverted.RBF_svc.model": "first",
    "ores__azwiki.reverted.bernoulli_nb.model": "first",
    "ores__azwiki.reverted.gaussian_nb.model": "first",
}
# What differs from the golden values, on how many revisions: deltas 0.5 moved the ends of paragraphs.
DIFFERENCES = {
    "articlequality__enwiki.nettrom_wp10.gradient_boosting.model": {
        "log((enwiki.revision.paragraphs_without_refs_total_length + 1))": 7
    },
    "articlequality__euwiki.wp10.gradient_boosting.model": {
        "log((euwiki.revision.paragraphs_without_refs_total_length + 1))": 7
    },
}
# Of the feature sets made here, to bind a part of one again.
BINDERS: "WeakKeyDictionary[FeatureSet, FeatureBinder]" = WeakKeyDictionary()
SENTIMENT = "english.sentiment.revision."

needs_lists = pytest.mark.skipif(
    not all(map(stand_ins.is_installed, ("editquality", "articlequality", "draftquality", "pywikibase"))),
    reason="the packages with the feature lists of published models are not installed",
)


@pytest.fixture(autouse=True)
def _made_up_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open the dictionary that the judge had, whatever is installed here."""
    make_up_dictionaries(monkeypatch)


def pickled_features(shared: Path, name: str) -> list[Instance]:
    data = (shared / "data" / "models" / "revscoring" / name).read_bytes()
    model = read_pickle(bz2.decompress(data) if name.endswith(".bz2") else data)
    state = model.state if isinstance(model.state, dict) else model.args
    features: list[Instance] = state["features"]
    return features


def feature_set(shared: Path, name: str) -> FeatureSet:
    positions, definitions = describe(pickled_features(shared, name), catalogue.known())
    specs = [
        FeatureSpec(definitions[position].name, definitions[position].returns, definition=position)
        for position in positions
    ]
    binder = FeatureBinder(lambda _: frozenset(), definitions)
    features = FeatureSet(name, specs, binder)
    BINDERS[features] = binder
    return features


def computed(features: FeatureSet, revision: Revision) -> Values:
    try:
        return features.compute(revision, FeatureCache())
    except ResourceMissing as error:
        if error.fields["path"] != "sentiwordnet":
            raise
        kept = [SENTIMENT not in spec.name for spec in features.specs]
        left = [spec for spec, is_kept in zip(features.specs, kept, strict=True) if is_kept]
        without = FeatureSet("without sentiment", left, BINDERS[features])
        values = iter(without.compute(revision, FeatureCache()))
        return [next(values) if is_kept else "sentiment" for is_kept in kept]


@needs_lists
@pytest.mark.parametrize("name", NAMES)
def test_features_equal_those_of_the_release_that_made_the_model(shared: Path, name: str) -> None:
    golden: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    features = feature_set(shared, name)
    revisions = items(shared) if "wikidatawiki" in name else edits(shared, of_each=3)
    differences: dict[str, int] = {}
    for revision, expected in zip(revisions, golden["values"], strict=True):
        values = computed(features, revision)
        for printed, value, wanted in zip(golden["names"], values, expected, strict=True):
            if SENTIMENT in printed and isinstance(wanted, str):
                continue
            if (value, type(value)) != (wanted, type(wanted)):
                differences[printed] = differences.get(printed, 0) + 1
    assert differences == DIFFERENCES.get(name, {})


@needs_lists
def test_two_models_of_a_wiki_hold_one_word_list(shared: Path) -> None:
    first = feature_set(shared, "editquality__dewiki.damaging.gradient_boosting.model")
    second = feature_set(shared, "editquality__dewiki.goodfaith.gradient_boosting.model")
    read = [bound.feature for bound in first.bound if "german" in bound.name]
    assert len(read) == 24
    assert all(one.feature is other.feature for one, other in zip(first.bound, second.bound, strict=True))


@needs_lists
def test_two_features_of_one_name_give_the_value_of_the_first(shared: Path) -> None:
    """The draft quality list of enwiki has a slip that its model was trained with."""
    features = feature_set(shared, "draftquality__enwiki.draft_quality.gradient_boosting.model.bz2")
    slip = "feature.enwiki.revision.cn_templates"
    places = [place for place, spec in enumerate(features.specs) if spec.name == slip]
    text = "{{Cn}} {{Cn}} {{Who}}"
    revision = edits(shared, of_each=1)[0]
    values = computed(features, type(revision)(**{**_fields(revision), "text": text}))
    assert [values[place] for place in places] == [2.0, 2.0]


def first_described(shared: Path, name: str) -> tuple[tuple[int, ...], tuple[Definition, ...]]:
    model = read_pickle((shared / "data" / "models" / "revscoring" / name).read_bytes())
    envelope = open_envelope(model)
    origin = Origin(envelope.language, envelope.trained)
    return describe(envelope.features, catalogue.known(), origin=origin)


@pytest.mark.parametrize("name", FIRST)
def test_a_model_of_the_first_releases_reads_what_it_was_trained_with(shared: Path, name: str) -> None:
    golden = json.loads((GOLDEN.parent / "former" / f"{FIRST[name]}.json").read_text())
    positions, definitions = first_described(shared, name)
    rebuilder = Rebuilder(definitions, catalogue.installed)
    features = [rebuilder.feature(position) for position in positions]
    for edit, expected in zip(made_up(), golden["models"][name], strict=True):
        assert values_of_made_up(features, edit) == expected


def test_a_function_of_a_language_that_no_file_holds_is_refused_by_its_name(shared: Path) -> None:
    """The Azerbaijani model without its language: whose bad words would it count?"""
    features = pickled_features(shared, "ores__azwiki.reverted.RBF_svc.model")
    positions, definitions = describe(features, catalogue.known())
    refused = definitions[positions[0]]
    binder = FeatureBinder(lambda _: frozenset(), definitions)
    with pytest.raises(ModelIncompatible, match=r"'datasource\.is_badword' cannot be had: .* which language"):
        binder.bind(refused.name, positions[0])


def _fields(revision: Revision) -> dict[str, Any]:
    return {name: getattr(revision, name) for name in revision.__struct_fields__}
