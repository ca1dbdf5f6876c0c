"""What the stand-ins for functions of the first releases refuse, and how their differ cuts and compares."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from models import resources
from models.features import former, kinds
from models.features.definitions import REFUSED
from models.features.describe import describe
from models.features.former_diff import difference
from models.features.former_edits import Account, Edit, Origin, StandIn
from models.features.former_tokens import tokenise
from models.features.former_words import (
    INFONOISE,
    TEXT_REGEX,
    TOKEN_FILTER,
    encode_check,
    process_of,
    utility,
)
from models.features.rebuild import Rebuilder
from models.pickles import Global, Instance
from schemas.errors import ModelIncompatible

FEATURES = "revscoring.features."
JULY_2015, OCTOBER_2015 = 1_435_000_000.0, 1_443_983_469.0
EDIT = Edit(seconds=1_000, user_id=7, user_text="Editor", bytes=5)


def compute(name: str, *values: Any) -> Any:
    """Call what stands for a function of the first releases."""
    return former.FUNCTIONS[FEATURES + name](*values)


def feature(name: str, process: str, *needs: Instance) -> Instance:
    module, _, attribute = (FEATURES + process).rpartition(".")
    return Instance(
        Global("revscoring.features.feature", "Feature"),
        state={
            "name": name,
            "process": Global(module, attribute),
            "dependencies": list(needs),
            "returns": Global("builtins", "int"),
        },
    )


def datasource(name: str, kind: str = "datasources.datasource.Datasource") -> Instance:
    module, _, attribute = f"revscoring.{kind}".rpartition(".")
    return Instance(Global(module, attribute), state={"name": name, "process": None, "dependencies": []})


def refusal(wanted: Instance, origin: Origin) -> str:
    (position,), definitions = describe([wanted], origin=origin)
    assert definitions[position].kind == REFUSED
    with pytest.raises(ModelIncompatible) as refused:
        Rebuilder(definitions, dict).feature(position)
    return refused.value.message


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("page_creation.metadata", "the first revision of the page"),
        ("first_revision_metadata", "the first revision of the page"),
        ("previous_user_revision.metadata", "the editor's previous edit"),
    ],
)
def test_what_revisions_do_not_carry_is_refused_by_its_name(name: str, reason: str) -> None:
    wanted = feature("page.age", "page.process_age", datasource(name))
    assert f"'datasource.{name}' cannot be had: it reads {reason}" in refusal(wanted, Origin())


@pytest.mark.parametrize(
    "origin", [Origin("revscoring.languages.english", OCTOBER_2015), Origin("revscoring.languages.klingon")]
)
def test_words_that_neither_the_file_nor_this_release_holds_are_refused(origin: Origin) -> None:
    needed = datasource("is_badword", "languages.language.LanguageUtility")
    wanted = feature("badwords_added", "badwords_added.process", needed, datasource("revision_text"))
    assert f"is_badword of {origin.language} asked what neither" in refusal(wanted, origin)


def test_the_word_list_of_a_language_counts_the_words_of_its_day() -> None:
    found = {}
    for language in ("english", "turkish", "azerbaijani"):
        stand_in = utility("is_badword", Origin(f"revscoring.languages.{language}", JULY_2015))
        assert isinstance(stand_in, StandIn)
        assert stand_in.function is not None
        is_bad = former.FUNCTIONS[stand_in.function]("")
        found[language] = compute("prev_badwords.process", is_bad, "Stupidly fat salak Salak river")
    # Stems in English: stupidly is stupid.
    assert found == {"english": 2, "turkish": 2, "azerbaijani": 0}


def test_a_namespace_that_a_wiki_made_for_itself_is_not_guessed_at() -> None:
    is_content = former.FUNCTIONS["former:namespaces"](0)
    content = {number: Edit(0, 0, "", 0, number) for number in (0, 1, 14, 101, 104)}
    answers = [
        compute("page.process_is_content_namespace", content[number], is_content)
        for number in (0, 1, 14, 101)
    ]
    assert answers == [True, False, False, False]
    with pytest.raises(ValueError, match="namespace 104"):
        compute("page.process_is_content_namespace", content[104], is_content)


def test_a_parent_whose_time_or_editor_is_unknown_is_not_taken_for_the_edit_itself() -> None:
    parent = Edit(seconds=None, user_id=None, user_text=None, bytes=3)
    with pytest.raises(ValueError, match="when the parent"):
        compute("parent_revision.process_seconds_since", parent, EDIT)
    with pytest.raises(ValueError, match="who saved the parent"):
        compute("parent_revision.process_was_same_user", parent, EDIT, None, None)
    assert compute("parent_revision.process_was_same_user", None, EDIT, None, None) is False


def test_an_account_younger_than_its_edit_counts_as_new_but_not_in_the_first_release() -> None:
    later = Account((), 1_500)
    assert compute("user.process_age", later, EDIT) == 0
    first = former.FUNCTIONS["former:first_account"](7, (), SimpleNamespace(unix=lambda: 1_500))
    assert compute("user_age_in_seconds.process", first, EDIT) == -500


@pytest.mark.parametrize(
    ("release", "tokens"),
    [
        ("0.1.1", ["F16", " ", "don", "'", "t", " ", "http", ":", "/", "/", "a", ".", "b", " ", "c"]),
        ("0.3.1", ["F", "16", " ", "don", "'", "t", " ", "http", ":", "/", "/", "a", ".", "b", " ", "c"]),
        ("0.3.3", ["F16", " ", "don't", " ", "http://a.b c"]),
        ("0.3.8", ["F16", " ", "don't", " ", "http://a.b c"]),
    ],
)
def test_words_and_addresses_end_where_the_release_ended_them(release: str, tokens: list[str]) -> None:
    assert tokenise("F16 don't http://a.b c", release) == tokens


@pytest.mark.parametrize(("release", "added"), [("0.1.1", ""), ("0.3.1", ""), ("0.3.0", ".")])
def test_a_paragraph_that_moved_counts_as_kept_but_was_miscounted_for_a_while(
    release: str, added: str
) -> None:
    cut = "0.1.1" if release == "0.1.1" else "0.3.1"
    old, new = "One two three four five.\n\nSix.", "Six.\n\nOne two three four five."
    changed = difference(tokenise(old, cut), tokenise(new, cut), release)
    assert "".join(changed.added_tokens).strip() == added
    assert "".join(changed.removed_tokens).strip() == ""


def test_a_filter_without_tokens_finds_none_or_refuses_as_its_release_did() -> None:
    built = SimpleNamespace(filter=len, if_none=None)
    assert process_of(TOKEN_FILTER, built)(None) == []
    refusing = former.FUNCTIONS["revscoring.languages.space_delimited.revision.raise_rnf"]
    with pytest.raises(ValueError, match="no text"):
        process_of(TEXT_REGEX, SimpleNamespace(group_re=re.compile("a"), if_none=refusing))(None)


def test_the_noise_of_a_text_is_what_stems_leave_of_its_words() -> None:
    built = SimpleNamespace(stopwords={"the"}, stem_word=resources.stemmer("english").stem)
    infonoise = process_of(INFONOISE, built)
    # Of "houses" and "running" stay "hous" and "run".
    assert infonoise(["The", "houses", "running"]) == 7 / 16
    assert infonoise([]) == 0.0
    assert kinds.FORMER[INFONOISE] == kinds.FEATURE


def test_a_language_without_a_dictionary_cannot_check_words() -> None:
    holder = Instance(
        Global("revscoring.languages.space_delimited.diff", "Diff"),
        state={"language": Instance(Global("a", "b"), state={})},
    )
    with pytest.raises(ModelIncompatible, match="a dictionary without a language"):
        encode_check(holder, "not_in_dictionary")
    assert encode_check(holder, "other") is None
