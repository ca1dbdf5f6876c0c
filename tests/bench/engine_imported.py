"""Features of published models from their artefacts, and of topic models, beside revscoring's solver."""

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models import resources, vectors
from models.engine.extractor import PAGE_CHARS, Extractor
from models.engine.pages import PageMemory
from models.features import catalogue
from models.features.binder import FeatureBinder
from models.features.describe import describe
from models.features.feature_set import FeatureSet
from models.features.mirror import Mirror
from models.manifest import FeatureSpec
from models.revscoring_scorer import RevscoringScorer
from models.store import ModelStore
from schemas.revision import Revision
from tests.bench.engine_ways import Tally, compare_outcomes, extracted, ms, solved
from tests.topics import mean_of_vectors

_TOPIC_FILE = "enwiki-20200501-learned_vectors.50_cell.10k.kv"
_SIZE = 50


def loaded(artefacts: Path, name: str) -> FeatureSet:
    """Return the features of an imported model."""
    scorer = ModelStore([artefacts]).load(name)
    assert isinstance(scorer, RevscoringScorer)
    return scorer._features


def beside_solver(features: FeatureSet, revisions: Sequence[Revision], *, sample: int) -> dict[str, Any]:
    """Extract features of a history stateless and in dump order; the solver computes a sample of them.

    The dictionary of words is warm: the history was gone through once before.
    """
    tally = Tally()
    names = [spec.name for spec in features.specs]
    step = max(1, len(revisions) // sample)
    places = range(step // 2, len(revisions), step)
    theirs = {place: solved(features, revisions[place]) for place in places}
    ratios: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for way, page_chars in (("stateless", 0), ("dump_order", PAGE_CHARS)):
        extractor = Extractor(PageMemory(page_chars))
        for revision in revisions:
            extractor.extract([features], revision)
        extractor.pages = PageMemory(page_chars)
        spent = []
        for place, revision in enumerate(revisions):
            outcome, took = extracted(extractor, features, revision)
            if place in theirs:
                spent.append(took)
                compare_outcomes(tally, outcome, theirs[place][0], names)
        seconds[way] = statistics.mean(spent)
        ratios[way] = sum(took for _, took in theirs.values()) / sum(spent)
    return {
        "revisions": len(revisions),
        "revisions_sampled": len(places),
        "mean_chars": round(statistics.mean(len(revision.text) for revision in revisions)),
        "features": len(features.specs),
        "naive_cpu_ms": ms([statistics.mean(took for _, took in theirs.values())]),
        **{f"{way}_cpu_ms": ms([took]) for way, took in seconds.items()},
        **{f"times_{way}": round(ratio, 2) for way, ratio in ratios.items()},
        **tally.figures(),
    }


def topic_features(texts: Sequence[str], folder: Path, words: int = 10_000) -> FeatureSet:
    """Return the features of a topic model over made-up vectors of 50 dimensions.

    Args:
        texts: Their most frequent words have vectors.
        folder: Where the vectors go.
        words: How many, as the published vectors have.
    """
    counted = Counter(word for text in texts for word in text.lower().split() if word.isalpha())
    known = [word for word, _ in counted.most_common(words)]
    rows = np.random.default_rng(0).normal(size=(len(known), _SIZE)).astype("<f4")
    source = folder / _TOPIC_FILE
    with source.open("wb") as file:
        file.write(f"{len(known)} {_SIZE}\n".encode())
        for word, row in zip(known, rows, strict=True):
            file.write(word.encode() + b" " + row.tobytes())
    vectors.convert_vectors(source, folder)
    vectors.look_in([folder])
    found = resources.module("features.wikitext").revision.datasources.words
    lowered = Mirror().of(resources.module("datasources.meta.mappers").lower_case(found))
    mean = mean_of_vectors(lowered)
    positions, definitions = describe([mean], catalogue.known())
    specs = [
        FeatureSpec(
            definitions[position].name, definitions[position].returns, definition=position, columns=_SIZE
        )
        for position in positions
    ]
    return FeatureSet("articletopic", specs, FeatureBinder(lambda _: frozenset(), definitions))
