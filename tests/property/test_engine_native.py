"""The functions in C that read texts give what their twins in Python give, whatever the text."""

import functools
import re
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from itertools import groupby
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.engine import analysis, blocks, changes, node_codes, runs, tokens
from models.engine.analysis import Analysis, Verdict, packed
from models.engine.chains import Map
from models.engine.characters import CHARACTERS, character_classes, known_classes
from models.engine.document import Document
from tests.property.test_engine_properties import soup
from tests.unit.test_engine_document import words

# Of every rule of the lexicon, and of what almost follows one.
_CHARACTERS = (
    "abzAZ_0'\u2019/:=|&;<>{}[]().?!,-#$ \n\r\t\u3000\u3001\u4e2d\u30a2\u0661\u0915\u0964\u0301\x85\x1c\0"
    "\ud800\udc00\U0001f600\U0001d7ce"
)
_MARKUP = (
    "http: https:// ftp:// news:a //a //. // tel: tels: File: de: <ref <ref> </ref> <ref/> <!-- --> <b </b> "
    "<B &amp; &a1; &A; &amp &; &1; '' ''' '''' {{ }} {| |} [[ ]]"
)
PIECES = [*_CHARACTERS, *_MARKUP.split(), "\n\n", "\n \n", "\n\r", "\r\n", "don't", "o' "]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join), soup.map("".join), st.text(max_size=40)
)


splitter = functools.cache(tokens.Tokenizer)


@settings(max_examples=300, deadline=None)
@given(text=texts)
@example("")
@example("".join(map(chr, range(0x3100))))
@example("a'" * 300 + "\n" * 300 + " " * 300)
@example("".join(f"{chr(code)}a{chr(code)}1'{chr(code)}\n{chr(code)}\n" for code in range(0x80, 65600, 7)))
def test_tokens_are_those_that_the_lexicon_finds(built: Any, text: str) -> None:
    expected = splitter().find_all(text)
    assert splitter().classes is not None, "another lexicon than tokens.c knows"
    assert built.split_tokens(text, splitter().classes, splitter().match) == expected
    # Where nothing is known of a character, the expression finds all.
    assert built.split_tokens(text, b"", splitter().match) == expected


@settings(max_examples=300, deadline=None)
@given(text=texts)
@example("".join(map(chr, range(0, 0x30000, 3))))
def test_runs_of_word_characters_are_those_of_the_expression(built: Any, text: str) -> None:
    expected = re.findall(r"\w+", text)
    assert built.word_runs(text, known_classes()) == expected
    assert built.word_runs(text, b"") == expected
    assert runs.word_runs(text) == expected


@settings(max_examples=300, deadline=None)
@given(text=texts, times=st.integers(1, 5))
def test_the_longest_run_of_a_character_is_found(built: Any, text: str, times: int) -> None:
    lowered = "".join(character * times for character in text.lower())
    expected = max((len(list(run)) for _, run in groupby(lowered)), default=0)
    assert built.longest_run(lowered) == expected
    if lowered:
        assert runs.longest_run_of(lowered) == expected


def test_every_character_has_the_classes_whose_expressions_match_it() -> None:
    classes = character_classes({1: r"\w", 2: r"\d", 128: "[a-z]|\ud800"})
    assert len(classes) == CHARACTERS
    for code, found in enumerate(classes):
        character = chr(code)
        is_word, is_digit = re.match(r"\w", character), re.match(r"\d", character)
        expected = bool(is_word) + 2 * bool(is_digit) + 128 * bool(re.match("[a-z]|\ud800", character))
        assert found == expected


pairs = st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 5)), max_size=3).map(packed)
keyed = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("xyz")), max_size=3).map(tuple)
verdicts = st.builds(Verdict, keyed, pairs, pairs)


class Asked(dict[str, Verdict]):
    """Verdicts that are known, and those that are not remembered."""

    def __init__(self, known: dict[str, Verdict], unknown: dict[str, Verdict]) -> None:
        super().__init__(known)
        self._unknown = unknown

    def __missing__(self, item: str) -> Verdict:
        return self._unknown[item]


@settings(max_examples=300, deadline=None)
@given(
    items=st.lists(st.integers(0, 300).map(str), max_size=400),
    made=st.lists(verdicts, min_size=1, max_size=200),
    known=st.integers(0, 300),
)
def test_items_count_the_same_in_c_and_in_python(
    built: Any, items: list[str], made: list[Verdict], known: int
) -> None:
    of_items = {str(number): made[number % len(made)] for number in range(301)}
    asked = Asked(dict(list(of_items.items())[:known]), dict(list(of_items.items())[known:]))
    empty: dict[Any, int] = {}
    ours: Any = [empty] * 3, [1, 2, 3], [0, 1, 2]
    twin: Any = [analysis._EMPTY] * 3, [1, 2, 3], [0, 1, 2]
    for _ in range(2):
        built.tally(items, asked, *ours)
        analysis._add_up(Counter(map(of_items.__getitem__, items)), *twin)
    assert ours == twin
    assert [list(table) for table in ours[0]] == [list(table) for table in twin[0]]
    assert not empty


