"""Whatever the texts of a page, in whatever order they come, the engine gives revscoring's own values."""

import functools
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from models.engine.extractor import Extractor
from models.engine.pages import PageMemory
from models.features.feature_set import FeatureSet
from schemas.revision import Revision
from tests.dictionaries import make_up_dictionaries
from tests.feature_lists import differences, published
from tests.model_revisions import edit

# One with words of two languages, one of a language without blanks, one of segments, stems and phrases.
LISTS = (
    "editquality.feature_lists.dewiki.damaging",
    "editquality.feature_lists.jawiki.damaging",
    "articlequality.feature_lists.enwiki.wp10",
)
SPACES = [
    *" \n\t\r\x0b\x0c\x1c\x85\u2028\u2029\xa0\u3000\u200b\ufeff\0",
    "",
    "  ",
    "\n\n",
    "\n \n",
    "\r\n",
    "\n\r",
]
_MARKUP = (
    "' '' ''' ''''' < </ <b <b> </b> <br/> <ref <ref> </ref> <!-- --> <nowiki> </nowiki> <math> "
    "</math> {{ }} {{{ }}} {| |} |- | !! [[ ]] [ ] //a.b mailto: http:// news:a == &amp; &#38; &lt "
    "&a1; ~~~~ {{cn}} {{a|b=[[c]]}} [[File:a.jpg|b]] [[Category:c]] [[Kategorie:c]] __TOC__ - . , "
    '... ?! ; / > = \\ _ \u2019 * # ( ) "'
)
MARKUP = [
    *_MARKUP.split(),
    "<b\n",
    "<ref name=a\n/>",
    "<ref\n>",
    "[http://x.y z]",
    "\n== a ==\n",
    "\n=b=\n",
    "\n* ",
    "\n:",
    "\xad",
]
_WORDS = (
    "a A AB Haus the of x1 1 12.5 d' l\u2019eau don't aaaaaaaa DU fuck FUCKS lol haha can't cant "
    "ficken Arsch scheiss stupid ain't hey \u0130 \u0131 \u017fex \u212a \u03a3 \u0391\u03a3 \xdf "
    "\u1e9e \ufb01 e\u0301 \u0345 \u0301 \u4e2d\u6587 \u65e5\u672c\u8a9e\u306e \uff76\uff9e \u3002 "
    "\u6b7b\u306d \ud55c\uad6d \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u064b \u05e2\u05d1 "
    "\u0915\u094d\u0937 \u09ac\u09be\u0982\u09b2\u09be \u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0964 "
    "\u0660\u0661 \U0001f600 \xb2 \u2160 "
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
)
WORDS = [
    *_WORDS.split(),
    "o'\n",
    "\u0391\u03a3\n",
    "\u202e",
    "\u200d",
    "\U0001f468\u200d\U0001f469",
    "\ud800",
    "\udfff",
]

pieces = st.one_of(
    st.sampled_from(SPACES), st.sampled_from(MARKUP), st.sampled_from(WORDS), st.text(max_size=3)
)
# Characters of every kind, among them half pairs, which texts of MediaWiki never have, but dumps may.
soup = st.lists(pieces, max_size=25)


@st.composite
def histories(draw: st.DrawFn) -> list[str]:
    """Texts of a page: edited here and there, blanked, restored, saved without a change."""
    states = [draw(soup)]
    for _ in range(draw(st.integers(1, 4))):
        last = list(states[-1])
        at = draw(st.integers(0, len(last)))
        match draw(st.sampled_from(("insert", "remove", "move", "repeat", "blank", "restore", "null"))):
            case "insert":
                last[at:at] = draw(soup)[:3]
            case "remove":
                del last[at : at + 2]
            case "move":
                last = last[at:] + last[:at]
            case "repeat":
                last = (last * 3)[:60]
            case "blank":
                last = []
            case "restore":
                last = draw(st.sampled_from(states))
        states.append(last)
    return ["".join(state) for state in states]


def revisions(texts: list[str], parents: list[int]) -> Iterator[Revision]:
    """Yield revisions of one page; each follows the text of that number, where there is one before it."""
    first = edit(rev_parent_id=None, parent_text=None, parent_dt=None)
    for number, text in enumerate(texts):
        parent = parents[number] if number < len(parents) else number - 1
        after = replace(first, rev_id=number + 1, text=text, rev_dt=first.rev_dt + timedelta(hours=number))
        if 0 <= parent < number:
            after = replace(
                after, rev_parent_id=parent + 1, parent_text=texts[parent], parent_dt=first.rev_dt
            )
        yield after


@functools.cache
def sets() -> list[FeatureSet]:
    """The features of the lists, bound once."""
    return [published(name) for name in LISTS]


@functools.cache
def extractor() -> Extractor:
    """An engine whose plan is made once; each example begins with no page remembered."""
    return Extractor()


@pytest.fixture(autouse=True)
def _made_up_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    make_up_dictionaries(monkeypatch)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(histories(), st.lists(st.integers(-1, 4), max_size=5), st.sampled_from((0, 40, 100_000)))
@example(["//<b\n\n>", "mailto:<b\n\n>c"], [], 100_000)
@example(["a'\n\nb", "a'", "a'\nb"], [], 100_000)
@example(["<b\n\nc>d", "<b\n\nc d\ne>f", "<b\n\n"], [], 100_000)
@example(["a\r\rb\n\nc", "a\x85\n\nb", "a\n\u2028\n\nb"], [], 100_000)
@example(["x y\n\n" * 9, "", "x y\n\n" * 9, "x y\n\n" * 9], [], 100_000)
@example(["\u0391\u03a3\n\u03a3", "\u0391\u03a3", "\u0391\u03a3\u0301\n"], [], 100_000)
@example(["{{a|b", "}}{{a|b", "{{a|b}}\n{|", "{{{{a|b}}}}"], [-1, 0, 0, 1], 40)
def test_the_values_are_revscorings(texts: list[str], parents: list[int], page_chars: int) -> None:
    extractor().pages = PageMemory(page_chars)
    compared, different = differences(sets(), revisions(texts, parents), extractor())
    assert different == []
    # Half of a pair cannot be encoded: revscoring computes nothing of such a text, and says why.
    assert compared or re.search("[\ud800-\udfff]", "".join(texts))
