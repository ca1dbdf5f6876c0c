"""Patterns mean what they mean to ChangeProp."""

from typing import Any

import pytest

from agents.rules.match import (
    ABSENT,
    PatternError,
    UnmatchableError,
    compile_alternatives,
    compile_match,
    shown,
)

EVENT: dict[str, Any] = {
    "wiki_id": "mosswiki",
    "page": {"namespace_id": 0, "is_redirect": False, "title": ""},
    "meta": {"domain": "moss.example.org"},
    "tags": ["blue", 7, {"kind": "moss", "size": 3}, ["deep", "deeper"]],
    "nothing": None,
    "size": 10,
    "share": 0.5,
    "title": "Moss",
}


def matches(pattern: object, event: object = EVENT) -> bool:
    return compile_match(pattern).failure(event) is None


@pytest.mark.parametrize("constant", ["mosswiki", 10, 0.5, False, "", -1])
def test_a_constant_matches_itself(constant: object) -> None:
    assert matches({"field": constant}, {"field": constant})


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("1", 1),
        (1, "1"),
        (1, True),
        (True, 1),
        (False, 0),
        (0, False),
        ("true", True),
        ("Moss", "moss"),
        (0, None),
        ("", None),
    ],
)
def test_a_constant_matches_nothing_of_another_type_or_case(wanted: object, given: object) -> None:
    assert not matches({"field": wanted}, {"field": given})


@pytest.mark.parametrize(("wanted", "given"), [(1, 1.0), (1.0, 1), (2**53, 2**53 + 1), (10**400, 10**401)])
def test_numbers_are_those_of_javascript(wanted: float, given: float) -> None:
    assert matches({"field": wanted}, {"field": given})


def test_only_the_keys_of_the_pattern_are_looked_at() -> None:
    assert matches({"wiki_id": "mosswiki"})
    assert not matches({"wiki_id": "mosswiki", "missing": "x"})


def test_objects_match_recursively() -> None:
    assert matches(
        {"page": {"namespace_id": 0, "is_redirect": False}, "meta": {"domain": "moss.example.org"}}
    )
    assert not matches({"page": {"namespace_id": 0, "is_redirect": True}})


def test_undefined_means_that_the_field_is_absent() -> None:
    assert matches({"rev_parent_id": "undefined"})
    assert matches({"page": {"missing": "undefined"}})
    assert not matches({"wiki_id": "undefined"})


def test_null_is_not_absent() -> None:
    assert not matches({"nothing": "undefined"})


def test_a_word_undefined_in_the_event_is_not_absent() -> None:
    assert not matches({"field": "undefined"}, {"field": "undefined"})


@pytest.mark.parametrize("value", [None, "", 0, False])
def test_an_object_in_an_object_needs_something_true_there_even_for_undefined(value: object) -> None:
    assert not matches({"field": {"inside": "undefined"}}, {"field": value})
    assert not matches({"field": {"inside": "undefined"}}, {})
    assert matches({"field": {"inside": "undefined"}}, {"field": {}})
    assert matches({"field": {"inside": "undefined"}}, {"field": "text"})


def test_a_regular_expression_is_searched_for_in_texts_alone() -> None:
    assert matches({"wiki_id": "/^(moss|fern)wiki$/"})
    assert matches({"wiki_id": "/wiki/"})
    assert not matches({"size": "/10/"})
    assert not matches({"nothing": "/null/"})
    assert not matches({"missing": "/undefined/"})


def test_flags_count() -> None:
    assert matches({"wiki_id": "/^MOSS/i"})
    assert not matches({"wiki_id": "/^MOSS/"})


def test_slashes_with_an_unknown_flag_are_a_constant() -> None:
    assert not matches({"wiki_id": "/moss/s"})
    assert matches({"path": "/moss/s"}, {"path": "/moss/s"})
    assert matches({"path": "/moss"}, {"path": "/moss"})


