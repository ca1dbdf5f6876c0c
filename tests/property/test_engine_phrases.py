"""Whatever the list and the text, the phrases are those that flashtext finds."""

import functools
import random

from hypothesis import given
from hypothesis import strategies as st

from models.engine.phrases import Phrases, phrases_of
from tests.phrases import english_idioms, processor

CHARACTERS = "aabbAB1_  -'!\né\u212aİΣ"
words = st.text(CHARACTERS, min_size=1, max_size=6)


@given(st.lists(words, min_size=1, max_size=12), st.data())
def test_phrases_are_those_that_flashtext_finds(listed: list[str], data: st.DataObject) -> None:
    theirs = processor(listed)
    ours = phrases_of(theirs)
    assert ours is not None
    pieces = st.one_of(st.sampled_from(listed), st.text(CHARACTERS, max_size=3))
    texts = ["".join(data.draw(st.lists(pieces, max_size=12), label="text")) for _ in range(2)]
    assert [ours.find(text) for text in texts] == [theirs.extract_keywords(text) for text in texts]
    if ours.splits_at_lines:
        texts[0] += "\n"
        assert ours.find("".join(texts)) == ours.find(texts[0]) + ours.find(texts[1])


@given(st.integers())
def test_english_idioms_are_found_among_each_others_words(seed: int) -> None:
    chance = random.Random(seed)
    listed = _listed()
    pieces = [chance.choice(listed) for _ in range(30)]
    pieces += [word for piece in pieces for word in piece.split()]
    text = "".join(chance.choice(pieces) + chance.choice((" ", " ", "\n", "", "'", ", ")) for _ in range(60))
    assert _idioms().find(text) == english_idioms().extract_keywords(text)


@functools.cache
def _idioms() -> Phrases:
    phrases = phrases_of(english_idioms())
    assert phrases is not None
    return phrases


@functools.cache
def _listed() -> list[str]:
    return list(english_idioms().get_all_keywords())
