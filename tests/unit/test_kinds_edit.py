"""The contract "edit": what is counted of an edit, on any wiki."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.kinds.edit_features import FEATURES, EditFeatures, words_changed
from models.kinds.wikitext_outline import DEEPEST, outline
from models.manifest import FeatureSpec
from models.scoring import FeatureCache
from schemas.errors import ModelIncompatible, ParentNotFound, RevisionDeleted
from schemas.revision import RevisionUser
from tests.kinds import features_of
from tests.model_revisions import EDITOR, edit

PAGE = """{{Infobox tree|name={{lang|la|Quercus}}|image=[[File:Oak.jpg]]|}}
'''Oaks''' are [[tree|trees]] of the [[beech family]].<ref name="a">{{cite|url=http://a.example/x}}</ref>
<!-- no -->
== Species ==
{| class="x"
| [[Quercus robur]]
|}
See [http://b.example the list]. <nowiki>{{not}} [[these]]</nowiki><ref name="a" />
<gallery>
Leaf.png|A [[leaf]]
</gallery>
[[Kategorie:Baum]] [[Star Trek: Voyager]]
"""


def _kinds(wikitext: str) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for (kind, _), times in outline(wikitext).elements.items():
        kinds[kind] = kinds.get(kind, 0) + times
    return kinds


def test_each_element_of_a_page_is_counted_with_those_inside_it() -> None:
    assert _kinds(PAGE) == {
        "template": 3,
        "media": 2,
        "link": 6,
        "reference": 2,
        "external_link": 2,
        "heading": 1,
        "table": 1,
    }


def test_prose_is_what_readers_read_without_markup() -> None:
    words = outline(PAGE).prose.split()
    assert " ".join(words) == ("Oaks are trees of the beech family. Species See the list. Star Trek: Voyager")


def test_what_is_never_closed_counts_as_text() -> None:
    found = outline("{{never [[closed\nBut this is read: [[tree]].")
    assert "But this is read: tree." in found.prose
    assert dict(found.elements) == {("link", "[[tree]]"): 1}


def test_closes_without_opens_are_text_too() -> None:
    assert outline("a }} b ]] c |} d").prose == "a }} b ]] c |} d"


def test_elements_beyond_the_depth_count_with_those_that_hold_them() -> None:
    found = outline("{{a|" * (DEEPEST + 5) + "}}" * (DEEPEST + 5))
    assert sum(found.elements.values()) == DEEPEST


@pytest.mark.parametrize(
    "unit",
    [
        "{{",
        "{{a|",
        "}}",
        "[[",
        "[[a|b]]",
        "{|",
        "<ref>",
        "<ref ",
        "</ref ",
        "<!--",
        "<nowiki>",
        "[http://a ",
        "=",
        "=a=\n",
        "'",
        "|",
        "<gallery>\n",
        "[[a:",
        "{{}}",
        "{{[[}}]]",
        "a.jpg",
        "http://",
        "\n",
        "<a ",
    ],
)
def test_hostile_wikitext_is_outlined_in_linear_time(unit: str) -> None:
    began = time.process_time()
    outline(unit * (400_000 // len(unit)))
    outline("[http://" + unit * (100_000 // len(unit)))
    # Quadratic time would be minutes; this leaves room for a slow machine.
    assert time.process_time() - began < 5


@given(st.text(alphabet="{}[]|<>/ref!-='\n ab:.jpg", max_size=300))
def test_any_text_can_be_outlined(text: str) -> None:
    found = outline(text)
    assert all(times > 0 and source for (_, source), times in found.elements.items())
    same, none = words_changed(found.prose, found.prose)
    assert not same
    assert not none


@given(st.text(max_size=200), st.text(max_size=200))
def test_what_one_direction_adds_the_other_removes(one: str, other: str) -> None:
    added, removed = words_changed(one, other)
    assert words_changed(other, one) == (removed, added)
    assert not (added & removed)


def test_words_are_words_in_every_script() -> None:
    words = "naïve l'arbre हिन्दी עִבְרִית"
    added, _ = words_changed("", f"({words}), 42!")
    assert set(added) == {"naïve", "l", "arbre", "हिन्दी", "עִבְרִית", "42"}
    added, _ = words_changed("", "樫の木。")
    assert set(added) == {"樫", "の", "木"}


def test_a_word_that_moved_did_not_change_and_an_altered_one_was_removed_and_added() -> None:
    found = features_of(edit(parent_text="one two three", text="three one TWO"))
    assert (found["edit.words_added"], found["edit.words_removed"]) == (1, 1)
    assert found["edit.words_added.capital_share"] == pytest.approx(3 / 4)


def test_features_of_an_edit_are_what_one_would_count_by_hand() -> None:
    found = features_of(
        edit(
            parent_text="An oak is a [[tree]].<ref>x</ref>",
            text="An oak is a [[tree]]. It grooooows [[slowly]] grooooows 1000 years.\n== More ==",
            comment="/* Growth */ see [[Talk:Oak]]",
        )
    )
    assert found == {
        "edit.user.is_anonymous": False,
        "edit.user.is_trusted": False,
        "edit.comment.names_section": True,
        "edit.comment.characters": 16,
        "edit.comment.has_link": True,
        "edit.bytes_added": 45,
        "edit.bytes_removed": 0,
        "edit.words_added": 7,
        "edit.words_removed": 0,
        "edit.words_added.capital_share": pytest.approx(2 / 40),
        "edit.words_added.digit_share": pytest.approx(4 / 40),
        "edit.words_added.repeated_share": pytest.approx(1 / 7),
        "edit.words_added.longest": 9,
        "edit.words_added.longest_run": 5,
        "edit.links_added": 1,
        "edit.links_removed": 0,
        "edit.references_added": 0,
        "edit.references_removed": 1,
        "edit.external_links_added": 0,
        "edit.external_links_removed": 0,
        "edit.templates_added": 0,
        "edit.templates_removed": 0,
        "edit.medias_added": 0,
        "edit.medias_removed": 0,
        "edit.headings_added": 1,
        "edit.headings_removed": 0,
        "edit.tables_added": 0,
        "edit.tables_removed": 0,
    }


def test_every_feature_gives_what_it_declares() -> None:
    types = {"bool": bool, "int": int, "float": float}
    for revision in (edit(), edit(text="", comment=""), edit(text="X" * 9, user=RevisionUser(None, "::1"))):
        for name, value in features_of(revision).items():
            assert type(value) is types[FEATURES[name].returns], name


@pytest.mark.parametrize(
    ("user", "is_anonymous", "is_trusted"),
    [
        (EDITOR, False, False),
        (RevisionUser(None, "192.0.2.1"), True, False),
        (RevisionUser(0, "192.0.2.1"), True, False),
        (RevisionUser(9, "~2026-31415"), True, False),
        (RevisionUser(9, "Wiki-~2026-fan"), False, False),
        (RevisionUser(9, "Ann", ("autoconfirmed", "user")), False, False),
        (RevisionUser(9, "Ann", ("autopatrolled", "user")), False, True),
        (RevisionUser(9, "Ann", ("sysop",)), False, True),
    ],
)
def test_who_edited_is_told_by_account_and_groups(
    user: RevisionUser, is_anonymous: bool, is_trusted: bool
) -> None:
    found = features_of(edit(user=user))
    assert (found["edit.user.is_anonymous"], found["edit.user.is_trusted"]) == (is_anonymous, is_trusted)


def test_an_account_of_unknown_groups_takes_the_declared_value() -> None:
    trusted = FeatureSpec("edit.user.is_trusted", "bool", True)
    features = EditFeatures((trusted, FeatureSpec("edit.words_added", "int")))

    def of(user: RevisionUser) -> Any:
        return features.compute(edit(user=user), FeatureCache())["edit.user.is_trusted"]

    assert of(RevisionUser(9, "Ann", is_known=False)) is True
    assert of(RevisionUser(None, "192.0.2.1", is_known=False)) is False
    assert of(RevisionUser(9, "Ann")) is False


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"user": None}, RevisionDeleted, "hidden"),
        ({"rev_parent_id": None, "parent_text": None}, ParentNotFound, "first of its page"),
        ({"rev_parent_id": 7, "parent_text": None}, ParentNotFound, "parent 7"),
    ],
)
def test_what_is_missing_is_told_by_a_typed_error(
    changes: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        features_of(edit(**changes))


@pytest.mark.parametrize("spec", [FeatureSpec("edit.words", "int"), FeatureSpec("edit.words_added", "float")])
def test_a_feature_that_the_contract_does_not_have_is_refused_by_name(spec: FeatureSpec) -> None:
    with pytest.raises(ModelIncompatible, match=spec.name) as caught:
        EditFeatures((spec,))
    assert caught.value.fields == {"feature": spec.name}


def test_models_of_one_revision_share_what_they_count() -> None:
    cache, spec = FeatureCache(), FeatureSpec("edit.words_added", "int")
    first = EditFeatures((spec,)).compute(edit(), cache)
    assert len(cache.values) == 1
    assert EditFeatures((spec,)).compute(edit(), cache) == first
