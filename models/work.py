"""What a scoring process does: load the artefacts once, then score revision after revision."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

from models import resources
from models.attribution import explained_by
from models.batched import Promise, ScoringBatch
from models.dictionary_origins import other_dictionaries
from models.engine.extractor import Extractor
from models.features.definitions import Definition
from models.manifest import Manifest
from models.pool_messages import Work
from models.scoring import Scorer, cache_of, features_missing, score_revision, scored_by
from models.store import ModelStore
from models.trial import trial_revision
from schemas.errors import ModelCorrupt
from schemas.prediction import ScoredModel
from schemas.revision import Revision

_THREADED: Final = frozenset({("tabular", "onnx")})
"""Scorer and estimator of kinds whose library starts threads, which no fork takes along."""


def load_work(
    folders: Sequence[Path], artefacts: Sequence[str], hashes: Mapping[str, str] | None = None
) -> Work:
    """Load artefacts and return what scores with them.

    Args:
        folders: Where artefacts lie, first wins.
        artefacts: Names, as the catalogue has them.
        hashes: sha512 by artefact that the catalogue read, and rows will carry.

    Raises:
        ModelError: An artefact is missing, damaged, replaced since, or asks for what is not here.
    """
    return ArtefactWork(ModelStore(folders), artefacts, hashes or {})


class ArtefactWork:
    """Scores with artefacts that it has loaded, see ``models.pool_messages.Work``.

    Args:
        store: Holds the artefacts.
        artefacts: As for ``load_work``.
        hashes: As for ``load_work``.

    Attributes:
        features_seconds: See ``models.pool_messages.Work``.
    """

    def __init__(self, store: ModelStore, artefacts: Sequence[str], hashes: Mapping[str, str]) -> None:
        self._store = store
        self._hashes = hashes
        self._scorers: dict[str, Scorer] = {}
        self._extractor = Extractor()
        self.features_seconds = 0.0
        self._left_to_child = [each for each in artefacts if _starts_threads(store.manifest(each))]
        self._load([each for each in artefacts if each not in self._left_to_child])

    def __call__(
        self, revision: Revision, wanted: tuple[str, ...], with_features: bool, /
    ) -> list[ScoredModel]:
        """Score one revision with the artefacts wanted."""
        if self._left_to_child:
            self.load_in_child()
        chosen = [self._scorers[name] for name in wanted]
        began = monotonic()
        cache = cache_of(chosen, revision, self._extractor, with_features=with_features)
        self.features_seconds = monotonic() - began
        return [scored_by(scorer, revision, cache, with_features=with_features) for scorer in chosen]

    def explain(self, revision: Revision, wanted: tuple[str, ...], /) -> list[ScoredModel]:
        """Score one revision and tell what moved the scores, see ``models.pool_worker.Explains``."""
        if self._left_to_child:
            self.load_in_child()
        chosen = {name: self._scorers[name] for name in wanted}
        began = monotonic()
        cache = cache_of(list(chosen.values()), revision, self._extractor, with_features=True)
        self.features_seconds = monotonic() - began
        return [
            explained_by(scorer, self._store.open(name), revision, cache) for name, scorer in chosen.items()
        ]

    def prepare(self, revision: Revision, wanted: tuple[str, ...], /) -> None:
        """Compute what models share of a text, see ``models.pool_worker.Prepares``."""
        chosen = [self._scorers[name] for name in wanted if name in self._scorers]
        cache_of(chosen, revision, self._extractor, with_features=False)

    def batch(self, *, with_features: bool) -> "ArtefactBatch":
        """Return what scores revisions together."""
        return ArtefactBatch(self._scorers, ScoringBatch(self._extractor, with_features=with_features))

    def missing(self, artefact: str, revision: Revision) -> tuple[str, ...]:
        """Return the features of a model that have no true value, see ``models.scoring.features_missing``."""
        return features_missing(self._scorers[artefact], revision)

    def load_in_child(self) -> None:
        """Load what cannot be shared between processes, see ``models.pool_worker.LoadsInChild``.

        Raises:
            ModelError: As ``load_work``.
        """
        self._load(self._left_to_child)
        self._left_to_child = []

    def _load(self, artefacts: Sequence[str]) -> None:
        definitions = (self._store.manifest(artefact).definitions for artefact in artefacts)
        with resources.opening(tag for each in definitions for tag in _dictionaries(each)):
            for artefact in artefacts:
                scorer = self._store.load(artefact)
                if self._hashes.get(artefact, scorer.info.id.model_sha512) != scorer.info.id.model_sha512:
                    raise ModelCorrupt(
                        f"artefact {artefact!r} was replaced under the same version since this process "
                        "started; give the new one a version of its own, or start again",
                        path=artefact,
                    )
                self._scorers[artefact] = scorer
                # The engine reads word lists for the first revision; processes forked from here share that.
                for content_model in self._store.manifest(artefact).content_models:
                    score_revision([scorer], trial_revision(content_model), self._extractor)
        for artefact in artefacts:
            made_with = self._store.manifest(artefact).environment.dictionaries
            for told in other_dictionaries(artefact, made_with):
                sys.stderr.write(f"{told}\n")


class ArtefactBatch:
    """Scores revisions together, see ``models.batched``.

    Args:
        scorers: By artefact.
        batch: Of them.
    """

    def __init__(self, scorers: Mapping[str, Scorer], batch: ScoringBatch) -> None:
        self._scorers = scorers
        self._batch = batch

    def add(self, revision: Revision, wanted: Sequence[str]) -> list[Promise]:
        """Begin to score a revision with the artefacts wanted; one answer each, in order."""
        return self._batch.add([self._scorers[name] for name in wanted], revision)

    def settle(self) -> None:
        """Finish all that was begun."""
        self._batch.settle()


def _starts_threads(manifest: Manifest) -> bool:
    return (manifest.scorer, manifest.estimator.get("kind")) in _THREADED


def _dictionaries(definitions: Sequence[Definition]) -> list[str]:
    """Return the language tags of the dictionaries that definitions name, ``en_US``."""
    waiting: list[Any] = [part for one in definitions for part in (one.process, one.arguments)]
    tags: list[str] = []
    for value in waiting:
        if isinstance(value, Mapping):
            if isinstance(tag := value.get("dictionary"), str):
                tags.append(tag)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return tags
