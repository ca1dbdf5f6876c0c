"""Puts events off to a retry topic, for as often and as long as their rules say."""

from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from faust.types import AppT
from msgspec import UNSET, Raw, Struct

from agents.circuits import Circuits
from agents.ordered import UnacknowledgedEvent
from agents.origin import Origin
from agents.rules.decide import Plan
from agents.rules.rule import Retry
from schemas.errors import ContentError, RevstreamError
from schemas.page_change import PageChange
from schemas.retry import (
    MAX_RETRY_BYTES,
    PutOff,
    RetryMeta,
    encode_put_off,
    retry_id,
    retry_topic,
)


class RetrySettings(Struct, frozen=True):
    """What holds for all events.

    Attributes:
        app_id: Of the worker; names its retry topics.
        usual: For events that no rule speaks of.
        give_up_seconds: After the first failure an event is put off no more, whatever keeps it.
    """

    app_id: str
    usual: Retry
    give_up_seconds: float


class Retries:
    """Writes events that meet a fault which may pass to a retry topic.

    The record keeps the event's key and the number of its partition, so that tables, order and ownership are
    those of the event. A failure uses up one of the repetitions, unless its wiki is let alone: then it is the
    wiki that fails, and all events wait for it.

    Args:
        app: Gives the producer.
        settings: What holds for all events.
        circuits: Know which wikis are let alone.
    """

    def __init__(self, app: AppT, settings: RetrySettings, circuits: Circuits) -> None:
        self._app = app
        self._settings = settings
        self._circuits = circuits

    async def put_off(
        self,
        event: UnacknowledgedEvent,
        origin: Origin,
        change: PageChange,
        plan: Plan | None,
        fault: RevstreamError,
        *,
        headers: Mapping[str, bytes],
    ) -> Awaitable[Any] | None:
        """Put an event off.

        Args:
            event: Under way: what is sent belongs to it.
            origin: Of the event.
            change: The event decoded.
            plan: What rules make of it; None without rules.
            fault: What kept it from being scored.
            headers: Of the record.

        Returns:
            Done when the record is in the log; None where the event has no repetition left.
        """
        policy = _policy(plan, fault, self._settings.usual)
        if policy is None:
            return None
        rule_name, retry = policy
        now = datetime.now(UTC)
        is_wiki_down = isinstance(fault, ContentError) and self._circuits.is_open(change.wiki_id)
        before = origin.put_off
        left = retry.limit if before is None else min(before.retries_left, retry.limit)
        if before is not None and not is_wiki_down:
            left -= 1
        first_dt = now if before is None else before.first_dt
        most_seconds = self._settings.give_up_seconds
        if left < 1 or (now - first_dt).total_seconds() >= most_seconds:
            return None
        # A wiki that is let alone says itself when it may be asked.
        wait_seconds = 0.0 if is_wiki_down else retry.wait_seconds(retry.limit - left + 1)
        topic = retry_topic(self._settings.app_id, origin.topic)
        value = encode_put_off(
            PutOff(
                meta=_meta(origin, change, topic, left, now),
                emitter_id=f"{self._settings.app_id}#{rule_name}" if rule_name else self._settings.app_id,
                retries_left=left,
                original_event=Raw(origin.value),
                reason=fault.message,
                triggered_by=UNSET if change.uri is None else f"{origin.topic}:{change.uri}",
                error_code=fault.code,
                delay_until=now + timedelta(seconds=min(wait_seconds, most_seconds)),
                first_dt=first_dt,
                wiki_id=change.wiki_id,
                source_topic=origin.topic,
                source_partition=origin.partition,
                source_offset=origin.offset,
            )
        )
        if len(value) > MAX_RETRY_BYTES:
            return None
        message = event.message
        return await self._app.producer.send(
            topic, message.key, value, message.partition, None, dict(headers) or None
        )

    async def put_back(self, event: UnacknowledgedEvent) -> Awaitable[Any]:
        """Write an event of a retry topic to the topic's end as it is; return as `put_off`."""
        message = event.message
        return await self._app.producer.send(
            message.topic, message.key, message.value, message.partition, None, message.headers or None
        )


def _policy(plan: Plan | None, fault: RevstreamError, usual: Retry) -> tuple[str, Retry] | None:
    """Return the policy of the most patient rule with its name; None where no rule wants a repetition."""
    if plan is None:
        return "", usual
    rules = [rule for rule in plan.taken_by if fault.code not in rule.retry.ignore]
    if not rules:
        return None
    rule = max(rules, key=lambda each: each.retry.limit)
    return rule.name, rule.retry


def _meta(origin: Origin, change: PageChange, topic: str, left: int, now: datetime) -> RetryMeta:
    return RetryMeta(
        stream=topic,
        id=retry_id(origin.topic, origin.partition, origin.offset, left),
        dt=now,
        domain=change.domain or UNSET,
        uri=change.uri or UNSET,
        request_id=change.request_id or UNSET,
    )
