"""The parts of on-demand scoring in one worker, put together."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from faust.types import AppT

from agents.homes import Homes
from agents.on_demand_scores import OnDemandKeeper, PageHome
from agents.ruling import UnderWay
from agents.scoring import RevisionScoring
from app.admission import Admission
from app.costs import Costs
from app.flight_watch import FlightWatch
from app.flights import Flights, FlightTimes
from app.on_demand import WorkerOnDemand
from app.on_demand_metrics import OnDemandStatus
from app.settings import Settings
from app.shared_on_demand import SharedOnDemand
from schemas.catalogue import Catalogue
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from tables.codec import decode_row
from tables.predictions import Predictions
from tables.withdrawal import refuse_withdrawn


class OnDemandWorks:
    """What scores for clients of one worker, and brings the scores into its tables.

    Args:
        settings: Of the worker.
        app: Of the worker.
        scoring: Fetches and scores.
        catalogue: The models of each wiki.
        predictions: The tables.
        settle: As of `agents.pipeline.Pipeline`.
        is_let_alone: Tells whether a wiki is not asked now.
        watch: Hears of all that is scored.

    Attributes:
        on_demand: Scores, see `app.shared_on_demand`.
        keeper: Takes scores into the tables.
        homes: Knows where pages are at home; None where the log itself does.
        heed: Hears of each change.
        close: Gives up what is under way.
    """

    def __init__(
        self,
        settings: Settings,
        app: AppT,
        *,
        scoring: RevisionScoring,
        catalogue: Catalogue,
        predictions: Predictions,
        settle: Callable[[Sequence[Awaitable[Any]]], Awaitable[None]],
        is_let_alone: Callable[[str], bool],
        watch: FlightWatch,
    ) -> None:
        self.homes: Homes | None = None
        self._scoring = scoring
        self.keeper = OnDemandKeeper(
            app, predictions, settle=settle, erases=settings.is_embedded, home=self._home
        )
        self._admission = Admission(
            processes=settings.scorer_count, most_seconds=settings.on_demand_queue_seconds
        )
        costs = Costs()
        self._flights = Flights(
            scoring,
            admission=self._admission,
            costs=costs,
            keeper=self.keeper,
            refuse_withdrawn=partial(refuse_withdrawn_now, predictions),
            times=FlightTimes(
                content_seconds=settings.content_wait_seconds,
                kept_seconds=3 * settings.commit_interval_seconds + 1,
                missing_seconds=settings.on_demand_missing_seconds,
                gather_seconds=settings.commit_interval_seconds,
            ),
            watch=watch,
        )
        self.heed = self._flights.heed
        self.close = self._flights.close
        self.on_demand = SharedOnDemand(
            WorkerOnDemand(scoring, catalogue),
            self._flights,
            catalogue,
            admission=self._admission,
            costs=costs,
            is_let_alone=is_let_alone,
        )

    def switch(self, catalogue: Catalogue) -> UnderWay:
        """Score with other models from the next request on; see `SharedOnDemand.switch`."""
        return self.on_demand.switch(WorkerOnDemand(self._scoring, catalogue), catalogue)

    def status(self) -> OnDemandStatus:
        """Return how on-demand scoring is at this moment; what clients are refused is told apart."""
        return OnDemandStatus(
            answers=self._flights.counts,
            refused={"queue": self._admission.refused},
            stored=self.keeper.counts,
            waiting_seconds=self._admission.waiting_seconds,
            revisions=self._admission.revisions,
        )

    def _home(self, key: bytes) -> PageHome | None:
        return PageHome() if self.homes is None else self.homes.home(key)


def refuse_withdrawn_now(predictions: Predictions, wiki_id: str, rev_id: int, page_id: int) -> None:
    """Raise if a revision is withdrawn by what the tables here show.

    Raises:
        PredictionWithdrawn: It or its page is.
    """
    keys = (REVISIONS_TABLE, rev_id), (PAGES_TABLE, page_id)
    rows = [predictions.get(table, row_key(wiki_id, number)) for table, number in keys]
    revision, page = (None if row is None else decode_row(row) for row in rows)
    refuse_withdrawn(revision, page, rev_id=rev_id)