@settings(max_examples=300, deadline=None)
@given(text=texts)
@example("\n\n \n\u3000\n a <b\n>\nabc\n\n\n")
@example("\U0001f600\n\U0001f600")
@example("<a\n<b>\nabcde\n>\n</c\n" * 3)
def test_blocks_are_cut_where_python_cuts_them(built: Any, text: str) -> None:
    expected = blocks.split_blocks_of(text) if text else []
    assert built.split_blocks(text, known_classes()) == expected


def test_blocks_are_whole_whatever_is_known_of_characters(built: Any) -> None:
    text = "\n\nabc\n \n<b\n"
    for classes in (b"", bytes(256), b"\x02" * 256, b"\xff" * 256):
        assert "".join(built.split_blocks(text, classes)) == text


# What parsers give, and what almost is that.
_FORMS = (
    "t t t {t} {tst} {tstet} s e [tw ] [t] < x > <x> Tto ctz TttS TtAtEQtS TtA TtS Tto E Q A S o c z &t; "
    "&#ht; &#t; & # h ; Ktk Kk K k = - =t- ( a ) (ta) } { [ T \0"
)
_VALUES: dict[str, list[Any]] = {
    "text": ["", "a", "a b", " a", "\u3000"],
    "padding": ["", None, " ", "\n ", "x", "\u3000"],
    "pad_first": ["", " ", "\t\n", "x"],
    "pad_after_eq": [None, "", " ", " x"],
    "level": [1, 6, 6, 2, 0, 7],
    "char": ["'", '"', "", "''", None],
}


@st.composite
def codes_with_tokens(draw: st.DrawFn) -> tuple[list[Any], bytes]:
    codes = "".join(draw(st.lists(st.sampled_from(_FORMS.split(" ")), max_size=14))).encode()
    usual = draw(st.booleans())
    tokens = []
    for code in codes:
        keys = ["padding", "text", "level", "char"] if code != ord("A") else ["pad_first", "pad_after_eq"]
        choices = {key: _VALUES[key][1:3] if usual and key != "char" else _VALUES[key] for key in keys}
        tokens.append({key: draw(st.sampled_from(values)) for key, values in choices.items()})
    return tokens, codes


@settings(max_examples=300, deadline=None)
@given(made=codes_with_tokens())
def test_tokens_are_as_sound_in_c_as_in_python(built: Any, made: tuple[list[Any], bytes]) -> None:
    tokens, codes = made
    assert built.tokens_are_sound(tokens, codes) == node_codes.are_sound_tokens(tokens, codes)


@pytest.mark.parametrize(
    "codes",
    [
        "t",
        "{t}",
        "{tstet}",
        "{{}s[w]e{}}",
        "[tw<x>]",
        "=t-",
        "(a[])",
        "TtS",
        "Ttotctz",
        "TtAtS",
        "TtAtEtS",
        "TtAtEQtoctz",
        "Ktk",
        "Kk",
        "&t;",
        "&#t;",
        "&#ht;",
    ],
)
def test_nodes_in_forms_that_are_known_are_sound(built: Any, codes: str) -> None:
    token = {"text": "a", "level": 1, "char": "'", "padding": " "}
    tokens = [{"pad_first": " "} if code == "A" else token for code in codes]
    for times in (1, 2, 50):
        assert built.tokens_are_sound(tokens * times, codes.encode() * times) is True
    assert built.tokens_are_sound(tokens * 200, codes.encode() * 200) is True
    for place in range(len(codes)):
        if codes[place] not in "tse":
            cut = codes[:place] + codes[place + 1 :]
            left = tokens[:place] + tokens[place + 1 :]
            expected = node_codes.are_sound_tokens(left, cut.encode())
            assert built.tokens_are_sound(left, cut.encode()) == expected


@settings(max_examples=200, deadline=None)
@given(text=texts)
def test_what_the_parser_gives_is_read_the_same(built: Any, text: str) -> None:
    tokens, codes = node_codes.tokenized(text)
    code_of = node_codes._parser()[1]
    assert built.token_codes(tokens, code_of) == node_codes.token_codes(tokens, code_of) == codes
    assert built.tokens_are_sound(tokens, codes) == node_codes.are_sound_tokens(tokens, codes)


