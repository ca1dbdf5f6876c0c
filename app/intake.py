"""Posted events, into the log that this worker reads."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from aiokafka.errors import MessageSizeTooLargeError
from faust.types import TP, AppT
from structlog import get_logger

from app.api.intake import Intake, IntakeAccess
from app.api.loading import Loads
from app.reloads import Reloading
from app.settings import Settings
from models.trace import CARRIED
from schemas.errors import EngineError, NotReady, RequestInvalid, RevstreamError, SettingsError
from schemas.posted import PostedEvent

_TAKE_SECONDS: Final = 30.0
_log = get_logger("revstream.intake")


class WorkerIntake:
    """An `app.api.intake.Intake` over the worker's own producer.

    On the embedded engine the events of a request are in one transaction of the log, and those of requests at
    the same moment share it; on Kafka each is acknowledged by all replicas in sync.

    Args:
        app: Gives producer and consumer.
        topic: In which the worker reads events.
        not_ready: Returns what the worker waits for; nothing when it handles events.
        most_waiting: Events that may wait in this worker's partitions.
        take_seconds: Limit for making events durable.
    """

    def __init__(
        self,
        app: AppT,
        *,
        topic: str,
        not_ready: Callable[[], Sequence[str]],
        most_waiting: int,
        take_seconds: float = _TAKE_SECONDS,
    ) -> None:
        self._app = app
        self._topic = topic
        self._not_ready = not_ready
        self._most_waiting = most_waiting
        self._take_seconds = take_seconds

    def check(self) -> None:
        """Raise if no events can be taken now.

        Raises:
            NotReady: The worker starts or stops, or too many events wait.
        """
        reasons = self._not_ready()
        if reasons:
            raise NotReady(f"The worker takes no events now: {', '.join(reasons)}. Send them again later.")
        waiting = self.waiting()
        if waiting >= self._most_waiting:
            raise NotReady(
                f"{waiting} events wait to be handled, and the limit is {self._most_waiting} "
                "(intake_backlog_events). Send these again later.",
                waiting=waiting,
            )

    def waiting(self) -> int:
        """Return how many events lie in this worker's partitions that it has not committed."""
        consumer = cast(Any, self._app.consumer)
        # No public way tells it; Faust is pinned.
        committed: dict[TP, int | None] = consumer._committed_offset
        changelogs = self._app.tables.changelog_topics
        return sum(
            max(0, (consumer.highwater(tp) or 0) - (committed.get(tp) or 0))
            for tp in consumer.assignment()
            if tp.topic not in changelogs
        )

    async def take(self, events: Sequence[PostedEvent]) -> list[RevstreamError | None]:
        """Return, for each event, None once it is durable, or why it may not be."""
        sending = [asyncio.ensure_future(self._send(event)) for event in events]
        _, late = await asyncio.wait(sending, timeout=self._take_seconds)
        for each in late:
            each.cancel()
        return [_outcome(each, is_late=each in late) for each in sending]

    async def _send(self, event: PostedEvent) -> None:
        trace = CARRIED.get()
        headers = None if trace is None else trace.record_headers
        send = self._app.producer.send
        await (await send(self._topic, event.key or None, event.value, None, None, headers))


def _outcome(sending: "asyncio.Future[None]", *, is_late: bool) -> RevstreamError | None:
    if is_late:
        return EngineError("The log did not take the event in time. It may be taken yet; send it again.")
    error = sending.exception()
    if error is None or isinstance(error, RevstreamError):
        return error
    if isinstance(error, MessageSizeTooLargeError) or isinstance(error.__cause__, MessageSizeTooLargeError):
        return RequestInvalid(
            "The event is larger than the brokers take. Raise their message.max.bytes, or leave its text out."
        )
    return EngineError(
        f"The log did not take the event: {type(error).__name__} {error}. Check the broker; send it again."
    )


def intake_access(
    settings: Settings, intake: Intake | None, loads: Loads | None = None, reloads: Reloading | None = None
) -> IntakeAccess:
    """Return who may post events by the settings, and tell the process what to do.

    Args:
        settings: Of the process.
        intake: Takes the events; None on a process that takes none.
        loads: As of `IntakeAccess`.
        reloads: As of `IntakeAccess`.

    Raises:
        SettingsError: A token is asked for and none is set, or one is set that nothing asks for.
    """
    wants_token = settings.intake == "token"
    if wants_token != bool(settings.intake_token):
        raise SettingsError(
            "intake is token, and intake_token is not set. Set REVSTREAM_INTAKE_TOKEN, or intake_token in "
            "the settings file."
            if wants_token
            else f"intake_token is set, and intake is {settings.intake}, which does not ask for it. Set "
            "intake to token, or leave the token out.",
            setting="intake_token",
        )
    if settings.intake == "off":
        return IntakeAccess(absence="This process takes no events. Set intake to token to let it take them.")
    return IntakeAccess(intake, settings.intake_token if wants_token else None, loads=loads, reloads=reloads)
