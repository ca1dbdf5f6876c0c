"""The conformance model, with the answers that checks of ORES's API expect."""

import pytest

from models.conformance import DELAY, REVERSED_DIGITS, reversed_last_two, revid_score
from models.scoring import score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.prediction import Score
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


def test_digits_put_in_by_a_client_score_like_those_of_a_revision() -> None:
    assert revid_score(50).prediction_value() is False
    assert revid_score(51).prediction_value() is True


def test_nothing_is_fetched_for_it_and_it_runs_on_the_loop() -> None:
    info = ModelStore([PACKAGED_MODELS]).info("testwiki-revid")
    assert (info.reads_content, info.is_inline) == (False, True)
    assert (info.id.model_name, info.id.model_version) == ("revid", "0.0.0")
