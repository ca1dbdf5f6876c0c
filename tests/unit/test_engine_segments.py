from collections.abc import Callable

import pytest

from models import resources
from models.engine.chains import SEGMENTS, chain_of
from models.engine.fallbacks import FALLBACKS
from models.engine.segments import (
    has_words_without_references,
    is_without_reference,
    of_string,
    quicker,
    segments,
)
from models.engine.tokens import tokenizer
from tests.segments import WITHOUT_REFERENCE, revscorings_segments, segments_of_revscoring

TEXTS = {
    "paragraphs and what is between them": "One two. Three\nfour\n\n\n  Five \n \n six\n",
    "only whitespace": " \n\t\n \u3000\n",
    "space before the first word": "\n  a\n\nb",
    "a tag over blank lines": "a <b\n\n\nclass=x>c</b>\n\nd",
    "a tag over blank lines, and another behind it": "a <b\n\n> <i\n\n>c\n\nd",
    "a tag that is never closed": "a <b\n\nc <i\n\nd",
    "no name of a tag": "a <bA\n\n> < c\n\n>",
    "a table at the beginning": "{|\n|-\n\n| a\n|}\n\nb",
    "a table behind a sentence": "One two three.\n{|\n\n| a\n|}\n\nb",
    "a table behind a short sentence": "One.\n{|\n\n| a\n|}\n\nb",
    "a table behind a heading": "== One ==\n{| class=x\n|}\n\n{{a|b}}\n\n{| x",
    "the second table of a paragraph": "a {| b {| c\n\nd\n\ne",
    "a table in a tag": "One two three. <b {| >four\n\nfive",
    "a table before a tag with another": "One two three. {|<b {| >four {\n\nfive",
    "a table in a tag that is never closed": "One two three. <b. {| four\n\nfive",
    "a table behind tags with others": "One two <i {|> <i {|> {| three <b. {| > four\n\nfive",
    "three braces": "One two. {{{|\n\n}}}\n\n{{|\n\nx",
    "sentences in brackets": "One (two three. four) {| a\n\nb",
    "other line breaks": "a\x0b\x1c\n\u2028\nb\x85c",
    "carriage returns": "a\r\n\r\nb\n\r\nc\rd",
    "an apostrophe before a blank line": "it's the dogs'\n\nit",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_segments_are_those_of_deltas(text: str) -> None:
    assert list(segments(text)) == revscorings_segments(text)


def test_only_carriage_returns_need_deltas_own_code() -> None:
    FALLBACKS.counts.clear()
    segments(TEXTS["a table behind a sentence"])
    assert not FALLBACKS.counts
    segments(TEXTS["carriage returns"])
    assert FALLBACKS.counts == {"segments": 1}


def test_a_lone_surrogate_raises_as_it_does_in_deltas() -> None:
    with pytest.raises(resources.module("errors").CaughtDependencyError, match="surrogates not allowed"):
        revscorings_segments("a \ud800")
    with pytest.raises(UnicodeEncodeError):
        segments("a \ud800")


@pytest.mark.parametrize(
    "text",
    ["", " \n", "a", "a\n", "a<REF>b", "<ref>", "<ref>\n", "a<ref name=x>", "<re\nf>", "\u3000", "a\x00"],
)
def test_a_paragraph_without_references_is_told_as_the_expression_does(text: str) -> None:
    assert is_without_reference(text) is bool(WITHOUT_REFERENCE.match(text))


def test_only_the_known_expression_is_put_in_another_way() -> None:
    others: list[Callable[[str], object]] = [
        WITHOUT_REFERENCE.search,
        WITHOUT_REFERENCE.fullmatch,
        str.isspace,
    ]
    assert quicker(WITHOUT_REFERENCE.match) is is_without_reference
    assert [quicker(other) for other in others] == others


@pytest.mark.parametrize("more", ["", " k", " k <ref", " k<ref>", " k <ref a/>", "</ref> k", "\n.", " 11"])
def test_a_paragraph_of_words_without_references_is_told_as_portuguese_articles_do(more: str) -> None:
    portuguese = resources.feature_list("articlequality", "ptwiki")
    segments_of = resources.module(
        "features.wikitext.datasources.tokenized"
    ).paragraphs_sentences_and_whitespace
    text = f"a b c d e f g h i j{more}"
    (segment,) = segments_of.segment(map(tokenizer().token, tokenizer().split(text)))
    told = portuguese.filter_paragraphs_without_ref_tags
    assert of_string(told) is has_words_without_references
    assert has_words_without_references(text) is told(segment)


def test_what_another_filter_of_segments_says_is_left_to_it() -> None:
    assert of_string(bool) is None


def test_the_strings_of_revscorings_segments_are_a_list_of_the_text() -> None:
    chain = chain_of(segments_of_revscoring())
    assert chain is not None
    assert (str(chain.text), chain.base, chain.steps) == ("datasource.revision.text", SEGMENTS, ())