def test_a_token_without_a_code_or_a_value_is_refused(built: Any) -> None:
    assert built.token_codes([1, "a", 2] * 40, {int: 105, str: 0}) == b"i\0i" * 40
    with pytest.raises(KeyError):
        built.token_codes([1, "a"], {int: 105})
    for code in (-1, 256):
        with pytest.raises(ValueError, match="no byte"):
            built.token_codes([1], {int: code})
    with pytest.raises(OverflowError):
        built.token_codes([1], {int: 2**80})
    for codes in (b"=-", b"TtAEQtS", b"TtAEtS"):
        with pytest.raises(KeyError):
            built.tokens_are_sound([{}] * len(codes), codes)
        with pytest.raises(TypeError):
            built.tokens_are_sound([None] * len(codes), codes)
    assert built.tokens_are_sound([{"level": 6}, {}], b"=-") is True


tables = st.dictionaries(st.integers(0, 9).map(str), st.integers(1, 9), max_size=8)
tabled = st.lists(st.tuples(tables, tables), max_size=4)


@settings(max_examples=300, deadline=None)
@given(kept=tabled, gone=tabled, more=tabled, data=st.data())
def test_changes_are_the_same_in_c_and_in_python(
    built: Any, kept: list[Any], gone: list[Any], more: list[Any], data: st.DataObject
) -> None:
    def all_of(functions: Any) -> list[Any]:
        with patch.object(changes, "native", functions):
            counts = changes.change_counts(new, gone_again, 2)
            ordered = [changes.in_order([block[place] for block in text], counts[place]) for place in (0, 1)]
            figures = [
                *changes.change_figures(counts, before, text),
                *changes.change_figures(counts, [{}, {}] if not gone_again else before, text),
            ]
        exact = [float(figure).hex() for figures_of_table in figures for figure in figures_of_table]
        return [[list(table.items()) for table in counts + ordered], figures, exact]

    new = [list(block) for block in more] + data.draw(st.sampled_from([[], [list(each) for each in gone]]))
    gone_again = [list(block) for block in gone]
    text = [list(block) for block in kept] + new
    before = [dict(sum((Counter(block[place]) for block in kept + gone), Counter())) for place in (0, 1)]
    assert all_of(built) == all_of(None)


numbers = st.integers(-(2**61), 2**61) | st.integers(-9, 9)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(numbers, numbers, numbers).map(list), max_size=3), few=st.lists(numbers))
def test_sums_move_the_same_in_c_and_in_python(built: Any, rows: list[list[int]], few: list[int]) -> None:
    sums = [1, 2, 3]
    with patch.object(changes, "native", None):
        expected = changes.move_sums(sums, rows, rows[:1])
    if all(abs(number) < 2**63 for number in expected):
        assert built.move_sums(sums, rows, rows[:1]) == expected
    assert built.move_sums(few, [few], [few]) == few
    assert sums == [1, 2, 3]


@settings(max_examples=100, deadline=None)
@given(history=st.lists(texts, min_size=1, max_size=4))
def test_a_page_counts_the_same_with_and_without_functions_in_c(built: Any, history: list[str]) -> None:
    def all_of(functions: Any) -> list[Any]:
        with ExitStack() as stack:
            for module in (analysis, blocks, changes, runs, tokens):
                stack.enter_context(patch.object(module, "native", functions))
            split = tokens.Tokenizer().split
            stack.enter_context(patch.object(tokens.tokenizer(), "split", split))
            counted = Analysis()
            lowered = words().then(Map(str.lower))
            place = counted.table(lowered), counted.length(words()), counted.greatest(words().then(Map(len)))
            assert place == (0, 0, 0)
            counted.longest_run()
            before, found = Document(counted, history[-1]), []
            for text in history:
                after = Document(counted, text, before)
                change = after.change_from(before)
                figures = list(change.figures())
                found.append(
                    (after.sums, after.maxima, *map(list, (after.table(0), change.delta(0))), figures)
                )
                before = after
        return found

    assert all_of(built) == all_of(None)


NONE = packed([])
GOOD = Verdict(((0, "k"),), packed([(0, 2)]), packed([(0, 3)]))


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        (None, TypeError),
        (((), NONE), TypeError),
        (([], NONE, NONE), TypeError),
        ((((0, "k", 1),), NONE, NONE), TypeError),
        ((("ab",), NONE, NONE), TypeError),
        ((((1, "k"),), NONE, NONE), IndexError),
        ((((-1, "k"),), NONE, NONE), IndexError),
        (((("0", "k"),), NONE, NONE), TypeError),
        ((((0, []),), NONE, NONE), TypeError),
        (((), (), NONE), TypeError),
        (((), NONE, bytearray(16)), TypeError),
        (((), packed([(1, 0)]), NONE), IndexError),
        (((), NONE, packed([(-1, 0)])), IndexError),
        (((), packed([(0, 2**62)]), NONE), OverflowError),
        (((), bytes(24), NONE), ValueError),
        (((), NONE, bytes(1)), ValueError),
    ],
)
def test_a_verdict_that_cannot_be_counted_is_refused(
    built: Any, verdict: Any, error: type[Exception]
) -> None:
    tables: Any = [{}]
    sums, maxima = [0], [0]
    before = sys.getrefcount(verdict)
    with pytest.raises(error):
        built.tally(["good", *["bad"] * 4], {"good": GOOD, "bad": verdict}, tables, sums, maxima)
    assert (tables[0]["k"], sums, maxima) == (1, [2], [3])
    assert verdict is None or sys.getrefcount(verdict) == before


