"""A scorer that answers at once, for tests of the API."""

from collections.abc import Sequence

from schemas.prediction import Injected, ScoredModel
from tests.rows import binary, model_id


class Scorer:
    """Scores whatever it is asked for, and remembers what that was."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, tuple[str, ...]]] = []

    async def score(
        self,
        wiki_id: str,
        rev_id: int,
        model_names: Sequence[str],
        *,
        with_features: bool = False,
        injected: Injected | None = None,
    ) -> list[ScoredModel]:
        self.asked.append((wiki_id, rev_id, tuple(model_names)))
        return [ScoredModel(model_id(name), binary(0.75)) for name in model_names]
