"""What a scoring process of a backfill is told before it loads anything."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from batch.backfill.plan import PlannedModel
from batch.backfill.subjects import UserLookup
from models.pool_messages import Work


class ScorerSetup(Struct, frozen=True, kw_only=True):
    """What a scoring process is to know beside its models.

    Attributes:
        folders: Where artefacts lie.
        models: Of all wikis.
        with_features: Whether rows have the features.
        max_text_bytes: Size from which the reader dropped texts.
        scored_dt: What rows say.
        places: Folder where processes say which revision they are at.
        open_users: Opens what tells of users; called once in each process.
    """

    folders: tuple[Path, ...]
    models: tuple[PlannedModel, ...]
    with_features: bool
    max_text_bytes: int
    scored_dt: datetime
    places: Path
    open_users: Callable[[], UserLookup]


def load_chunk_work(setup: ScorerSetup) -> Work:
    """Load the models and return what scores chunks with them. The template of the pool calls it.

    Raises:
        ModelError: An artefact is missing, damaged, replaced since, or asks for what is not here.
    """
    # Who starts the processes scores nothing itself, and needs no engine.
    from batch.backfill.scorer import chunk_work  # noqa: PLC0415

    return chunk_work(setup)
