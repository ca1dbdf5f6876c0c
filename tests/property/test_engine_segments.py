"""Whatever the text, its segments are those of deltas."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.engine.functions import of_revscoring
from models.engine.segments import is_uppercase, is_without_reference, segments
from tests.segments import WITHOUT_REFERENCE, revscorings_segments

PIECES = [
    "a",
    "one two. three ",
    "x. ",
    "!",
    "?",
    "''",
    "'",
    " ",
    "\n",
    "\n\n",
    "\n \n",
    "\t",
    "\u3000",
    "\x1c",
    "\u2028",
    "\r",
    "\r\n",
    "{|",
    "|}",
    "{",
    "{{",
    "}}",
    "[[",
    "]]",
    "(",
    ")",
    "<ref>",
    "<REF>",
    "</ref>",
    "<ref name=a/>",
    "<ref",
    "<b",
    "</b",
    "<bA",
    "<",
    ">",
    "/>",
    "<!--",
    "-->",
    "http://a",
    "http://a{|b",
    "//",
    "mailto:",
    "字",
    "é",
    "हि",
    "\u0601",
    "\0",
]
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.text(max_size=40))


@given(texts.filter(lambda text: text.isascii() or text.encode("utf-8", "replace").decode() == text))
@example("a b. c. <b. {| > {| <b {| > {|\n\nc")
@example("//<b\n\n>")
@example("mailto:<b\n\n>")
@example("a <b\n\n <i> c <b\n\n>\n\n{|")
def test_segments_are_those_of_deltas(text: str) -> None:
    assert list(segments(text)) == revscorings_segments(text)


@given(texts)
def test_a_paragraph_without_references_is_told_as_the_expression_does(text: str) -> None:
    assert is_without_reference(text) is bool(WITHOUT_REFERENCE.match(text))


@settings(deadline=None)
@given(string=st.one_of(st.text(max_size=6), st.text("ABab1\u00c9\u01c5\u00df", max_size=4)))
def test_capitals_are_those_that_revscoring_finds(string: str) -> None:
    theirs = of_revscoring("features.wikitext.datasources.tokenized", "is_uppercase_word")
    assert is_uppercase(string) == theirs(string)
