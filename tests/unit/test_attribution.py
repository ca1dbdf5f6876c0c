"""What moved the scores of real models, by a scoring process as it runs."""

import functools
import math

import numpy as np
import pytest

from models.attribution import attribution_of
from models.columns import Column, named
from models.estimators.contributions import Contributions
from models.store import PACKAGED_MODELS, ModelStore
from models.trial import trial_revision
from models.work import load_work
from schemas.attribution import AttributionMethod, AttributionReference, AttributionScale
from schemas.prediction import Score, ScoredModel
from tests.pool_work import running

REVISION = trial_revision("wikitext")


async def answered(name: str, *, explained: bool) -> ScoredModel:
    info = ModelStore([PACKAGED_MODELS]).info(name)
    async with running(functools.partial(load_work, (PACKAGED_MODELS,), (name,)), processes=1) as pool:
        [scored] = await pool.score(REVISION, [info], with_features=True, with_attribution=explained)
    return scored


@pytest.mark.parametrize("name", ["enwiki-reverted", "revertrisk-small"])
async def test_what_features_add_makes_up_the_score_of_a_packaged_model(name: str) -> None:
    scored = await answered(name, explained=True)
    assert isinstance(scored.outcome, Score)
    assert scored.features
    told = scored.attribution
    assert told is not None
    assert told.scale is AttributionScale.LOG_ODDS
    [label] = told.labels
    assert label.label == "true"
    assert len(told.features) == len(told.values) == len(label.contributions) > 5
    assert any(label.contributions)
    assert label.base + sum(label.contributions) == pytest.approx(label.score)
    assert 1 / (1 + math.exp(-label.score)) == pytest.approx(scored.outcome.probability["true"], rel=1e-9)


async def test_a_score_is_the_same_whether_or_not_it_is_explained() -> None:
    scored = await answered("enwiki-reverted", explained=True)
    plain = await answered("enwiki-reverted", explained=False)
    assert plain.attribution is None
    assert (plain.outcome, plain.features) == (scored.outcome, scored.features)


def test_the_numbers_of_a_vector_count_as_one_feature() -> None:
    found = Contributions(
        AttributionMethod.LINEAR,
        AttributionScale.RAW_SCORE,
        AttributionReference.ZERO,
        np.array([0.5]),
        np.array([[1.0, 2.0, 4.0]]),
    )
    told = attribution_of(found, ("A",), ["vector", "plain"], ["2 numbers", 3], np.array([0, 0, 1]))
    assert told is not None
    assert told.labels[0].contributions == (3.0, 4.0)
    assert told.labels[0].score == 7.5


def test_columns_made_of_features_are_told_as_what_they_are() -> None:
    columns = [
        Column("feature", 0),
        Column("unless", 0, 1),
        Column("difference", 1, 0),
        Column("share", 0, 1),
        Column("rate", 1, 0),
    ]
    assert named(columns, ["a", "b"]) == ("a", "a unless b", "b - a", "a / (a + b + 1)", "b / (a + 1)")
