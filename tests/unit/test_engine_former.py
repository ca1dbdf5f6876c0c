"""The quick ways for features of 2015: where texts are parted, what falls back, what a rule leaves alone."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from models import resources
from models.engine import sequences
from models.engine.document import Document
from models.engine.extractor import rules
from models.engine.fallbacks import FALLBACKS
from models.engine.former_pieces import Piece, Pieces, in_lines, in_whole
from models.engine.former_rules import FormerRules, LongestOf, uppercase_of
from models.engine.former_tokens import lexicon
from models.engine.plan import PARENT_TEXT, TEXT, Plan
from models.features.former_markup import HeadingsOf, Matching, Nodes
from models.features.former_texts import (
    Compared,
    ComparedTexts,
    LongestRun,
    Tokens,
    Words,
    is_word,
    no_text,
    uppercase,
)
from models.features.former_tokens import LEXICONS, tokenise
from models.features.former_words import Check, Filtered, InSegments, InText
from tests.former_differences import WAYS, by_engine, by_features, pieces
from tests.former_features import BADWORDS, TRAINED, of_release
from tests.former_revisions import made_up
from tests.former_roots import given_to_plan, values_of_made_up

# None of these is left in a plan of all features of a release.
SLOW = (Compared, ComparedTexts, Nodes, Matching, HeadingsOf)
TEXTS = {
    "paragraphs": "One two three. Four!\n\nFive six.\nSeven\n\n\n  Eight  \n \nnine",
    "only blanks": " \n\t\n \u3000\n",
    "blanks first": "\n  a\n\nb",
    "a tag over a break": "a <b\n\nc\n\nd> e\n\nf",
    "a tag that is never closed": "a <b\n\nc\n\nd",
    "a tag behind a closed one": "<i> <b\n\nc>\n\nd",
    "an address before a break": "http://a.b\n\nc\n\nd",
    "an address that takes a blank for a letter": "mailto:x\u2028y\n\n  c\n\nd",
    "an address of a private network": "http://10.0.0.1:8080/x http://10.0.0.1\n\nc",
    "other line breaks": "a\x0b\x1c\n\u2028\nb\x85c\r\r\nd\r\n\r\ne\n\r\nf",
    "scripts": "\u65e5\u672c\u8a9e\u306e\u3002 \u0627\u0644 \u0130 \u0391\u03a3 e\u0301 \U0001f600\n\n\ud800",
    "signs": "...!? a ... b !!! c '''d''' {{e|f}}\n\n== g ==\n\n{| h\n|-\n|}",
    "long and short": "." * 400 + "\n\n" + "a" * 401 + "\n\nb",
}


@pytest.mark.parametrize("release", LEXICONS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_parts_have_the_tokens_of_the_whole(text: str, release: str) -> None:
    expected = [(token, token.type) for token in tokenise(text, release)]
    parts = lexicon(release).parts(text)
    assert [(token, token.type) for part in parts for token in lexicon(release).tokens(part)] == expected
    assert "".join(parts) == text


@pytest.mark.parametrize(("tokens", "release"), WAYS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_change_beside_odd_text_is_told_as_it_was(text: str, tokens: str, release: str) -> None:
    for before, after in ((text, text), (text, f"{text} x"), (f"y. {text}", text), ("", text), (text, "")):
        analysis = pieces(tokens)
        first = Document(analysis, before)
        found = by_engine(first, Document(analysis, after, first), tokens, release)
        assert found == by_features(before, after, tokens, release)


def test_an_edit_analyses_only_the_parts_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    analysed: list[str] = []
    block = Pieces.block

    def noted(self: Pieces, text: str) -> Piece:
        analysed.append(text)
        return block(self, text)

    monkeypatch.setattr(Pieces, "block", noted)
    paragraphs = [f"Paragraph {number} has some words." for number in range(300)]
    for release in LEXICONS:
        analysis = pieces(release)
        first = Document(analysis, "\n\n".join(paragraphs))
        analysed.clear()
        Document(analysis, "\n\n".join([*paragraphs[:150], "Something else.", *paragraphs[150:]]), first)
        assert 0 < sum(map(len, analysed)) < 1_000


def test_the_release_that_lost_count_falls_back_where_a_paragraph_moved() -> None:
    analysis = pieces("0.3.1")
    before, moved = "a b. c d\n\ne f. g h\n\ni", "e f. g h\n\nk\n\na b. c d\n\ni"
    for after, count in (("a b. c d\n\ne f. g i\n\nj", 0), (moved, 1)):
        FALLBACKS.counts.clear()
        first, second = Document(analysis, before), Document(analysis, after)
        assert by_engine(first, second, "0.3.1", "0.3.0") == by_features(before, after, "0.3.1", "0.3.0")
        assert FALLBACKS.counts["former_difference"] == count


@pytest.mark.parametrize("release", sorted(TRAINED))
def test_the_engine_gives_the_values_of_every_feature_of_a_release(
    release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.features.former_words._badwords", lambda _language: BADWORDS)
    _, features = of_release(release)
    edits = made_up()
    rows = [values_of_made_up(features, edit) for edit in edits]
    # Some fail where a revision does not tell what they ask for.
    able = [at for at in range(len(features)) if not any(isinstance(row[at], str) for row in rows)]
    assert len(able) > len(features) * 3 // 4
    wanted = [features[at] for at in able]
    plan = Plan(wanted, rules(wanted))
    for edit, row in zip(edits, rows, strict=True):
        values, _ = plan.run(given_to_plan(edit))
        assert [(value, type(value)) for value in values] == [(row[at], type(row[at])) for at in able]
    assert not any(isinstance(step.process, SLOW) for step in plan._steps)


def test_without_c_difflib_itself_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "native", None)
    assert sequences.matching_blocks("abcd", "xbcyd") == [(1, 1, 2), (3, 4, 1)]
    assert sequences.matching_blocks([], "a") == sequences.matching_blocks("a", []) == []


def source(process: Any, *below: Any) -> Any:
    return resources.module("datasources").Datasource("made", process, depends_on=list(below))


def text(name: str = TEXT) -> Any:
    return resources.module("datasources").Datasource(name.removeprefix("datasource."))


def number_of(process: Any, below: Any, returns: type = int) -> Any:
    listed = source(process, below)
    return resources.module("features.feature").Feature("number", len, returns=returns, depends_on=[listed])


def built(**attributes: Any) -> Any:
    return SimpleNamespace(**{"if_none": None, **attributes})


def in_text(pattern: str, if_none: Any = None) -> InText:
    return InText(built(group_re=re.compile(pattern), if_none=if_none))


UNKNOWN = {
    "a float": lambda: number_of(Words(re.compile("a")), text(), float),
    "a pattern over lines": lambda: number_of(Words(re.compile(r"a\s")), text()),
    "a word list of another form": lambda: number_of(in_text("a|b"), text()),
    "a word list that refers back": lambda: number_of(in_text(r"\b((a)\2)\b"), text()),
    "a text that must be there": lambda: number_of(in_text(r"\b(a)\b", no_text), text()),
    "tokens by another test": lambda: number_of(
        Filtered(built(filter=str.isalpha)), source(Tokens("0.3.3"), text())
    ),
    "tokens of two releases": lambda: source(
        Compared("0.3.1"), source(Tokens("0.3.3"), text(PARENT_TEXT)), source(Tokens("0.3.8"), text())
    ),
    "the first tokens and a later release": lambda: source(
        ComparedTexts("0.1.1", "0.3.1"), text(PARENT_TEXT), text()
    ),
}


@pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_known_is_left_to_the_former_code(unknown: Any) -> None:
    node = unknown()
    assert FormerRules([node])(node) is None


def test_lists_of_words_count_as_before_in_texts_and_in_what_changed() -> None:
    listed = re.compile(r"\b(ba+d|two words|x-y)\b", re.IGNORECASE)
    over_lines = re.compile(r"\b(ba+d|two\swords)\b")
    full = "Bad baaad two words\n\nBAD, x-y two\nwords.\n\nabad"
    for pattern in (listed, over_lines):
        feature = number_of(InText(built(group_re=pattern)), text())
        plan = Plan([feature], rules([feature]))
        assert not any(isinstance(step.process, InText) for step in plan._steps)
        for value in (full, None, ""):
            assert plan.run({TEXT: value})[0] == [len(pattern.findall(value or ""))]
    feature = number_of(InSegments(built(group_re=listed)), source(lambda value: [value, "bad"], text()))
    plan = Plan([feature], rules([feature]))
    assert plan.run({TEXT: full})[0] == [len(listed.findall(full)) + 1]


def test_a_dictionary_is_asked_once_for_a_word() -> None:
    asked: list[str] = []

    class Dictionary:
        def check(self, word: str) -> bool:
            asked.append(word)
            return word == "oak"

    check = Check(Dictionary(), is_wanted=False, is_tidied=True)
    words = source(Filtered(built(filter=is_word)), source(Tokens("0.3.8"), text()))
    feature = number_of(Filtered(built(filter=check)), words)
    plan = Plan([feature], rules([feature]))
    for value in ("oak elm 5 oak. elm", "elm oak \U00010330"):
        assert plan.run({TEXT: value})[0] == [2]
    assert sorted(asked) == ["elm", "oak", "\ufffd"]


def test_counts_keep_to_the_parts_that_a_pattern_cannot_reach_over() -> None:
    over_lines, over_blanks = re.compile(r"a\sb"), re.compile("a b")
    assert [in_lines().keeps(each) for each in (over_lines, over_blanks)] == [False, True]
    assert [pieces("0.1.1").keeps(each) for each in (over_blanks, re.compile("a"))] == [False, True]
    assert in_whole().keeps(over_lines)


def test_capitals_and_runs_are_counted_alike() -> None:
    for value in ("aA\u0130\u01c5\u03a3 \xdf\u1e9e", "", "AAAaaa  bbb"):
        assert uppercase_of(value) == uppercase(value)
        for default in (0, 1):
            slow, quick = LongestRun(default), LongestOf(default)
            assert (quick([value, "xx"]), quick([])) == (slow([value, "xx"]), slow([]))
