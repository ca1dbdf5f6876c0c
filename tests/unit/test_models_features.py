"""Features bound by name: revscoring's definitions, this artefact's words."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from models import resources
from models.features.binder import FeatureBinder
from models.features.patterns import pattern_list_sha512, words_of_nltk
from models.recipes import ENWIKI_REVERTED
from models.scoring import FeatureCache
from models.store import PACKAGED_MODELS, ModelStore
from schemas.errors import ModelIncompatible
from tests.model_revisions import EDIT, old_dump_edits

STOPWORDS = "feature.english.stopwords.revision.diff.non_stopword_prop_delta_sum"
RETURNS = ["int", "float", "float", "float", "float", "float", "bool", "bool", "int"]


def binder(*words: str) -> FeatureBinder:
    return FeatureBinder(lambda _collection: frozenset(words))


def test_the_nine_features_bind_under_the_names_that_revscoring_prints() -> None:
    for name, returns in zip(ENWIKI_REVERTED.features.values(), RETURNS, strict=True):
        bound = binder("the").bind(name)
        assert (bound.name, bound.returns) == (name, returns)


def test_a_feature_tells_which_lists_it_reads() -> None:
    assert binder("the").bind(STOPWORDS).words == "english.stopwords"
    badwords = binder().bind("feature.english.badwords.revision.diff.match_prop_delta_sum")
    assert (badwords.patterns, badwords.words) == ("english.badwords", None)
    counted = binder().bind("feature.len(<datasource.english.informals.revision.matches>)")
    assert counted.patterns == "english.informals"


def test_a_feature_rests_on_what_revscoring_finds_beneath_it() -> None:
    constant = resources.module("features.feature").Constant
    one_binder = binder("the")
    for name in ENWIKI_REVERTED.features.values():
        bound = one_binder.bind(name)
        found = resources.module("dependencies").dig(bound.feature)
        assert bound.roots == {str(root) for root in found if not isinstance(root, constant)}


def test_sets_in_any_order_bind_to_one_name() -> None:
    one = binder().bind("feature.revision.user.in_group({'sysop', 'bot'})")
    other = binder().bind("feature.revision.user.in_group({'bot', 'sysop'})")
    assert one.name == other.name == "feature.revision.user.in_group({'bot', 'sysop'})"
    assert str(one.feature) == one.name


@pytest.mark.parametrize(
    "name",
    [
        "feature.revision.page.namespace.id_in_set({0, 118})",
        "feature.revision.comment_matches('^undo')",
        "feature.wikitext.revision.parent.chars",
        "feature.revision.bytes.length",
        "feature.temporal.revision.day_of_week",
        "feature.german.badwords.revision.diff.match_delta_sum",
        "feature.wikibase.revision.diff.statements_added",
    ],
)
def test_features_of_other_models_bind_too(name: str) -> None:
    if "bytes" in name:
        name = str(resources.module("features.bytes").revision.length)
    if "wikibase" in name:
        diff = resources.module("features.wikibase").revision.diff
        name = next(
            str(feature) for feature in vars(diff).values() if str(feature).startswith("feature.wikibase")
        )
    assert binder("der").bind(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "feature.wikitext.revision.no_such_thing",
        "feature.klingon.badwords.revision.diff.match_delta_sum",
        "words_added",
        "",
        "feature.revision.user.in_group(__import__('os').getcwd())",
        "feature.revision.user.in_group('bot')",
        "feature.revision.user.in_group({'bot')",
        "feature.revision.nobody.in_group({'bot'})",
        "feature.revision.comment_matches('(')",
        "feature.revision.user._dependents({'bot'})",
    ],
)
def test_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(ModelIncompatible, match="does not define") as refusal:
        binder().bind(name)
    assert repr(name) in refusal.value.message


def test_a_feature_of_what_revisions_do_not_carry_is_refused_with_the_datasource() -> None:
    with pytest.raises(ModelIncompatible, match=r"page\.creation\.timestamp_str"):
        binder().bind("feature.temporal.revision.page.creation.seconds_since")


def test_two_lists_in_one_process_and_one_cache_do_not_mix() -> None:
    solve = resources.module("dependencies").solve
    source = resources.module("datasources").Datasource
    cache: dict[Any, Any] = {
        source("revision.text"): "the oak stands",
        source("revision.parent.text"): "",
    }
    values = [
        solve(binder(*words).bind(STOPWORDS).feature, cache=cache)
        for words in (("the",), ("the", "oak"), (), ("the",))
    ]
    assert values == [2.0, 1.0, 3.0, 2.0]


def test_equal_lists_share_their_values() -> None:
    assert hash(binder("the", "of").bind(STOPWORDS).feature) == hash(
        binder("of", "the").bind(STOPWORDS).feature
    )


def test_pattern_lists_are_told_apart_by_their_hash() -> None:
    hashes = {pattern_list_sha512(f"english.{name}") for name in ("badwords", "informals")}
    assert len(hashes) == 2
    for unknown in ("english.no_such_list", "klingon.badwords", "english.dictionary"):
        with pytest.raises(ModelIncompatible, match="patterns"):
            pattern_list_sha512(unknown)


def test_words_are_those_of_nltk_with_revscorings_own_additions(shared: Path) -> None:
    archive = shared / "data" / "nltk" / "stopwords.zip"

    def nltk(language: str) -> frozenset[str]:
        return resources.nltk_words(archive, language)

    assert words_of_nltk("english.stopwords", nltk) == nltk("english")
    assert words_of_nltk("french.stopwords", nltk) == nltk("french") | {"a"}
    assert not any("\0" in word for word in words_of_nltk("german.stopwords", nltk))


PLAIN = """
import json, sys, types, warnings
warnings.simplefilter("ignore")
enchant = types.ModuleType("enchant")
enchant.Dict = lambda tag: None
enchant.errors = types.SimpleNamespace(DictNotFoundError=KeyError)
sys.modules["enchant"] = enchant
from revscoring.datasources import revision_oriented
from revscoring.dependencies import solve
from revscoring.features import revision_oriented as basic, temporal, wikitext
from revscoring.languages import english
source = revision_oriented.revision
listed = [
    wikitext.revision.diff.longest_repeated_char_added,
    wikitext.revision.diff.words_added,
    wikitext.revision.diff.words_removed,
    english.badwords.revision.diff.match_prop_delta_sum,
    english.informals.revision.diff.match_prop_delta_sum,
    english.stopwords.revision.diff.non_stopword_prop_delta_sum,
    basic.revision.user.is_anon,
    basic.revision.user.in_group({"bot", "sysop"}),
    temporal.revision.user.seconds_since_registration,
]
for line in sys.stdin:
    edit = json.loads(line)
    cache = {
        source.text: edit["text"],
        source.parent.text: edit["parent_text"],
        source.timestamp_str: edit["timestamp"],
        source.user.id: edit["user_id"],
        source.user.info.groups: edit["groups"],
        source.user.info.registration_str: edit["registration"],
    }
    print(json.dumps(list(solve(listed, cache=cache))))
