"""Writes canaries to the output streams of the settings, beside whatever worker runs."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from agents.canaries import canary
from agents.embedded.log import Log, NewRecord, now_ms
from agents.embedded.transport import partition_of
from agents.kafka import TopicSpec, append_events, declare_topics
from app.catalogue import build_catalogue, open_store
from app.rules import open_rules, output_streams
from app.settings import Settings
from schemas.errors import SettingsError
from schemas.output_event import OutputEvent


def write_canaries(settings: Settings, streams: Sequence[str]) -> tuple[OutputEvent, ...]:
    """Write a canary to each of some output streams, and return them once they are there for good.

    Args:
        settings: Name models, rules and the engine.
        streams: To write to; all of the settings where empty.

    Raises:
        SettingsError: A stream is none of the settings'.
        BrokerUnavailable: Kafka does not answer.
        EngineError: The embedded log cannot be written.
    """
    catalogue = build_catalogue(settings, open_store(settings))
    rules = open_rules(settings, catalogue)
    known = output_streams(None if rules is None else rules.rules, catalogue)
    unknown = [stream for stream in streams if stream not in known]
    if unknown:
        raise SettingsError(
            f"Nothing is sent to {', '.join(unknown)}. Streams of these models and rules are "
            f"{', '.join(known) or 'none'}.",
            setting="rules",
        )
    at = datetime.now(UTC)
    events = tuple(canary(stream, known[stream], at) for stream in streams or known)
    if settings.is_embedded:
        _append(settings, events)
    else:
        asyncio.run(_produce(settings, events))
    return events


def _append(settings: Settings, events: Sequence[OutputEvent]) -> None:
    log = Log(settings.log_path)
    try:
        records = []
        for event in events:
            log.create_topic(event.stream, settings.partitions)
            partition = partition_of(event.key, log.partitions(event.stream) or settings.partitions)
            records.append(NewRecord(event.stream, partition, now_ms(), event.key, event.value))
        log.transact(records)
    finally:
        log.close()


async def _produce(settings: Settings, events: Sequence[OutputEvent]) -> None:
    bootstrap = ",".join(settings.kafka_addresses)
    topics = [TopicSpec(event.stream) for event in events]
    await declare_topics(bootstrap, topics, partitions=settings.partitions)
    await append_events(bootstrap, events)
