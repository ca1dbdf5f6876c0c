"""A matcher finds what revscoring's extractor finds, in real texts and by its own rules."""

import re
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from batch.dump import read_dump
from models import resources
from models.engine import matches, patterns_automaton, patterns_syntax
from models.engine.fallbacks import FALLBACKS
from models.engine.matches import Matcher, RunSieve
from models.engine.words import LONGEST, WordMemo
from tests.extractors import extractor, extractors_of

MANY_WORDS = " ".join(f"w{number}" for number in range(300))


@pytest.mark.parametrize("language", sorted(resources.languages()))
def test_no_list_of_a_language_needs_the_slow_way(language: str) -> None:
    before = FALLBACKS.counts["matches"]
    for each in extractors_of(language):
        Matcher(each).find("Text, text.\n")
    assert FALLBACKS.counts["matches"] == before


@pytest.mark.parametrize("language", ["bengali", "chinese", "english", "german", "persian", "turkish"])
def test_real_texts_have_the_matches_that_revscoring_finds(shared: Path, language: str) -> None:
    texts = real_texts(shared)
    found = 0
    for each in extractors_of(language):
        matcher = Matcher(each)
        for text in texts:
            expected = each.process(text)
            assert matcher.find(text) == expected
            found += len(expected)
    assert found or language not in {"english", "turkish"}


def test_lines_of_real_texts_give_the_matches_of_the_whole(shared: Path) -> None:
    splitting = [m for m in map(Matcher, extractors_of("english")) if m.splits_at_lines]
    assert len(splitting) == 3
    for text in real_texts(shared):
        for matcher in splitting:
            by_line = [found for line in text.splitlines(keepends=True) for found in matcher.find(line)]
            assert matcher.find(text) == by_line


@pytest.mark.parametrize(
    ("expressions", "text", "expected"),
    [
        (["can'?t"], "cant can't can' CAN'T scan't", ["cant", "can't", "CAN'T"]),
        (["red[-_ ]neck"], "red-neck red_neck red neck redneck", ["red-neck", "red_neck", "red neck"]),
        (["a b", "b c"], "a b c b c", ["a b", "b c"]),
        (["as", "as if"], "as if", ["as"]),
        (["as if", "as"], "as if as", ["as if", "as"]),
        ([r"\(x\)"], "a(x)b a (x) b(x) (x)c", ["(x)"]),
        ([r"\w+-like"], "bird-like -like a-b-like", ["bird-like", "b-like"]),
        (["ha{2,}"], "ha haa haaa", ["haa", "haaa"]),
        (
            ["stra\u017f\u017fe", "kelvin"],
            "STRASSE strasse \u212aelvin",
            ["STRASSE", "strasse", "\u212aelvin"],
        ),
        (["ikinci"], "İkinci \u0131k\u0131nc\u0131 IKINCI", ["İkinci", "\u0131k\u0131nc\u0131", "IKINCI"]),
        (["\u03b1\u03b9"], "\u03b1\u03b9 \u0391\u0345 \u03b1\u0345β", ["\u03b1\u03b9", "\u03b1\u0345"]),
        (["\u03b1\u03b9β"], "\u03b1\u0345β", ["\u03b1\u0345β"]),
        (["i.b"], "i.b i b\ni\nb", ["i.b", "i b"]),
        (["(?<=x )a"], "x a y a", ["a"]),
        (["a(?= b)"], "a b a c", ["a"]),
    ],
)
def test_expressions_are_read_as_they_stand(expressions: list[str], text: str, expected: list[str]) -> None:
    each = extractor(expressions)
    assert each.process(text) == expected
    assert Matcher(each).find(text) == expected
    assert Matcher(each).find(f"{text}\n{MANY_WORDS}") == each.process(f"{text}\n{MANY_WORDS}")


@pytest.mark.parametrize(
    ("expressions", "options", "splits"),
    [
        (["a", "b c"], {}, True),
        (["a.c"], {}, True),
        (["a.c"], {"regex_flags": re.IGNORECASE | re.DOTALL}, False),
        ([r"a\sb"], {}, False),
        (["a[^b]c"], {}, False),
        (["^a"], {}, False),
        (["a$"], {}, False),
        (["^a$"], {"regex_flags": re.MULTILINE}, True),
        ([r"a\Z"], {"regex_flags": re.MULTILINE}, False),
        (["(?!\n)a"], {}, False),
        (["a*"], {}, False),
        (["a"], {"wrapping": None}, True),
        (["a"], {"wrapping": (r"^|[^\w]", r"$|[^\w]")}, False),
    ],
)
def test_a_list_splits_at_lines_only_where_no_line_feed_can_matter(
    expressions: list[str], options: dict[str, Any], splits: bool
) -> None:
    assert Matcher(extractor(expressions, **options)).splits_at_lines is splits


