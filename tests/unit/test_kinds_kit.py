"""The conformance kit finds what it looks for: each of these models breaks one promise."""

import os
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from models.kinds.conformance_kit import ConformanceFailure, Subject, yield_checks
from models.pool import Work
from models.scoring import FeatureCache, require_content_model, score_revision
from schemas.catalogue import ModelInfo, ModelInfoDocument
from schemas.prediction import FeatureValue, ModelId, Score, ScoredModel, ScoreKind
from schemas.revision import Revision
from tests.kinds import REVISIONS

LENGTH = "feature.length"


class Sound:
    """Scores the length of the text, and breaks no promise."""

    def __init__(self) -> None:
        self.info = ModelInfo(
            "sound",
            ModelId("length", "1", "ab" * 64),
            ScoreKind.BINARY,
            ("false", "true"),
            ModelInfoDocument(type="Length", version="1"),
            {},
        )

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        require_content_model(("wikitext",), revision)
        length = len(revision.text)
        [[false, true]] = self.predict(np.array([[float(length)]])).tolist()
        chosen = "true" if true >= 0.5 else "false"
        return Score(ScoreKind.BINARY, (chosen,), {"false": false, "true": true}), {LENGTH: length}

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        true = 1 - 1 / (1 + np.abs(rows[:, 0]) / 100)
        return np.stack([1 - true, true], axis=1)


class Forgetful(Sound):
    """Answers by how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = 0

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        self._asked += 1
        return super().predict(rows + self._asked)


class Remembering(Sound):
    """Keeps the longest text that it saw."""

    def __init__(self) -> None:
        super().__init__()
        self._longest = 0.0

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        self._longest = max(self._longest, float(rows.max()))
        return super().predict(np.maximum(rows, self._longest))


class Unbounded(Sound):
    """Gives more than 1."""

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return super().predict(rows) * 3


class Unlabelled(Sound):
    """Has a label that it does not list."""

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        score, features = super().score(revision, cache)
        return Score(score.kind, score.prediction, {**score.probability, "perhaps": 0.0}), features


class Greedy(Sound):
    """Scores content of any model."""

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        score = Score(ScoreKind.BINARY, ("false",), {"false": 1.0, "true": 0.0})
        return score, {LENGTH: len(revision.text)}


class Careless(Sound):
    """Fails on a revision without a parent with an error that has no type."""

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        if revision.parent_text is None:
            raise AttributeError("no parent")
        return super().score(revision, cache)


class Crowded(Sound):
    """Gives a row among others another last bit."""

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        found = super().predict(rows)
        return found if len(rows) == 1 else np.nextafter(found, 2)


class Meddling(Sound):
    """Reads from the cache what another model left there."""

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        cache.values["asked"] = cache.values.get("asked", 0) + 1
        score, _ = super().score(revision, cache)
        return score, {LENGTH: cache.values["asked"]}


class Misnamed(Sound):
    """Names another feature than its manifest."""

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        score, _ = super().score(revision, cache)
        return score, {"feature.other": 1}


class Homesick(Sound):
    """Scores otherwise in another process."""

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return super().predict(rows if os.getpid() == int(os.environ["KIT_HOME"]) else rows + 1)


class Deadly(Sound):
    """Ends its process over a huge text."""

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        if len(revision.text) > 1_000_000:
            os.abort()
        return super().score(revision, cache)


def work_of(kind: type[Sound]) -> Work:
    """Make the work of a model of these, in a process of a pool."""
    scorer = kind()

    def work(revision: Revision, artefacts: tuple[str, ...], with_features: bool) -> list[ScoredModel]:
        return score_revision([scorer] * len(artefacts), revision, with_features=with_features)

    return work


def _failed(kind: type[Sound], only: Callable[[str], bool] = lambda name: "pool" not in name) -> set[str]:
    subject = Subject(kind, partial(work_of, kind), "sound", REVISIONS, ("wikitext",), [LENGTH])
    failed = set()
    for check in yield_checks(subject):
        if only(check.name) and check.name != "a_huge_revision_ends_within_the_limit":
            try:
                check.run()
            except ConformanceFailure:
                failed.add(check.name)
    return failed


def test_a_sound_model_passes_every_check() -> None:
    subject = Subject(Sound, partial(work_of, Sound), "sound", REVISIONS, ("wikitext",), [LENGTH])
    names = []
    for check in yield_checks(subject):
        check.run()
        names.append(check.name)
    assert len(names) == len(set(names)) >= 13


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Forgetful, "the_same_revision_gets_the_same_answer"),
        (Remembering, "the_order_of_revisions_does_not_matter"),
        (Remembering, "failures_leave_nothing_behind"),
        (Unbounded, "probabilities_are_probabilities"),
        (Unlabelled, "labels_are_those_of_the_manifest"),
        (Greedy, "other_content_models_are_refused"),
        (Careless, "odd_revisions_get_a_score_or_a_typed_error"),
        (Crowded, "a_batch_gives_the_same_bits_as_single_rows"),
        (Meddling, "a_shared_cache_does_not_matter"),
        (Misnamed, "features_are_those_of_the_manifest"),
    ],
)
def test_a_model_that_breaks_a_promise_fails_the_check_for_it(kind: type[Sound], check: str) -> None:
    assert check in _failed(kind)


def test_a_model_that_breaks_one_promise_passes_the_other_checks() -> None:
    assert _failed(Careless) == {"odd_revisions_get_a_score_or_a_typed_error"}
    assert _failed(Misnamed) >= {"features_are_those_of_the_manifest"}


def test_a_model_that_scores_otherwise_elsewhere_fails_in_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_HOME", str(os.getpid()))
    assert _failed(Homesick, lambda name: "pool" in name) == {"a_pool_process_gives_the_same_answers"}


def test_a_model_that_ends_its_process_fails() -> None:
    subject = Subject(Deadly, partial(work_of, Deadly), "sound", REVISIONS, ("wikitext",), [LENGTH])
    [check] = [one for one in yield_checks(subject) if one.name == "a_huge_revision_ends_within_the_limit"]
    with pytest.raises(ConformanceFailure, match="ends its process"):
        check.run()
