"""Topics of a page by the pages that it links to: fastText over Wikidata ids.

The kind of Lift Wing's outlink-topic-model. Its words are the ids of the items of linked pages, so that one
model serves every language.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from models.artefact import Artefact
from models.kinds.estimator import EstimatorSpec, corrupt
from models.kinds.fasttext_file import FastTextModel
from models.scoring import FeatureCache
from schemas.catalogue import ModelInfo
from schemas.errors import FeatureError, ModelCorrupt
from schemas.prediction import FeatureValue, Score, ScoreKind
from schemas.revision import Revision

OUTLINKS: Final = "feature.outlinks"
MOST_OUTLINKS: Final = 1_000
_ITEM: Final = re.compile(r"Q[1-9]\d{0,11}", re.ASCII)


class OutlinkScorer:
    """Classifies pages by what they link to.

    Args:
        artefact: Verified; ``estimator.file`` names the fastText file, ``estimator.threshold`` from which
            probability on a topic is given.

    Raises:
        ResourceMissing: fasttext-predict is not installed.
        ModelCorrupt: The file cannot be read, or has other labels than the manifest.
    """

    def __init__(self, artefact: Artefact) -> None:
        self.info: ModelInfo = artefact.manifest.info()
        try:
            spec = msgspec.convert(artefact.manifest.estimator, EstimatorSpec)
        except msgspec.ValidationError as error:
            raise ModelCorrupt(
                f"the estimator in the manifest of artefact {self.info.artefact!r} cannot be read: {error}; "
                "save it anew",
                path=self.info.artefact,
            ) from error
        self._threshold = spec.threshold
        self._model = FastTextModel.of_bytes(spec.file, artefact.file(spec.file))
        if tuple(sorted(self.info.labels)) != self._model.labels:
            raise corrupt(spec.file, "its labels are not those of the manifest")

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score one revision, see ``models.scoring.Scorer``.

        Raises:
            FeatureError: The source of the revision does not know what its page links to.
        """
        if revision.outlinks is None:
            raise FeatureError(
                f"revision {revision.rev_id} of {revision.wiki_id} came without the Wikidata ids of pages "
                "that it links to, and the model reads nothing else; score it from a source that gives them",
                wiki_id=revision.wiki_id,
                rev_id=revision.rev_id,
                feature=OUTLINKS,
            )
        return self.classify(revision.outlinks), {OUTLINKS: len(set(revision.outlinks))}

    def classify(self, outlinks: Iterable[str], threshold: float | None = None) -> Score:
        """Classify by the items of linked pages.

        Args:
            outlinks: Wikidata ids, ``Q42``. Each counts once; of more than 1,000 the first 1,000 count, in
                their order. The order matters no further.
            threshold: From which probability on a topic is given; None takes the model's own.

        Returns:
            All topics with their probabilities, likeliest first; none where the model knows none of the ids.

        Raises:
            FeatureError: One is no id of an item.
        """
        ids = list(dict.fromkeys(outlinks))[:MOST_OUTLINKS]
        wrong = next((one for one in ids if not _ITEM.fullmatch(one)), None)
        if wrong is not None:
            raise FeatureError(
                f"{wrong[:80]!r} is no id of a Wikidata item such as Q42; give the items of the linked pages",
                feature=OUTLINKS,
            )
        # fastText adds up the vectors in single precision, in the order given.
        found = self._model.predict(" ".join(sorted(ids)))
        least = self._threshold if threshold is None else threshold
        probability = {one.label: min(1.0, max(0.0, one.probability)) for one in found}
        return Score(
            ScoreKind.MULTILABEL, tuple(label for label, p in probability.items() if p >= least), probability
        )


def load(artefact: Artefact) -> OutlinkScorer:
    """Make the scorer of a verified artefact."""
    return OutlinkScorer(artefact)
