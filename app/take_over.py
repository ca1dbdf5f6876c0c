"""Has a running worker go by other rules and models, while it scores and answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from agents.pipeline import Pipeline
from agents.ruling import UnderWay
from app.api.current import CurrentApi
from app.cluster.member import Member
from app.configuration import Configuration
from app.feed import Feed
from app.model_monitor import ModelMonitor
from app.on_demand_works import OnDemandWorks
from app.scorers import Scorers
from schemas.errors import NotReady

# For what knows a model and has not begun to score: a text that a client sends, links that a wiki tells.
_LINGER_SECONDS: Final = 5.0


class TakeOver:
    """The steps from one configuration to the next.

    Args:
        scorers: Load what is new beside what scores now.
        pipeline: Handles events.
        on_demand: Scores for clients.
        member: Has others score.
        feed: Tells of rows.
        monitor: Watches the models.
        check: Raises where a configuration takes a restart, and prepares what it needs elsewhere.

    Attributes:
        api: Answers; None before it does.
    """

    def __init__(
        self,
        scorers: Scorers,
        pipeline: Pipeline,
        *,
        on_demand: OnDemandWorks,
        member: Member,
        feed: Feed,
        monitor: ModelMonitor,
        check: Callable[[Configuration], Awaitable[None]],
    ) -> None:
        self._scorers = scorers
        self._pipeline = pipeline
        self._on_demand = on_demand
        self._member = member
        self._feed = feed
        self._monitor = monitor
        self._check = check
        self._former: list[UnderWay] = []
        self._retiring: asyncio.Task[None] | None = None
        self.api: CurrentApi | None = None

    async def apply(self, new: Configuration) -> None:
        """Put a configuration in force.

        1. See that nothing in it takes a restart.
        2. Load its models beside those that score, once those are gone that scored before: two sets of them
           at most are in memory.
        3. Switch, in one turn of the event loop: an event, and a request, is handled by one configuration.
        4. Once nothing is under way by a former one, let go of its models. Nobody waits for that.

        Raises:
            RevstreamError: It cannot be; nothing has changed.
        """
        api, scorers = self.api, self._scorers
        if api is None or not scorers.is_ready:
            raise NotReady("The worker starts, and loads its models. Reload later.")
        await self._check(new)  # 1
        rules = new.book()
        answering = api.made(new.catalogue, rules)
        has_loaded = scorers.has_loaded(new.catalogue)
        if not has_loaded:  # 2
            if self._retiring is not None:
                await asyncio.shield(self._retiring)
            await scorers.load(new.catalogue)
        scorers.switch(new.catalogue)  # 3
        former = self._pipeline.switch(new.catalogue, rules), self._on_demand.switch(new.catalogue)
        self._member.switch(new.catalogue)
        self._feed.catalogue = self._monitor.catalogue = new.catalogue
        api.switch(answering)
        self._former = [each for each in (*self._former, *former) if each.count]
        if not has_loaded:  # 4
            self._retiring = asyncio.create_task(self._retire(self._former))

    async def close(self) -> None:
        """Wait for nothing any more."""
        if self._retiring is not None:
            self._retiring.cancel()
            await asyncio.gather(self._retiring, return_exceptions=True)

    async def _retire(self, former: Sequence[UnderWay]) -> None:
        await asyncio.sleep(_LINGER_SECONDS)
        for each in former:
            await each.over()
        await self._scorers.retire()
