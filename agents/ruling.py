"""By what events are handled: one reading of the models and the rules, whole."""

import asyncio
import contextlib
from typing import Final

from faust.types import AppT

from agents.outputs import Outputs
from agents.rules.book import RuleBook
from agents.rules.decide import Plan
from schemas.catalogue import Catalogue
from tables.predictions import Predictions

_POLL_SECONDS: Final = 0.05


class UnderWay:
    """Counts what is under way, entered once for each.

    Attributes:
        count: How many are.
    """

    count = 0

    def __exit__(self, *_: object) -> None:
        self.count -= 1

    async def over(self) -> None:
        """Wait until nothing is under way."""
        while self.count:  # noqa: ASYNC110 - an event for each would cost what the count spares
            await asyncio.sleep(_POLL_SECONDS)


class Ruling(UnderWay):
    """Models, rules and outputs that belong together; an event is handled by one ruling to its end.

    Args:
        app: Gives the producer.
        predictions: The tables.
        catalogue: The models of each wiki.
        rules: Say which models score an event, and where the scores go; without any, all of the wiki do.

    Attributes:
        catalogue: As above.
        rules: As above.
        outputs: Sends what is to be told.
    """

    def __init__(
        self, app: AppT, predictions: Predictions, catalogue: Catalogue, rules: RuleBook | None
    ) -> None:
        self.catalogue = catalogue
        self.rules = rules
        self.outputs = Outputs(app, predictions, rules)

    def __enter__(self) -> "Ruling":
        self.count += 1
        return self

    def places(self, plan: Plan | None) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold the places that rules want for an event, see `RuleBook.places`."""
        if self.rules is None or plan is None:
            return contextlib.nullcontext()
        return self.rules.places(plan)
