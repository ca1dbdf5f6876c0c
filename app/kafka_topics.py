"""The topics of a worker on Kafka: which it reads, and that all it needs are there."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from agents.homes import moved_topic
from agents.kafka import TopicSpec, declare_topics, existing_topics
from agents.kafka_access import KafkaAccess
from agents.rules.rule import Rule
from agents.source_topics import source_topics, stream_of
from app.cluster.sharing import places_topic
from app.configuration import Configuration
from app.rules import output_streams
from app.settings import Settings
from schemas.errors import ReloadRefused
from schemas.keys import DEAD_LETTER_TOPIC, PAGE_CHANGE_TOPIC
from schemas.revision_score import STREAM_PREFIX


class ReadTopics(Struct, frozen=True):
    """What a worker reads.

    Attributes:
        sources: Names of the topics that others write, sorted.
        cut_alike: Those with as many partitions as the tables.
        is_one_stream: Whether all of them are one stream, of one data centre or of several.
        moved: The topic that events are brought together in.
    """

    sources: tuple[str, ...]
    cut_alike: tuple[str, ...]
    is_one_stream: bool
    moved: str


def choose_topics(
    settings: Settings,
    existing: Mapping[str, int],
    *,
    rules: Sequence[Rule] | None,
    outputs: Collection[str],
) -> ReadTopics:
    """Choose what to read of a cluster's topics.

    Args:
        settings: Of the worker.
        existing: The topics of the cluster with how many partitions each has.
        rules: Name topics; None without.
        outputs: Streams that the worker writes itself.
    """

    def is_ours(topic: str) -> bool:
        internal = (f"{settings.app_id}.", f"{settings.app_id}-", STREAM_PREFIX)
        return topic in outputs or topic == DEAD_LETTER_TOPIC or topic.startswith(internal)

    sources = set(source_topics(rules, existing, is_ours))
    if settings.intake != "off":
        # What is posted goes there.
        sources.add(PAGE_CHANGE_TOPIC)
    partitions = settings.partitions
    return ReadTopics(
        sources=tuple(sorted(sources)),
        cut_alike=tuple(sorted(topic for topic in sources if existing.get(topic, partitions) == partitions)),
        is_one_stream=len({stream_of(topic) for topic in sources}) == 1,
        moved=moved_topic(settings.app_id),
    )


async def declare(
    settings: Settings,
    access: KafkaAccess,
    read: ReadTopics,
    *,
    retries: Iterable[str],
    changelogs: Iterable[str],
    outputs: Iterable[str],
) -> None:
    """Create the topics that are missing, and check the partitions of those where they matter.

    Args:
        settings: Of the worker.
        access: How the cluster is entered.
        read: What the worker reads.
        retries: Topics that the worker writes to read them later.
        changelogs: Topics of the tables.
        outputs: Streams that the worker writes.

    Raises:
        BrokerUnavailable: No broker answers, or it refuses.
        SettingsError: A topic has another number of partitions.
    """
    await declare_topics(
        ",".join(settings.kafka_addresses),
        [
            *(TopicSpec(name, is_cut_alike=read.is_one_stream) for name in read.sources),
            *(TopicSpec(name, is_cut_alike=True) for name in (read.moved, *retries)),
            *(TopicSpec(name, is_compacted=True, is_cut_alike=True) for name in changelogs),
            TopicSpec(places_topic(settings.app_id), is_compacted=True, is_cut_alike=True),
            *(TopicSpec(name) for name in sorted(outputs)),
            TopicSpec(DEAD_LETTER_TOPIC),
        ],
        partitions=settings.partitions,
        access=access,
    )


async def prepare_reload(
    settings: Settings, access: KafkaAccess, old: Configuration, new: Configuration
) -> None:
    """See that other rules read the same topics, and create those that they write.

    Args:
        settings: Of the worker.
        access: How the cluster is entered.
        old: What is in force.
        new: What is to be.

    Raises:
        ReloadRefused: They read other topics: whoever reads what is settled among all workers as they start.
        BrokerUnavailable: No broker answers, or it refuses.
    """
    addresses = ",".join(settings.kafka_addresses)
    existing = await existing_topics(addresses, access=access)
    streams = [output_streams(one.rules, one.catalogue) for one in (old, new)]
    before, after = (
        set(choose_topics(settings, existing, rules=one.rules, outputs=outputs).sources)
        for one, outputs in zip((old, new), streams, strict=True)
    )
    if before != after:
        told = [
            f"{what} {', '.join(sorted(topics))}"
            for what, topics in (("would also read", after - before), ("would no more read", before - after))
            if topics
        ]
        raise ReloadRefused(
            f"What was in force still is: by these rules the worker {' and '.join(told)}, which takes a "
            "restart. POST /v1/restart to the workers one after another, or leave the topics as they are.",
            topics=",".join(sorted(before ^ after)),
        )
    made = [TopicSpec(name) for name in sorted(streams[1]) if name not in existing]
    if made:
        await declare_topics(addresses, made, partitions=settings.partitions, access=access)
