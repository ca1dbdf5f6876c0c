"""The model that conformance checks of ORES's API ask of ``testwiki``: arithmetic on the revision id.

Its probability of true is the last two digits of the revision id in reversed order, by a hundred.
"""

from models.artefact import Artefact
from models.features.numbers import is_number
from models.manifest import FeatureSpec, Manifest
from models.scoring import FeatureCache
from schemas.catalogue import ModelInfo
from schemas.errors import FeatureError
from schemas.prediction import FeatureValue, Injected, Score, ScoreKind
from schemas.revision import Revision

DELAY = "feature.delay"
REVERSED_DIGITS = "feature.revision.reversed_last_two_in_rev_id"
LAST_DIGITS = "datasource.revision.last_two_in_rev_id"


class RevidScorer:
    """Scores the revision id alone, in microseconds, on whatever content.

    A client may inject the digits, and a delay, for which whoever asks has to wait.

    Args:
        artefact: Verified.
    """

    def __init__(self, artefact: Artefact) -> None:
        self.info: ModelInfo = artefact.manifest.info()

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score one revision, see ``models.scoring.Scorer``."""
        injected = revision.injected or {}
        digits = _number(injected, REVERSED_DIGITS, _digits(injected, revision.rev_id))
        delay = _number(injected, DELAY, 0)
        if delay < 0:
            raise FeatureError(f"feature {DELAY!r} is injected as {delay}: nobody can wait less than nothing")
        return revid_score(digits), {DELAY: delay, REVERSED_DIGITS: digits}

    def wait_seconds(self, revision: Revision) -> float:
        """Return the delay that a client injected, see ``models.scoring.Waits``."""
        delay = (revision.injected or {}).get(DELAY, 0)
        return float(delay) if is_number(delay) else 0.0


def reversed_last_two(rev_id: int) -> int:
    """Return the last two decimal digits in reversed order: 2342342 gives 24, 1205 gives 50, 7 gives 70."""
    tens, ones = divmod(rev_id % 100, 10)
    return ones * 10 + tens


def revid_score(digits: float) -> Score:
    """Score two reversed digits.

    Args:
        digits: In [0, 99]; whatever number a client injects in their place, as ORES has it.
    """
    true = digits / 100
    chosen = "true" if true > 0.5 else "false"
    return Score(ScoreKind.BINARY, (chosen,), {"false": 1 - true, "true": true})


def _digits(injected: Injected, rev_id: int) -> int:
    text = str(injected.get(LAST_DIGITS, ""))[::-1]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 2 else reversed_last_two(rev_id)


def _number(injected: Injected, name: str, usual: float) -> float:
    value: float = injected.get(name, usual)
    if not is_number(value):
        raise FeatureError(f"feature {name!r} is injected as {str(value)[:100]!r}, which is no number")
    return value


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
