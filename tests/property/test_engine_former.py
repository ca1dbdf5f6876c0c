"""Whatever the texts, the engine tells their change as the former releases do, and counts as they do."""

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models.engine.document import Document
from models.engine.extractor import rules
from models.engine.fallbacks import FALLBACKS
from models.engine.former_pieces import Pieces
from models.engine.plan import Plan
from models.engine.sequences import matching_blocks, matching_blocks_slowly
from tests.former_differences import WAYS, by_engine, by_features, pieces
from tests.former_features import BADWORDS, TRAINED, of_release
from tests.former_revisions import made_up
from tests.former_roots import given_to_plan, values_of_made_up
from tests.property.test_engine_properties import MARKUP, SPACES, WORDS

_PARTING = [
    *("\n\n", "\n\n", "\n \n", "\n\n  ", "\r\n\r\n", "\n\r\n", "\n\r", "}}\n\n", "|-\n\n", "//x.y\n\n\n"),
    *("http://a.b ", "http://a.b\n", "://c-d\n\n", "mailto:x", "mailto:x\u2028", "http://10.0.0.1", "<\\a"),
    *("Yes. ", "No no no! ", "a b c d e.", ".", ". ", "!", "?", "x", "y"),
]
_PIECES = st.sampled_from([*SPACES, *MARKUP, *WORDS, *_PARTING, *_PARTING, *_PARTING])
EDIT = made_up(1)[0]


@pytest.fixture(autouse=True)
def _made_up_badwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.features.former_words._badwords", lambda _language: BADWORDS)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts, the later like the earlier with some of it gone, new, moved and repeated."""
    before = draw(st.lists(_PIECES, max_size=40))
    after = list(before)
    for _ in range(draw(st.integers(0, 3))):
        at, length = draw(st.integers(0, len(after))), draw(st.integers(0, 12))
        match draw(st.sampled_from(("insert", "remove", "move", "repeat"))):
            case "insert":
                after[at:at] = draw(st.lists(_PIECES, max_size=6))
            case "remove":
                del after[at : at + length]
            case "move":
                after = after[at:] + after[:at]
            case "repeat":
                after += after[at : at + length] * 2
    return "".join(before), "".join(after)


@functools.cache
def analyses() -> dict[str, Pieces]:
    """One of each release, whose memos last."""
    return {tokens: pieces(tokens) for tokens, _ in WAYS}


@functools.cache
def plans() -> dict[str, tuple[list[Any], Plan]]:
    """The features of each release that never fail on made-up edits, and the engine's plan of them."""
    found = {}
    for release in TRAINED:
        _, features = of_release(release)
        rows = [values_of_made_up(features, edit) for edit in made_up(20)]
        able = [
            feature
            for feature, *values in zip(features, *rows, strict=True)
            if not any(isinstance(value, str) for value in values)
        ]
        found[release] = able, Plan(able, rules(able))
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes(), st.booleans())
@example(("!mailto:x\u2028a\n\n  a b\n\nc", "!mailto:x\u2028a\n\n  a b\n\nd"), True)
@example(("a <b\n\nc\n\nd>e\n\nf", "a <b\n\nc\n\nd e\n\nf"), True)
@example(("http://a.b\n\nc d e.\n\n", "http://a.b\n\n\nc d e.\n\n"), False)
@example(("x\n\n" * 9 + "y", "y\n\n" + "x\n\n" * 9), True)
@example(("a b c d e. f", "a b c d e.\n\na b c d e. f\n\na b c d e."), True)
@example(("x\n\nx\n\nx y", "x\n\ny\n\nx"), False)
def test_what_changed_is_what_the_former_releases_tell(texts: tuple[str, str], is_alike: bool) -> None:
    before, after = texts
    for tokens, release in WAYS:
        analysis = analyses()[tokens]
        first = Document(analysis, before)
        second = Document(analysis, after, first if is_alike else None)
        assert by_engine(first, second, tokens, release) == by_features(before, after, tokens, release)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes(), st.booleans())
def test_a_plan_gives_the_values_of_the_solver(texts: tuple[str, str], is_new: bool) -> None:
    FALLBACKS.counts.clear()
    # Halves of surrogate pairs have no bytes, and so no lengths in bytes.
    before, after = (text.encode(errors="replace").decode() for text in texts)
    parent = None if is_new else {**EDIT["parent"], "text": before}
    edit = {**EDIT, "text": after, "parent": parent}
    for features, plan in plans().values():
        values, _ = plan.run(given_to_plan(edit))
        expected = values_of_made_up(features, edit)
        assert [(value, type(value)) for value in values] == [(value, type(value)) for value in expected]
    assert FALLBACKS.counts.keys() <= {"former_difference"}


@st.composite
def sequences(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Two sequences of a few different items, short or of hundreds, alike or not."""
    items = st.integers(0, draw(st.integers(0, 60)))
    times = draw(st.sampled_from((1, 1, 20)))
    before = draw(st.lists(items, max_size=40)) * times
    cut = draw(st.integers(0, 40))
    after = draw(
        st.sampled_from(
            (draw(st.lists(items, max_size=40)) * times, before[cut:] + before[:cut], before[:cut] + before)
        )
    )
    return before, after


@settings(max_examples=200, deadline=None)
@given(sequences())
def test_sequences_match_as_in_difflib(both: tuple[list[int], list[int]]) -> None:
    assert matching_blocks(*both) == matching_blocks_slowly(*both)
