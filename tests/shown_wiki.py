"""A wiki with something on every page for people, for tests that look at them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from msgspec.structs import replace

from models.statistics import describe
from schemas.catalogue import Catalogue
from schemas.prediction import PredictionRow, Score, ScoreFailure, ScoreKind
from tests.rows import binary, model_info, row, stored

HOSTILE: Final = "<img src=x onerror=alert(1)>"
"""Comes from outside wherever a text may: as a label, in a card, as a message."""

_CLASSES: Final = ("Stub", "Start", "C", "B", "GA", "FA")
_BEGAN: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)


def shown_catalogue() -> Catalogue:
    """Return models of several kinds, one of them with statistics and a card."""
    generator = np.random.default_rng(7)
    true = generator.random(2_000)
    actual = (generator.random(2_000) < true**2).astype(np.intp)
    probabilities, predicted = np.column_stack([1 - true, true]), (true >= 0.5).astype(np.intp)
    plain = model_info("damaging")
    document = replace(
        plain.document,
        type="GradientBoosting",
        statistics=describe(actual, probabilities, predicted, (False, True)),
        params={"n_estimators": 700, "max_depth": 7},
    )
    card = {"What": "Tells edits that do damage.", "Owner": HOSTILE}
    damaging = replace(plain, document=document, card=card, stage="production")
    quality = replace(model_info("articlequality", ScoreKind.MULTICLASS), labels=(*_CLASSES, HOSTILE))
    return Catalogue(
        {
            "enwiki": {"damaging": damaging, "goodfaith": model_info("goodfaith"), "articlequality": quality},
            "dewiki": {"damaging": plain},
        },
        {"wp10": "articlequality"},
        {"enwiki": {"damaging@0.9.0": model_info("damaging", model_version="0.9.0")}},
    )


def shown_row(number: int, *, page_id: int | None = None, wiki_id: str = "enwiki") -> PredictionRow:
    """Return a revision, a later one the higher its number."""
    likely = (number * 37 % 100) / 100
    shares = dict.fromkeys(_CLASSES, 0.02) | {_CLASSES[number % 6]: 0.88, HOSTILE: 0.02}
    quality = Score(ScoreKind.MULTICLASS, (_CLASSES[number % 6],), shares)
    failure = ScoreFailure("revision_deleted", f"The text is hidden. {HOSTILE}")
    scores = (
        stored("articlequality", failure if number % 7 == 0 else quality),
        stored("damaging", binary(likely)),
        stored("goodfaith", binary(1 - likely * 0.9)),
    )
    dt = _BEGAN + timedelta(minutes=30 * number)
    told = [
        replace(
            score,
            provenance=replace(
                score.provenance,
                event_dt=dt + timedelta(seconds=1),
                scored_dt=dt + timedelta(seconds=1, milliseconds=340),
                namespace_id=number % 3,
                is_bot=number % 5 == 0,
            ),
        )
        for score in scores
        if wiki_id == "enwiki" or score.model.model_name == "damaging"
    ]
    which = page_id if page_id is not None else 1 + number % 4
    return row(*told, rev_id=1_000_000 + number, page_id=which, rev_dt=dt, wiki_id=wiki_id)


def shown_rows() -> Sequence[PredictionRow]:
    """Return 58 revisions of two wikis."""
    return [shown_row(number) for number in range(50)] + [
        shown_row(40 + number, wiki_id="dewiki") for number in range(8)
    ]
