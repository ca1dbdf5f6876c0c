"""What a scoring process does: load the artefacts once, then score revision after revision."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.pool_worker import Work
from models.scoring import score_revision
from models.store import ModelStore
from schemas.errors import ModelCorrupt
from schemas.prediction import ScoredModel
from schemas.revision import Revision


def load_work(
    folders: Sequence[Path], artefacts: Sequence[str], hashes: Mapping[str, str] | None = None
) -> Work:
    """Load artefacts and return the function that scores with them.

    Args:
        folders: Where artefacts lie, first wins.
        artefacts: Names, as the catalogue has them.
        hashes: sha512 by artefact that the catalogue read, and rows will carry.

    Raises:
        ModelError: An artefact is missing, damaged, replaced since, or asks for what is not here.
    """
    store = ModelStore(folders)
    scorers = {artefact: store.load(artefact) for artefact in artefacts}
    for artefact, sha512 in (hashes or {}).items():
        if scorers[artefact].info.id.model_sha512 != sha512:
            raise ModelCorrupt(
                f"artefact {artefact!r} was replaced under the same version since this process started; give "
                "the new one a version of its own, or start again",
                path=artefact,
            )

    def work(revision: Revision, wanted: tuple[str, ...], with_features: bool) -> list[ScoredModel]:
        return score_revision([scorers[name] for name in wanted], revision, with_features=with_features)

    return work
