"""A scorer that answers at once, for tests of the API."""

from app.api.on_demand import ScoreRequest
from schemas.prediction import ScoredModel
from tests.rows import binary, model_id


class Scorer:
    """Scores whatever it is asked for, and remembers what that was."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, tuple[str, ...]]] = []

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        self.asked.append((request.wiki_id, request.rev_id, tuple(request.model_names)))
        return [ScoredModel(model_id(name), binary(0.75)) for name in request.model_names]
