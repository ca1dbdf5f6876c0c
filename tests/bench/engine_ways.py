"""One revision scored in each of the ways that are compared, with the CPU time that it took."""

import gc
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from batch.backfill.chunks import LEAST_CHUNK_BYTES
from models.batched import Promise, ScoringBatch
from models.engine.extractor import PAGE_CHARS, Extractor
from models.engine.pages import PageMemory
from models.features.feature_set import FeatureSet
from models.pool_worker import collect_if_much
from models.scoring import score_revision
from schemas.errors import RevstreamError
from schemas.prediction import Outcome, Score
from schemas.revision import Revision
from tests.bench.engine_models import ReferenceModel
from tests.feature_lists import _bits as bits


class Answer(Struct, frozen=True):
    """What one way says of a revision, by model in their order.

    Attributes:
        features: Values of each model, in its order.
        probabilities: By label, of each model.
        seconds: CPU time.
    """

    features: Sequence[Sequence[Any]]
    probabilities: Sequence[Mapping[str, float]]
    seconds: float


class Tally:
    """Counts what was compared, and keeps what differed.

    Attributes:
        values: Features compared.
        different_values: Those that differ in a bit or in type.
        probabilities: Compared.
        different_probabilities: Those that differ in a bit.
    """

    def __init__(self) -> None:
        self.values = self.different_values = 0
        self.probabilities = self.different_probabilities = 0
        self.named: Counter[str] = Counter()

    def compare(self, ours: Answer, theirs: Answer, names: Sequence[Sequence[str]]) -> None:
        """Compare two answers bit for bit."""
        for our_row, their_row, names_row in zip(ours.features, theirs.features, names, strict=True):
            for our, their, name in zip(our_row, their_row, names_row, strict=True):
                self.values += 1
                if bits(our) != bits(their):
                    self.different_values += 1
                    self.named[name] += 1
        for our_told, their_told in zip(ours.probabilities, theirs.probabilities, strict=True):
            for label, probability in their_told.items():
                self.probabilities += 1
                self.different_probabilities += our_told[label].hex() != probability.hex()

    def figures(self) -> dict[str, Any]:
        """Return the counts as figures of the report."""
        different = {"different_features": dict(self.named.most_common(10))} if self.named else {}
        return {
            "values_compared": self.values,
            "values_different": self.different_values,
            "probabilities_compared": self.probabilities,
            "probabilities_different": self.different_probabilities,
            **different,
        }


def naive(models: Sequence[ReferenceModel], revision: Revision, *, is_shared: bool) -> Answer:
    """Score as a user of revscoring does: its solver and its ``Model.score``, once per model.

    Args:
        models: Which.
        revision: What to score.
        is_shared: One cache for all models (N2); else each its own (N1).
    """
    features, probabilities = [], []
    began = time.process_time()
    common = models[0].cache(revision)
    for model in models:
        values = model.solve(common if is_shared else model.cache(revision))
        features.append(values)
        probabilities.append(model.probabilities(values))
    return Answer(features, probabilities, time.process_time() - began)


def ours(models: Sequence[ReferenceModel], revision: Revision, extractor: Extractor) -> Answer:
    """Score as a scoring process of ours does on the stream, where nobody wants the features back."""
    scorers = [model.scorer for model in models]
    extraction = _Noting(extractor)
    with _garbage_of_a_scorer():
        began = time.process_time()
        told = score_revision(scorers, revision, extraction)
        collect_if_much()
        seconds = time.process_time() - began
    return Answer(
        [extraction.values(model.features) for model in models],
        [_probability(each.outcome) for each in told],
        seconds,
    )


