"""The conformance model, with the answers that checks of ORES's API expect."""

from typing import Any

import pytest

from models.conformance import DELAY, LAST_DIGITS, REVERSED_DIGITS, reversed_last_two
from models.scoring import score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.prediction import Score, ScoreFailure
from tests.model_revisions import edit


@pytest.mark.parametrize(
    ("rev_id", "digits", "is_true", "false", "true"),
    [
        (2342342, 24, False, 0.76, 0.24),
        (1205, 50, False, 0.5, 0.5),
        (2309, 90, True, 0.09999999999999998, 0.9),
        (813852458, 85, True, 0.15000000000000002, 0.85),
        (7, 70, True, 0.30000000000000004, 0.7),
        (100, 0, False, 1.0, 0.0),
    ],
)
def test_the_reversed_last_two_digits_are_the_probability(
    rev_id: int, digits: int, is_true: bool, false: float, true: float
) -> None:
    scorer = ModelStore([PACKAGED_MODELS]).load("testwiki-revid")
    [answer] = score_revision([scorer], edit(rev_id=rev_id, content_model="unheard-of"), with_features=True)
    assert isinstance(answer.outcome, Score)
    assert answer.outcome.probability == {"false": false, "true": true}
    assert answer.outcome.prediction_value() is is_true
    assert answer.features == {DELAY: 0, REVERSED_DIGITS: digits}
    assert reversed_last_two(rev_id) == digits


@pytest.mark.parametrize(
    ("injected", "true", "features"),
    [
        ({REVERSED_DIGITS: 50}, 0.5, {DELAY: 0, REVERSED_DIGITS: 50}),
        ({REVERSED_DIGITS: 50, DELAY: 2}, 0.5, {DELAY: 2, REVERSED_DIGITS: 50}),
        ({LAST_DIGITS: "09"}, 0.9, {DELAY: 0, REVERSED_DIGITS: 90}),
        ({LAST_DIGITS: "nine", "feature.of.nothing": "x"}, 0.24, {DELAY: 0, REVERSED_DIGITS: 24}),
    ],
)
def test_what_a_client_puts_in_scores_in_the_place_of_the_digits(
    injected: dict[str, Any], true: float, features: dict[str, float]
) -> None:
    scorer = ModelStore([PACKAGED_MODELS]).load("testwiki-revid")
    [answer] = score_revision([scorer], edit(injected=injected), with_features=True)
    assert isinstance(answer.outcome, Score)
    assert answer.outcome.probability["true"] == true
    assert answer.outcome.prediction_value() is (true > 0.5)
    assert answer.features == features


@pytest.mark.parametrize("injected", [{REVERSED_DIGITS: "many"}, {DELAY: None}, {DELAY: -1}])
def test_what_is_no_number_or_no_delay_gives_no_score(injected: dict[str, Any]) -> None:
    scorer = ModelStore([PACKAGED_MODELS]).load("testwiki-revid")
    [answer] = score_revision([scorer], edit(injected=injected), with_features=True)
    assert isinstance(answer.outcome, ScoreFailure)
    assert answer.outcome.code == "feature_error"
    assert answer.features is None


def test_nothing_is_fetched_for_it_and_it_runs_on_the_loop() -> None:
    info = ModelStore([PACKAGED_MODELS]).info("testwiki-revid")
    assert (info.reads_content, info.is_inline) == (False, True)
    assert (info.id.model_name, info.id.model_version) == ("revid", "0.0.0")