def test_an_array_has_to_be_contained_in_any_order() -> None:
    assert matches({"tags": [7, "blue"]})
    assert matches({"tags": ["/^bl/"]})
    assert matches({"tags": []})
    assert not matches({"tags": ["blue", "red"]})


def test_an_array_matches_no_value_that_is_none() -> None:
    for value in ("blue", None, {"0": "blue"}, ABSENT):
        assert not matches({"tags": ["blue"]}, {"tags": value} if value is not ABSENT else {})


def test_objects_and_arrays_inside_an_array_match_as_patterns() -> None:
    assert matches({"tags": [{"kind": "moss"}]})
    assert matches({"tags": [["deeper"]]})
    assert not matches({"tags": [{"kind": "fern"}]})


@pytest.mark.parametrize(("wanted", "given"), [(0, [0]), (False, [False]), ("/^/", ["", "a"]), ("", [""])])
def test_an_array_contains_nothing_that_javascript_takes_for_false(wanted: object, given: object) -> None:
    # ChangeProp looks at what it finds, and not at whether it finds.
    assert not matches({"tags": [wanted]}, {"tags": given})


def test_a_null_among_the_elements_makes_changeprop_leave_the_event() -> None:
    pattern = compile_match({"tags": [{"kind": "moss"}]})
    with pytest.raises(UnmatchableError):
        pattern.failure({"tags": [None, {"kind": "moss"}]})
    assert pattern.failure({"tags": [{"kind": "moss"}, None]}) is None


def test_elements_and_lengths_are_fields_as_in_javascript() -> None:
    assert matches({"tags": {"0": "blue", "length": 4}})
    assert matches({"title": {"length": 4, "0": "M"}})
    assert not matches({"tags": {"00": "blue"}})
    assert matches({"tags": {"9": "undefined"}})


def test_alternatives_are_a_list_or_one_mapping() -> None:
    assert len(compile_alternatives([{"a": 1}, {"b": 2}])) == 2
    assert len(compile_alternatives({"a": 1})) == 1
    assert compile_alternatives([]) == ()


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ({"a": None}, "a"),
        ({"a": {}}, "a"),
        ({}, ""),
        ([{"a": 1}], ""),
        ("text", ""),
        ({"a": {"b": [None]}}, "a.b[]"),
        ({"a": {"b": "/(/"}}, "a.b"),
        ({"a": "/x/gg"}, "a"),
        ({"a": "/(?<name>x)(y)/"}, "a"),
    ],
)
def test_a_pattern_without_meaning_is_refused_with_its_place(pattern: object, path: str) -> None:
    with pytest.raises(PatternError) as told:
        compile_match(pattern)
    assert told.value.path == path


def test_a_pattern_nested_beyond_reason_is_refused() -> None:
    pattern: object = "x"
    for _ in range(100):
        pattern = {"a": pattern}
    with pytest.raises(PatternError, match="nested"):
        compile_match(pattern)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ({"wiki_id": "mosswiki", "page": {"namespace_id": 4}}, "page.namespace_id is 0, and 4 is wanted"),
        (
            {"meta": {"domain": "/^fern/"}},
            'meta.domain is "moss.example.org", and a text with /^fern/ is wanted',
        ),
        ({"missing": {"deep": 1}}, "missing is absent, and a mapping is wanted"),
        ({"nothing": "undefined"}, "nothing is null, and absent is wanted"),
        ({"tags": ["red"]}, '"red" is wanted'),
        ({"size": [1]}, "size is 10, and a list is wanted"),
    ],
)
def test_the_first_condition_that_fails_is_told_by_path_and_value(pattern: object, told: str) -> None:
    failure = compile_match(pattern).failure(EVENT)
    assert failure is not None
    assert told.removeprefix('"red"') in str(failure)


def test_a_long_value_is_told_in_short() -> None:
    assert len(shown("x" * 1000)) < 100
    assert len(shown(list(range(1000)))) < 100
    assert shown({"a": 1}) == "a mapping"