@pytest.mark.parametrize(
    ("expressions", "options"),
    [
        (["a*"], {}),
        (["(x)y\\3"], {}),
        ([".a"], {}),
        ([r"\w*.a"], {}),
        (["a"], {"regex_flags": re.ASCII}),
        (["a"], {"wrapping": ("x", "y")}),
        (["a)(b"], {}),
    ],
)
def test_what_cannot_be_proven_is_found_by_revscorings_own_expression_and_counted(
    expressions: list[str], options: dict[str, Any]
) -> None:
    each = extractor(expressions, **options)
    text = "a xyxa ba é-a ab aaa xay xyx"
    before = FALLBACKS.counts["matches"]
    assert Matcher(each).find(text) == each.process(text)
    assert FALLBACKS.counts["matches"] == before + 1


def test_what_a_list_excludes_is_left_out() -> None:
    each = extractor(["ba[dr]", "bat man"], exclusions=["bar", "bat man"])
    assert Matcher(each).find("bad bar bat man BAD") == each.process("bad bar bat man BAD") == ["bad", "BAD"]


def test_an_extractor_of_an_older_file_has_no_exclusions() -> None:
    each = extractor(["bad"])
    del each.exclude_re
    assert Matcher(each).find("bad") == ["bad"]


def test_matchers_are_equal_by_expressions_and_exclusions() -> None:
    plain = Matcher(extractor(["a", "b"]))
    assert plain == Matcher(extractor(["a", "b"]))
    assert hash(plain) == hash(Matcher(extractor(["a", "b"])))
    assert plain != Matcher(extractor(["a"]))
    assert plain != Matcher(extractor(["a", "b"], exclusions=["a"]))


def test_runs_counted_by_the_caller_serve_as_well() -> None:
    each = extractor(["a b", "c"])
    assert Matcher(each).find_in("a b c a", Counter(["a", "b", "c", "a"])) == ["a b", "c"]


def test_a_sieve_keeps_what_each_of_its_matchers_reads(shared: Path) -> None:
    matchers = [Matcher(each) for each in [*extractors_of("english"), *extractors_of("bengali")]]
    sieve = RunSieve(matchers)
    for text in real_texts(shared):
        runs = dict.fromkeys(re.findall(r"\w+", text))
        kept = sieve.kept(runs)
        assert len(kept) <= len(runs) / 2 or len(runs) < 100
        for matcher in matchers:
            assert matcher.find_in(text, kept) == matcher.find(text)


@pytest.mark.parametrize("expressions", [["a+h*"], [r"a\w*"], ["b"], ["a+ b"]])
def test_a_token_of_a_megabyte_is_decided_and_not_kept(expressions: list[str]) -> None:
    each = extractor(expressions)
    text = "a" * 1_000_000 + " b"
    matcher = Matcher(each)
    assert matcher.find(text) == each.process(text)
    assert isinstance(matcher._way, matches._AtRuns)
    assert all(len(word) <= LONGEST for word in matcher._way._verdicts)


def test_an_automaton_that_forgets_its_states_decides_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns_automaton, "_TRANSITIONS", 5)
    for each in extractors_of("english"):
        text = "the of course can't red-neck butts best ain't cutting-edge " + MANY_WORDS
        expected = each.process(text)
        assert Matcher(each).find(text) == expected
        assert expected


def test_characters_outside_words_are_those_that_re_itself_lets_a_step_take() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    outside = "".join(re.findall(r"\W", everything))
    assert outside == "".join(c for c in everything if not patterns_syntax.is_word_character(c))
    for pattern in ("\u03b9", "k", "[\u03b1-\u03c9]", r"\s", "[ -~]", r"[\wⓐ]", r"\d", "[\u0980-\u09ff]"):
        compiled = re.compile(pattern, re.IGNORECASE)
        (step,) = patterns_syntax.elements(patterns_syntax.parsed(compiled), compiled.flags)
        taken = compiled.findall(outside)
        assert patterns_syntax.takes_outside_words(step) == frozenset(taken)


def test_a_word_memo_asks_once_and_forgets_at_its_bound() -> None:
    asked: list[str] = []

    def length(word: str) -> int:
        asked.append(word)
        return len(word)

    memo = WordMemo(length, bound=2)
    assert [*map(memo.__getitem__, ["a", "bc", "a", "bc"])] == [1, 2, 1, 2]
    assert asked == ["a", "bc"]
    assert memo["def"] == 3
    assert dict(memo) == {"def": 3}


def test_a_word_memo_keeps_no_long_word() -> None:
    memo = WordMemo(len, bound=10)
    assert memo["x" * (LONGEST + 1)] == LONGEST + 1
    assert memo["x" * LONGEST] == LONGEST
    assert [*memo] == ["x" * LONGEST]


def real_texts(shared: Path) -> list[str]:
    folder = shared / "data/dumps"
    names = ("enwiki-pages-articles1-shortened.xml.bz2", "refinery_Simplewiki.Sample.xml")
    texts = [revision.text for name in names for revision in islice(read_dump(folder / name), 8)]
    return [text[:20_000] for text in texts if text]
