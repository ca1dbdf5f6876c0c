"""The models that the engine is measured with: each as revscoring's own object, and as our artefact of it."""

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from models import inputs, resources
from models.importer import import_model
from models.revscoring_scorer import RevscoringScorer
from models.store import ModelStore
from schemas.errors import RevstreamError
from schemas.revision import Revision
from tests.feature_revisions import inputs_of

NAMES = ("damaging", "goodfaith")
_ROOT = Path(__file__).resolve().parents[2]
_LEARNED_FROM = 150


class ReferenceModel:
    """One model twice.

    Attributes:
        name: Of the artefact.
        model: revscoring's object, as a service of today loads it.
        scorer: Our scorer of the artefact that was made of its file.
        features: Of that scorer.
        names: Of the features, in order.
    """

    def __init__(self, file: Path, artefacts: Path, name: str) -> None:
        self.name = name
        resources.language("english")
        # This file was made here a moment ago; files from elsewhere are never unpickled.
        self.model: Any = pickle.loads(file.read_bytes())
        scorer = ModelStore([artefacts]).load(name)
        assert isinstance(scorer, RevscoringScorer)
        self.scorer = scorer
        self.features = scorer._features
        self.names = [spec.name for spec in self.features.specs]
        self._datasource = resources.module("datasources").Datasource
        self._solve = resources.module("dependencies").solve
        self._roots = frozenset[str]().union(*(bound.roots for bound in self.features.bound))

    def cache(self, revision: Revision) -> dict[Any, Any]:
        """Return a cache for revscoring's solver that holds what a revision gives."""
        given = inputs.values(revision, self._roots)
        return {self._datasource(name.removeprefix("datasource.")): value for name, value in given.items()}

    def solve(self, cache: dict[Any, Any]) -> list[Any]:
        """Compute the features by revscoring's own solver."""
        return list(self._solve(self.model.features, cache=cache))

    def probabilities(self, values: Sequence[Any]) -> dict[str, float]:
        """Return what revscoring's ``Model.score`` says, by label as we write it."""
        scored = self.model.score(values)["probability"]
        return {json.dumps(label): float(value) for label, value in scored.items()}


def reference_models(
    folder: Path, shared: Path, revisions: Iterable[Revision], trees: int
) -> list[ReferenceModel]:
    """Train, import and load two models the size of enwiki's damaging and goodfaith.

    Args:
        folder: Keeps them for the next time.
        shared: Shared data, with NLTK's stop words.
        revisions: The first of these are learned from.
        trees: Of each model; production has 700.
    """
    here = folder / f"trees-{trees}"
    files = {name: here / f"enwiki.{name}.gradient_boosting.model" for name in NAMES}
    stop_words = shared / "data" / "nltk" / "stopwords.zip"
    if not (here / "artefacts").is_dir():
        _train(here, stop_words, revisions, trees)
        for file in files.values():
            import_model(file, here / "artefacts", nltk_stopwords=stop_words)
    return [ReferenceModel(file, here / "artefacts", f"enwiki-{name}") for name, file in files.items()]


def artefacts_folder(folder: Path, trees: int) -> Path:
    """Return where the artefacts of ``reference_models`` lie."""
    return folder / f"trees-{trees}" / "artefacts"


def imported_models(files: Path, into: Path, shared: Path) -> tuple[list[str], list[str]]:
    """Import all model files of a folder that are not there yet.

    Returns:
        Names of the artefacts that can be loaded here; why the others cannot, in words.
    """
    stop_words = shared / "data" / "nltk" / "stopwords.zip"
    names, refused = [], []
    for file in sorted(path for path in files.iterdir() if ".model" in path.name):
        try:
            name = import_model(file, into, nltk_stopwords=stop_words).name
            ModelStore([into]).load(name)
            names.append(name)
        except RevstreamError as error:
            refused.append(f"{file.name}: {error.message[:200]}")
    return names, refused


def ask_dictionaries_directly() -> None:
    """Take away what stands between revscoring and its dictionaries here: neither side shall pay for it."""
    for tag in ("en_US", "en_GB", "en_AU", *resources.dictionaries_read()):
        dictionary = resources.dictionary(tag)
        try:
            dictionary.open()
        except RevstreamError:
            continue
        vars(dictionary)["check"] = dictionary._opened.check


def _train(folder: Path, stop_words: Path, revisions: Iterable[Revision], trees: int) -> None:
    corpora = folder / "nltk" / "corpora"
    corpora.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(stop_words) as archive:
        archive.extractall(corpora)
    given = json.dumps([inputs_of(revision) for revision in islice(revisions, _LEARNED_FROM)])
    # In a process of its own, so that it is revscoring alone and not what we put beside it.
    subprocess.run(
        [sys.executable, "-m", "tests.bench.engine_training", str(folder), str(trees)],
        input=given,
        text=True,
        check=True,
        cwd=_ROOT,
        env={**os.environ, "NLTK_DATA": str(corpora.parent)},
    )