"""


def test_values_on_real_edits_equal_those_of_revscoring_alone(shared: Path, tmp_path: Path) -> None:
    """The other side runs in a process of its own that knows nothing of this project's stand-ins."""
    edits = list(old_dump_edits(shared / "data" / "dumps" / "wikitrust_wiki_00023.xml"))
    edits = [*edits[:12], *edits[12::17]]
    lines = [
        json.dumps(
            {
                "text": edit.text,
                "parent_text": edit.parent_text,
                "timestamp": edit.rev_dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "user_id": edit.user.user_id or 0 if edit.user else 0,
                "groups": None,
                "registration": None,
            }
        )
        for edit in edits
    ]
    corpora = tmp_path / "corpora"
    with zipfile.ZipFile(shared / "data" / "nltk" / "stopwords.zip") as archive:
        archive.extractall(corpora)
    for path in corpora.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NLTK_DATA": str(tmp_path)},
    )
    scorer: Any = ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")
    for edit, line in zip(edits, done.stdout.splitlines(), strict=True):
        assert edit.user is not None
        known = type(edit)(
            **{**_fields(edit), "user": type(edit.user)(edit.user.user_id, edit.user.user_text)}
        )
        ours = scorer.feature_values(known, FeatureCache())
        theirs = json.loads(line)
        assert list(ours.values()) == theirs
        assert [type(value).__name__ for value in ours.values()] == RETURNS


def _fields(edit: Any) -> dict[str, Any]:
    return {name: getattr(edit, name) for name in edit.__struct_fields__}


def test_the_example_edit_gives_the_values_that_a_reader_can_count() -> None:
    scorer: Any = ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")
    values = list(scorer.feature_values(EDIT, FeatureCache()).values())
    # "Oaks are stupid!!!!!!" adds three words, one of them informal, "are" a stop word, six times "!".
    assert values == [6, 3.0, 0.0, 0.0, 1.0, 2.0, False, False, 366 * 86_400]
