"""What a scoring process does: load the artefacts once, then score revision after revision."""

from collections.abc import Sequence
from pathlib import Path

from models.pool_worker import Work
from models.scoring import score_revision
from models.store import ModelStore
from schemas.prediction import ScoredModel
from schemas.revision import Revision


def load_work(folders: Sequence[Path], artefacts: Sequence[str]) -> Work:
    """Load artefacts and return the function that scores with them.

    Args:
        folders: Where artefacts lie, first wins.
        artefacts: Names, as the catalogue has them.

    Raises:
        ModelError: An artefact is missing, damaged, or asks for what is not here.
    """
    store = ModelStore(folders)
    scorers = {artefact: store.load(artefact) for artefact in artefacts}

    def work(revision: Revision, wanted: tuple[str, ...], with_features: bool) -> list[ScoredModel]:
        return score_revision([scorers[name] for name in wanted], revision, with_features=with_features)

    return work
