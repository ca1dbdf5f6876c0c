from collections import Counter

import pytest

from models import resources
from models.engine.analysis import Analysis
from models.engine.blocks import split_blocks
from models.engine.chains import TOKENS, Chain, Filter, Map
from models.engine.document import Document
from models.engine.rules import ReadFigure
from models.engine.tokens import tokenizer

TEXT = "A red fox\n\nThe <b\nclass=x>red</b> oak\n\n  aaaa 12\n== End ==\nThe fox"


def words() -> Chain:
    kept = resources.module("features.wikitext.datasources.tokenized").TokenIsInTypes({"word"})
    return Chain("text", TOKENS).then(Filter(kept.filter, inverse=False))


@pytest.fixture
def analysis() -> Analysis:
    found = Analysis()
    assert found.table(words().then(Map(str.lower))) == 0
    assert found.length(words()) == 0
    assert found.total(words().then(Map(len))) == 1
    assert found.greatest(words().then(Map(len))) == 0
    assert found.longest_run() == 1
    return found


def test_blocks_joined_are_the_text_and_no_tag_is_cut() -> None:
    blocks = split_blocks(TEXT)
    assert "".join(blocks) == TEXT
    assert len(blocks) > 1
    assert any("<b\nclass=x>" in block for block in blocks)


@pytest.mark.parametrize("character", "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
def test_a_text_with_other_line_breaks_is_one_block(character: str) -> None:
    text = f"one\n\ntwo{character}\n\nthree"
    assert split_blocks(text) == [text]


def test_an_empty_text_has_no_blocks_and_counts_nothing(analysis: Analysis) -> None:
    for text in ("", None):
        document = Document(analysis, text)
        assert (document.blocks, document.sums, document.maxima) == ([], [0, 0], [0, 0])


def test_a_text_in_blocks_counts_what_the_whole_text_counts(analysis: Analysis) -> None:
    document, whole = Document(analysis, TEXT), analysis.block(TEXT)
    assert len(document.blocks) > 1
    assert document.sums == whole.sums
    assert document.maxima == whole.maxima == [4, 4]
    assert list(document.table(0).items()) == list(whole.tables[0].items())


def test_a_change_says_what_became_more_and_less_in_the_order_of_the_new_text(analysis: Analysis) -> None:
    before = Document(analysis, "a a b c d\n\nkept\n\n")
    after = Document(analysis, "e f a b b g\n\nkept\n\nh\n", before)
    change = after.change_from(before)
    kept = {"e": 1, "f": 1, "a": -1, "b": 1, "g": 1, "h": 1}
    delta = change.delta(0)
    assert list(delta.items())[:6] == list(kept.items())
    assert delta == {**kept, "c": -1, "d": -1}
    assert change.proportions(0)["a"] == -0.5
    assert change.proportions(0)["b"] == 0.5
    assert {item: share for item, share in change.proportions(0).items() if share == -1} == {"c": -1, "d": -1}
    expected: list[float] = []
    for values in (delta.values(), change.proportions(0).values()):
        above, below = ([each for each in values if each * sign > 0] for sign in (1, -1))
        expected += [sum(values), sum(above), sum(below)]
    assert list(change.figures()[0]) == expected


def test_a_chain_of_documents_equals_documents_made_anew(analysis: Analysis) -> None:
    texts = [TEXT, TEXT.replace("fox", "hen"), "", TEXT + "\n\nMore oak", TEXT, "oak\n" * 9, TEXT]
    document: Document | None = None
    before_text = ""
    for text in texts:
        anew = Document(analysis, text)
        before, document = document, Document(analysis, text, document)
        document.is_kept = True
        assert (document.sums, document.maxima, document.table(0)) == (anew.sums, anew.maxima, anew.table(0))
        if before is not None:
            expected = Counter(anew.table(0))
            expected.subtract(before.table(0))
            assert document.change_from(before).counts(0) == {k: v for k, v in expected.items() if v}
            again = Document(analysis, text).change_from(Document(analysis, before_text))
            assert (document.change_from(before).figures() or [(0,) * 6]) == (again.figures() or [(0,) * 6])
        before_text = text


def test_a_document_can_come_after_two_others(analysis: Analysis) -> None:
    first = Document(analysis, "a a b\n")
    first.is_kept = True
    second, third = Document(analysis, "a b b\n", first), Document(analysis, "c\n", first)
    second.is_kept = third.is_kept = True
    assert second.change_from(first).delta(0) == {"a": -1, "b": 1}
    fourth = Document(analysis, "a\n", second)
    assert fourth.change_from(second).proportions(0) == {"b": -1.0}
    assert third.change_from(first).proportions(0) == {"c": 1.0, "a": -1.0, "b": -1.0}


def test_a_string_that_is_a_token_in_its_text_only_is_refused() -> None:
    assert tokenizer().token("oak").type == "word"
    with pytest.raises(ValueError, match="in its text only"):
        tokenizer().token("two words")


@pytest.mark.parametrize("word", ["oak", "A", "tel", "https", "ref", "z" * 70])
def test_letters_alone_are_typed_as_the_lexicon_types_them(word: str) -> None:
    known = tokenizer()
    match = known._typed(word)
    assert match is not None
    assert known.token(word).type == match.lastgroup == "word"


def test_figures_read_together_are_those_that_each_reads_alone(analysis: Analysis) -> None:
    readers = [
        ReadFigure(0, sign, returns, is_share=is_share)
        for returns in (int, float)
        for is_share in (False, True)
        for sign in (0, 1, -1)
    ]
    read = readers[0].together(readers)
    before = Document(analysis, "a a b c d\n\nkept\n\n")
    for text in ("e f a b b g\n\nkept\n\nh\n", "", "a a b c d\n\nkept\n\n"):
        change = Document(analysis, text, before).change_from(before)
        # repr tells 0 and 0.0 apart.
        assert repr([*read(change)]) == repr([each(change) for each in readers])