def test_what_a_callback_raises_is_raised(built: Any) -> None:
    def failing(*_: object) -> Any:
        raise RuntimeError("it failed")

    class Failing(dict[str, Any]):
        __missing__ = failing

    with pytest.raises(RuntimeError, match="it failed"):
        built.split_tokens("\r", b"", failing)
    with pytest.raises(RuntimeError, match="it failed"):
        built.tally(["a"], Failing(), [], [], [])
    with pytest.raises(KeyError):
        built.tally(["a"], {}, [], [], [])


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("change_counts", ([[{}]], [], 2), IndexError),
        ("change_counts", ([], [[{"a": 1}]], 2**80), OverflowError),
        ("change_counts", ([[{"a": 2**80}], [{"a": 1}]], [], 1), OverflowError),
        ("change_figures", ([{"a": -1}], [{}], []), ZeroDivisionError),
        ("change_figures", ([{"a": 1}], [], []), IndexError),
        ("change_figures", ([dict.fromkeys("abc", 1)], [{"a": 1}], [[]]), IndexError),
        ("move_sums", ([1], [[]], []), ValueError),
        ("move_sums", ([1], [], [()]), ValueError),
        ("move_sums", ([2**80], [], []), OverflowError),
        ("move_sums", ([2**62], [[2**62]], []), OverflowError),
        ("move_sums", ([-(2**62)], [], [[2**62], [2**62]]), OverflowError),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    built: Any, name: str, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(built, name)(*arguments)


@pytest.mark.parametrize("span", [0, -1, 3, 2**80])
def test_an_expression_that_finds_what_is_not_there_is_refused(built: Any, span: int) -> None:
    class Found:
        def end(self) -> int:
            return span

    with pytest.raises((ValueError, OverflowError)):
        built.split_tokens("ab", b"", lambda text, start: Found())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("split_tokens", (b"a", b"", str)),
        ("split_tokens", ("a", "", str)),
        ("split_tokens", ("a", b"", None)),
        ("word_runs", (None, b"")),
        ("word_runs", ("a", bytearray(1))),
        ("longest_run", (b"aa",)),
        ("change_counts", ((), [], 1)),
        ("change_counts", ([()], [], 1)),
        ("change_counts", ([[()]], [], 1)),
        ("change_counts", ([[{"a": "b"}]] * 2, [], 1)),
        ("change_counts", ([], [], None)),
        ("change_figures", ([], [], None)),
        ("change_figures", ({}, [], [])),
        ("change_figures", ([{"a": "b"}], [{}], [])),
        ("change_figures", ([{"a": 1}], [{"a": "b"}], [])),
        ("change_figures", ([{"a": 1}], [None], [])),
        ("change_figures", ([dict.fromkeys("abc", 1)], [{"a": 1}], [[[]]])),
        ("in_order", ((), {})),
        ("in_order", ([], [])),
        ("in_order", ([()], {"a": 1})),
        ("move_sums", ([], [], None)),
        ("move_sums", (["a"], [], [])),
        ("split_blocks", (b"a", b"")),
        ("split_blocks", ("a", None)),
        ("token_codes", ((), {})),
        ("token_codes", ([], [])),
        ("token_codes", ([1], {int: "i"})),
        ("tokens_are_sound", ((), b"")),
        ("tokens_are_sound", ([], "")),
        ("tokens_are_sound", ([{}], b"")),
        ("tokens_are_sound", ([{"level": None}, {}], b"=-")),
        ("tally", ((), {}, [], [], [])),
        ("tally", ([], [], [], [], [])),
        ("tally", ([], {}, (), [], [])),
        ("tally", ([], {}, [], (), [])),
        ("tally", ([], {}, [], [], ())),
        ("tally", (["a"], {"a": GOOD}, [None], [0], [0])),
        ("tally", (["a"], {"a": GOOD}, [{}], ["0"], [0])),
        ("tally", ([[]], {}, [], [], [])),
    ],
)
def test_arguments_of_another_type_or_number_are_refused(
    built: Any, name: str, arguments: tuple[Any, ...]
) -> None:
    function: Callable[..., Any] = getattr(built, name)
    with pytest.raises(TypeError):
        function(*arguments)
    for wrong in (arguments[:-1], (*arguments, None)):
        with pytest.raises(TypeError, match=f"{name}.. takes {len(arguments)} arguments, not {len(wrong)}"):
            function(*wrong)
