"""What holds for any pattern and any event."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.rules.document import read_document, write_document
from agents.rules.javascript import compile_regex
from agents.rules.match import UNDEFINED, PatternError, UnmatchableError, compile_match
from agents.rules.sample import Sample

_names = st.text("abcdef_", min_size=1, max_size=4)
_texts = st.text(max_size=8)
_scalars = (
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | _texts
)
_values = st.recursive(
    st.none() | _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=12,
)
# Patterns that say themselves: nothing in them reads as more than a constant, and no element is false.
_plain_texts = st.text("abc /_é", max_size=6).map("x{}".format)
_plain_events = st.dictionaries(
    _names,
    st.recursive(
        _plain_texts | st.integers(1, 9) | st.just(value=True),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, min_size=1, max_size=3),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)
_events = st.dictionaries(_names, _values, max_size=5)
_patterns = st.recursive(
    _scalars | st.just(UNDEFINED),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_names, inner, min_size=1, max_size=3),
    max_leaves=8,
)


def outcome(pattern: object, event: object) -> str:
    try:
        return "no" if compile_match(pattern).failure(event) else "yes"
    except PatternError:
        return "refused"
    except UnmatchableError:
        return "left"


@given(_plain_events)
def test_an_event_matches_itself(event: dict[str, Any]) -> None:
    assert outcome(event, event) == "yes"


@given(_plain_events, st.data())
def test_a_part_of_an_event_matches_it(event: dict[str, Any], data: st.DataObject) -> None:
    keys = data.draw(st.sets(st.sampled_from(sorted(event)), min_size=1))
    assert outcome({key: event[key] for key in keys}, event) == "yes"


@given(_events, _names)
def test_a_field_is_either_absent_or_there(event: dict[str, Any], name: str) -> None:
    assert outcome({name: UNDEFINED}, event) == ("no" if name in event else "yes")


@given(st.dictionaries(_names, _patterns, min_size=1, max_size=3), _events)
def test_a_match_changes_nothing_and_always_says_the_same(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    before = copy.deepcopy(event)
    assert outcome(pattern, event) == outcome(pattern, event)
    assert event == before


@given(st.dictionaries(_names, _patterns, min_size=1, max_size=3), _events)
def test_what_matches_all_conditions_matches_each(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    if outcome(pattern, event) == "yes":
        assert all(outcome({key: value}, event) == "yes" for key, value in pattern.items())


@given(st.dictionaries(_names, _patterns, min_size=1, max_size=3), _events)
def test_a_failure_tells_a_value_that_fails(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    if outcome(pattern, event) == "no":
        failure = compile_match(pattern).failure(event)
        assert failure is not None
        assert failure.path.partition(".")[0].partition("[")[0] in pattern
        assert str(failure)


@given(_texts.filter(bool))
def test_an_expression_of_escaped_characters_finds_its_text(text: str) -> None:
    escaped = "".join(f"\\u{ord(unit):04x}" for unit in text if ord(unit) < 1 << 16)
    plain = "".join(unit for unit in text if ord(unit) < 1 << 16)
    if plain:
        regex = compile_regex(f"/^{escaped}$/")
        assert regex.matches(plain)
        assert not regex.matches(plain + "\n")
        assert not regex.matches("x" + plain)


@given(
    st.text("abw\\/[]{}()?*+-^$|.,:=!<>dDsSb1u09\n😀", max_size=12), st.sampled_from(("", "i", "m", "u", "y"))
)
def test_any_text_between_slashes_is_understood_or_refused_with_a_reason(text: str, flags: str) -> None:
    try:
        compile_regex(f"/{text}/{flags}").matches(text)
    except ValueError as error:
        told = str(error)
    else:
        told = "understood"
    assert told


@given(st.floats(0.0001, 1), st.floats(0.0001, 1), _scalars)
def test_a_larger_sample_holds_a_smaller(one: float, other: float, value: object) -> None:
    small, large = (Sample(rate, (("key",),)) for rate in sorted((one, other)))
    assert large.takes({"key": value}) or not small.takes({"key": value})


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff")
    )
)
def test_any_text_survives_a_rule_file(text: str) -> None:
    assert read_document(write_document({"a": [text], text: 1} if text else {"a": [text]}), "x").value[
        "a"
    ] == [text]