class _Noting:
    """Computes features and notes them, to be compared."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self._noted: Mapping[FeatureSet, Any] = {}

    def extract(self, sets: Sequence[FeatureSet], revision: Revision) -> Mapping[FeatureSet, Any]:
        """Return what the engine gives."""
        self._noted = self._extractor.extract(sets, revision)
        return self._noted

    def values(self, features: FeatureSet) -> list[Any]:
        """Return the values of a model's features in its order.

        Raises:
            RevstreamError: There are none.
        """
        noted = self._noted[features]
        if isinstance(noted, RevstreamError):
            raise noted
        return list(noted)


def warm(models: Sequence[ReferenceModel], revision: Revision, page_chars: int = PAGE_CHARS) -> Extractor:
    """Return a fresh extractor that has made its plan by a short revision of another page.

    What lives by then is taken out of the collection of garbage, as the template of the pool does; this
    spares all ways alike.
    """
    extractor = Extractor(PageMemory(page_chars))
    extractor.extract([model.features for model in models], revision)
    gc.collect()
    gc.freeze()
    return extractor


@contextmanager
def _garbage_of_a_scorer() -> Iterator[None]:
    """Collect no garbage by itself, as in a scoring process, which does so between revisions."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def in_chunks(
    models: Sequence[ReferenceModel],
    revisions: Iterable[Revision],
    extractor: Extractor,
    wanted: frozenset[int],
) -> tuple[dict[int, Answer], float, int]:
    """Score all revisions as a scoring process of a backfill does: features one by one, predictions by chunk.

    Args:
        models: Which.
        revisions: In the order of the dump; making them counts as reading.
        extractor: Has its plan.
        wanted: Places of the answers to keep. Of the prediction, each revision of a chunk is charged alike.

    Returns:
        Answers by place; CPU seconds of everything, reading included; number of revisions.
    """
    answers: dict[int, Answer] = {}
    began = time.process_time()
    place = 0
    for chunk in _chunks(revisions):
        computed, told, predicting = _of_chunk(models, chunk, extractor)
        for (features, seconds), promises in zip(computed, told, strict=True):
            if place in wanted:
                answers[place] = Answer(
                    features,
                    [_probability(each.outcome) for each in promises],
                    seconds + predicting / len(chunk),
                )
            place += 1
    return answers, time.process_time() - began, place


def _of_chunk(
    models: Sequence[ReferenceModel], chunk: Sequence[Revision], extractor: Extractor
) -> tuple[list[tuple[list[list[Any]], float]], list[list[Promise]], float]:
    """Return the features of each revision with their CPU time, what is told of it, the time to predict."""
    scorers = [model.scorer for model in models]
    extraction = _Noting(extractor)
    batch = ScoringBatch(extraction, with_features=False)
    computed, told = [], []
    with _garbage_of_a_scorer():
        for revision in chunk:
            began = time.process_time()
            told.append(batch.add(scorers, revision))
            collect_if_much()
            seconds = time.process_time() - began
            computed.append(([extraction.values(model.features) for model in models], seconds))
        began = time.process_time()
        batch.settle()
        return computed, told, time.process_time() - began


def _chunks(revisions: Iterable[Revision]) -> Iterator[list[Revision]]:
    """Cut a history as a backfill of a small dump does; pages go on in the next chunk."""
    chunk: list[Revision] = []
    chars = 0
    for revision in revisions:
        chunk.append(revision)
        chars += len(revision.text)
        if chars >= LEAST_CHUNK_BYTES:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk


def solved(features: FeatureSet, revision: Revision) -> tuple[Any, float]:
    """Compute the features of an imported model by revscoring's own solver, with the CPU time it took."""
    began = time.process_time()
    outcome = features.solve(revision)
    return outcome, time.process_time() - began


def extracted(extractor: Extractor, features: FeatureSet, revision: Revision) -> tuple[Any, float]:
    """Compute them by the engine, with the CPU time it took."""
    with _garbage_of_a_scorer():
        began = time.process_time()
        outcome = extractor.extract([features], revision)[features]
        collect_if_much()
        return outcome, time.process_time() - began


def compare_outcomes(tally: Tally, our: Any, their: Any, names: Sequence[str]) -> None:
    """Compare what came of the features of one model; an error must be told in the same words."""
    if isinstance(our, RevstreamError) or isinstance(their, RevstreamError):
        tally.values += 1
        if repr(our) != repr(their):
            tally.different_values += 1
            tally.named[f"error {our!r} for {their!r}"[:300]] += 1
        return
    tally.compare(Answer([our], [], 0), Answer([their], [], 0), [names])


def ms(seconds: Iterable[float]) -> float:
    """Return the median as milliseconds."""
    return round(statistics.median(seconds) * 1e3, 4)


def _probability(outcome: Outcome | None) -> Mapping[str, float]:
    assert isinstance(outcome, Score), outcome
    return outcome.probability
