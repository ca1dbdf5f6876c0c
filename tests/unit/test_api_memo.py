"""The bounded memory of answers, and ids as clients write them."""

import weakref

import pytest

from app.api.memo import Memo
from app.api.numbers import parse_id
from tests.served import until


class Kept:
    """A value whose end can be seen."""


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


def test_what_is_forgotten_is_gone_from_both_generations() -> None:
    memo: Memo[int, int] = Memo(2)
    for number in range(3):
        memo.put(number, number)
    for number in range(4):
        memo.forget(number)
    assert len(memo) == 0


async def test_what_nobody_asks_for_goes_by_itself() -> None:
    memo: Memo[str, int] = Memo(10, keep_seconds=0.01)
    memo.put("a", 1)
    await until(lambda: len(memo) == 0)
    memo.put("b", 2)
    assert memo.get("b") == 2
    await until(lambda: len(memo) == 0)


async def test_what_is_asked_for_stays_however_old() -> None:
    memo: Memo[str, Kept] = Memo(10, keep_seconds=0.05)
    memo.put("a", Kept())
    memo.put("b", Kept())
    other = weakref.ref(memo.get("b") or Kept())

    def other_is_gone() -> bool:
        assert memo.get("a") is not None
        return other() is None

    await until(other_is_gone)


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
