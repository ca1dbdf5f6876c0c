import pytest

from models import resources
from models.engine.chains import Map, chain_of
from models.engine.phrases import Phrases, phrases_of
from tests.phrases import processor

LIST = [
    "a b",
    "a b c",
    "A-B",
    "ab",
    "b c",
    "'til",
    "b!",
    "!",
    "!!",
    "a..b",
    "20th c",
    "b \n c",
    "é a",
    "a é",
    "K9",
]
TEXTS = {
    "the longest": "x a b c, a b-c",
    "part of a longer word": "aab ab_ ab",
    "the boundary behind a phrase begins none": "ab!! ab !!",
    "the boundary behind a word begins none": "x'til x 'til",
    "at the beginning": "'til",
    "at the end": "x b!",
    "a phrase that is not ended": "a b cx a bx b c",
    "more between the words": "a  b a - b",
    "other letters are boundaries": "éab éa b cé aé x é a",
    "letters that become ASCII": "\u212a9 x\u212a9 \u212a9x",
    "a number in a word": "the 20th c",
    "over lines": "b \n c\n!\n",
    "nothing": "",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_phrases_are_those_that_flashtext_finds(text: str) -> None:
    phrases = phrases_of(processor(LIST))
    assert phrases is not None
    assert phrases.find(text) == processor(LIST).extract_keywords(text)


def test_what_is_found_is_the_phrase_that_was_listed_last() -> None:
    phrases = phrases_of(processor(["Ab", "aB"]))
    assert phrases is not None
    assert phrases.find("AB") == ["aB"]


def test_a_list_that_minds_case_or_counts_other_characters_as_words_is_left_alone() -> None:
    other = processor(LIST)
    other.add_non_word_boundary("é")
    assert phrases_of(other) is None
    other = processor(LIST)
    other.case_sensitive = True
    assert phrases_of(other) is None


def test_lists_with_line_feeds_are_not_for_single_lines() -> None:
    assert Phrases({"a b": "a b"}).splits_at_lines
    assert not Phrases({"a\nb": "a\nb"}).splits_at_lines


def test_the_idioms_of_a_language_are_a_list_of_the_text() -> None:
    idioms = resources.language("english").idioms.revision.datasources
    chain = chain_of(idioms.match_frequency.dependencies[0])
    assert chain is not None
    assert isinstance(chain.base, Phrases)
    assert [type(step) for step in chain.steps] == [Map]
    assert chain.base.find("She was Over the moon.") == ["over the moon"]
