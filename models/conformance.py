"""The model that conformance checks of ORES's API ask of ``testwiki``: arithmetic on the revision id.

Its probability of true is the last two digits of the revision id in reversed order, by a hundred.
"""

from models.artefact import Artefact
from models.manifest import FeatureSpec, Manifest
from models.scoring import FeatureCache
from schemas.catalogue import ModelInfo
from schemas.prediction import FeatureValue, Score, ScoreKind
from schemas.revision import Revision

DELAY = "feature.delay"
REVERSED_DIGITS = "feature.revision.reversed_last_two_in_rev_id"


class RevidScorer:
    """Scores the revision id alone, in microseconds, on whatever content.

    Args:
        artefact: Verified.
    """

    def __init__(self, artefact: Artefact) -> None:
        self.info: ModelInfo = artefact.manifest.info()

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score one revision, see ``models.scoring.Scorer``."""
        digits = reversed_last_two(revision.rev_id)
        return revid_score(digits), {DELAY: 0, REVERSED_DIGITS: digits}


def reversed_last_two(rev_id: int) -> int:
    """Return the last two decimal digits in reversed order: 2342342 gives 24, 1205 gives 50, 7 gives 70."""
    tens, ones = divmod(rev_id % 100, 10)
    return ones * 10 + tens


def revid_score(digits: int) -> Score:
    """Score two reversed digits, from the revision or injected by a client in their place.

    Args:
        digits: In [0, 99].
    """
    true = digits / 100
    chosen = "true" if true > 0.5 else "false"
    return Score(ScoreKind.BINARY, (chosen,), {"false": 1 - true, "true": true})


def manifest() -> Manifest:
    """Describe the model; it has no numbers to learn."""
    return Manifest(
        name="testwiki-revid",
        model_name="revid",
        model_version="0.0.0",
        kind=ScoreKind.BINARY,
        labels=("false", "true"),
        scorer="conformance-revid",
        features=(FeatureSpec(DELAY, "int"), FeatureSpec(REVERSED_DIGITS, "int")),
        content_models=(),
        reads_content=False,
        is_inline=True,
        card={
            "What": "Conformance model of ORES's API: the last two digits of the revision id in reversed "
            "order, by a hundred, are the probability of true. It says nothing about the edit.",
            "Data": "None.",
            "Limits": "For checks of clients and servers only.",
        },
        licence="Apache-2.0",
        owner="revstream",
        stage="production",
    )


def load(artefact: Artefact) -> RevidScorer:
    """Make the scorer of a verified artefact."""
    return RevidScorer(artefact)
