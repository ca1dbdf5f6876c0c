"""Whatever the list and the text, a matcher finds what revscoring's extractor finds."""

import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models import resources
from models.engine.matches import Matcher
from tests.extractors import extractor, extractors_of, matched_text, tree_of

BETWEEN = [
    "",
    " ",
    " ",
    " ",
    "\n",
    "-",
    "_",
    "'",
    "x",
    "é",
    "İ",
    "\u0345",
    ".",
    "(",
    "\r\n",
    "\0",
    "\ud800",
    "ি",
    "字",
]
EXPRESSIONS = [
    "a",
    "ab?",
    "a b",
    "a+b*",
    "k",
    "[ks]i",
    "\u017ft",
    "\u03b9",
    "a\u03b9",
    "i.",
    ".a",
    "a*",
    "a|",
    r"\w+",
    r"\w+-a",
    r"\W",
    r"\Bx",
    r"x\b.y",
    r"a\s*?b",
    r"a\S",
    "[^a]b",
    "a[^b]c",
    "-a",
    r"\(a\)",
    "^a",
    "a$",
    r"\Aa",
    r"a\Z",
    "(?=a)ab",
    "(?!ab)a",
    "a(?! )",
    "(?<=a )b",
    "(?<!a )b",
    "a++b",
    "(?>a|ab)b",
    "(a|b)+ (k|s)?",
    "(?-i:K)a",
    "(?s:a.b)",
    "(?a:\\w)b",
    "a{2,3}",
    "(?:ab){2}",
    r"(x)\3",
    "(x)?(?(3)y|a)",
    "(?!)a",
    "aa- ?b|a",
]
WRAPPINGS = [
    (r"\b", r"\b"),
    None,
    (r"^|[^\w\u0980-\u09ff]", r"$|[^\w\u0980-\u09ff]"),
    ("", r"\b"),
    (r"\b", ""),
]
LETTERS = "aAbBkK\u212asS\u017fiIİ\u0131xy\u03b9\u0399\u0345-' \n_(1)é."


@pytest.mark.parametrize("language", sorted(resources.languages()))
def test_texts_made_of_a_languages_own_expressions(language: str) -> None:
    for each in extractors_of(language):
        matcher, tree = Matcher(each), tree_of(each)
        chance = random.Random(language)
        found = 0
        for _ in range(40):
            text = "".join(piece(tree, chance) for _ in range(chance.randint(1, 30)))
            expected = each.process(text)
            assert matcher.find(text) == expected
            found += len(expected)
            if matcher.splits_at_lines:
                before, line_feed, after = text.partition("\n")
                assert matcher.find(before + line_feed) + matcher.find(after) == expected
        assert found


@given(
    st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=4),
    st.sampled_from(WRAPPINGS),
    st.sampled_from([0, 2, 2 | 8, 2 | 16, 2 | 256]),
    st.none() | st.lists(st.sampled_from(["a", "ab", "k.*"]), min_size=1, max_size=2),
    st.lists(st.text(LETTERS, max_size=40), min_size=1, max_size=3),
)
@example(["a b"], (r"\b", r"\b"), 2, None, ["a b a", " b"])
@example(["ab"], (r"^|[^\w]", r"$|[^\w]"), 2, None, ["ab ab ab\nab\n"])
def test_any_list_over_any_text(
    expressions: list[str],
    wrapping: tuple[str, str] | None,
    flags: int,
    exclusions: list[str] | None,
    texts: list[str],
) -> None:
    each = extractor(expressions, wrapping=wrapping, regex_flags=flags, exclusions=exclusions)
    matcher = Matcher(each)
    for text in texts:
        assert matcher.find(text) == each.process(text)
    if matcher.splits_at_lines:
        parts = [text + "\n" for text in texts]
        assert [found for part in parts for found in matcher.find(part)] == each.process("".join(parts))


def piece(tree: Any, chance: random.Random) -> str:
    """Return a match, or what is nearly one, and something to stand before the next."""
    text = matched_text(tree, chance)
    if text and chance.random() < 0.2:
        cut = chance.randrange(len(text))
        text = text[:cut] + chance.choice(BETWEEN) + text[cut + chance.randint(0, 1) :]
    return text + chance.choice(BETWEEN)
