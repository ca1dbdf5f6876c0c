"""The bounded memory of answers, and ids as clients write them."""

import pytest

from app.api.memo import Memo
from app.api.numbers import parse_id


def test_what_was_put_is_got() -> None:
    memo: Memo[str, int] = Memo(2)
    memo.put("a", 1)
    assert memo.get("a") == 1
    assert memo.get("b") is None


def test_it_never_holds_more_than_two_generations() -> None:
    memo: Memo[int, int] = Memo(10)
    for number in range(1000):
        memo.put(number, number)
        assert len(memo) <= 20
    assert memo.get(999) == 999
    assert memo.get(0) is None


def test_what_is_asked_for_often_outlives_what_is_not() -> None:
    memo: Memo[int, int] = Memo(10)
    memo.put(-1, -1)
    memo.put(-2, -2)
    for number in range(100):
        memo.put(number, number)
        assert memo.get(-1) == -1
    assert memo.get(-2) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("12345", 12345),
        ("007", 7),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("", None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1_0", None),
        ("1.0", None),
        ("1e3", None),
        ("\N{ARABIC-INDIC DIGIT THREE}", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("9" * 5000, None),
    ],
)
def test_an_id_is_a_text_of_plain_digits_in_range(text: str, number: int | None) -> None:
    assert parse_id(text) == number
