"""Revisions scored together get, to the last bit, what each gets by itself."""

from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace

import batch
from models.batched import ScoringBatch
from models.engine.extractor import Extractor
from models.scoring import Scorer, score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.prediction import ScoreFailure
from schemas.revision import Revision
from tests.histories import dump_history

SAMPLE = Path(batch.__file__).parent / "sample" / "sample.xml.bz2"


@pytest.fixture(scope="module")
def revisions() -> list[Revision]:
    read = list(islice(dump_history(SAMPLE), 40))
    # One that fails stands amid the others.
    read[7] = replace(read[7], content_model="json")
    read[9] = replace(read[9], parent_text=None, rev_parent_id=1)
    return read


@pytest.fixture(scope="module")
def scorers() -> list[Scorer]:
    store = ModelStore([PACKAGED_MODELS])
    return [store.load(name) for name in ("enwiki-reverted", "testwiki-revid")]


@pytest.mark.parametrize("with_features", [False, True])
def test_a_batch_says_what_each_revision_gets_alone(
    scorers: list[Scorer], revisions: list[Revision], with_features: bool
) -> None:
    together = ScoringBatch(Extractor(), with_features=with_features)
    promised = [together.add(scorers, revision) for revision in revisions]
    together.settle()
    alone = Extractor()
    failures = 0
    for revision, promises in zip(revisions, promised, strict=True):
        told = score_revision(scorers, revision, alone, with_features=with_features)
        # repr tells floats apart to the last bit.
        assert repr([(one.outcome, one.features) for one in promises]) == repr(
            [(one.outcome, one.features) for one in told]
        )
        failures += sum(isinstance(one.outcome, ScoreFailure) for one in told)
    assert failures == 2


def test_a_batch_that_was_settled_takes_more(scorers: list[Scorer], revisions: list[Revision]) -> None:
    together = ScoringBatch(Extractor(), with_features=False)
    together.settle()
    (first,) = together.add(scorers[:1], revisions[0])
    assert first.outcome is None
    together.settle()
    (second,) = together.add(scorers[:1], revisions[0])
    together.settle()
    assert first.outcome == second.outcome
