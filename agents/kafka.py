"""What a worker asks of a Kafka cluster before it starts."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from agents.kafka_access import NO_SECURITY, KafkaAccess
from schemas.errors import BrokerUnavailable, SettingsError
from schemas.output_event import OutputEvent

_REQUEST_SECONDS = 15.0
_HEARD_SECONDS = 0.05
_REPLICATION = "default.replication.factor"


class TopicSpec(Struct, frozen=True):
    """A topic that a worker needs.

    Attributes:
        name: Its name.
        is_compacted: True for the changelog of a table, which keeps the newest record of each key.
        is_cut_alike: True for the source and the changelogs, whose partitions must be equally many.
    """

    name: str
    is_compacted: bool = False
    is_cut_alike: bool = False


async def existing_topics(bootstrap: str, *, access: KafkaAccess = NO_SECURITY) -> Mapping[str, int]:
    """Return the topics of a cluster with how many partitions each has.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        access: How the cluster is entered.

    Raises:
        BrokerUnavailable: No broker answers, or it refuses.
    """
    async with _administering(bootstrap, access) as admin:
        return await _partition_counts(admin)


async def declare_topics(
    bootstrap: str, topics: Sequence[TopicSpec], *, partitions: int, access: KafkaAccess = NO_SECURITY
) -> None:
    """Create the topics that are missing, and check the partitions of those where they matter.

    A worker cannot leave this to its broker: where topics are not created by themselves, sending to one that
    is missing waits for ever, and holds up the rebalance of the whole group. Nor to Faust, which gives
    changelogs one replica whatever the cluster's default.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        topics: What is needed.
        partitions: Of each topic that is made here.
        access: How the cluster is entered.

    Raises:
        BrokerUnavailable: No broker answers, or it refuses.
        SettingsError: A topic has another number of partitions.
    """
    async with _administering(bootstrap, access) as admin:
        present = await _partition_counts(admin)
        missing = [topic for topic in topics if topic.name not in present]
        if missing:
            await _create(admin, missing, partitions)
            present = await _counts_once_known(admin, [topic.name for topic in topics], bootstrap)
        for topic in topics:
            found = present[topic.name]
            if topic.is_cut_alike and found != partitions:
                raise SettingsError(
                    f"The topic {topic.name} has {found} partitions, and the setting partitions is "
                    f"{partitions}. They must be equal: tables are cut as their source is.",
                    setting="partitions",
                )


@asynccontextmanager
async def _administering(bootstrap: str, access: KafkaAccess) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=int(_REQUEST_SECONDS * 1000), **access.options()
    )
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise broker_unavailable(bootstrap, access.security_protocol, error) from error
    finally:
        await admin.close()


def broker_unavailable(bootstrap: str, protocol: str, error: KafkaError) -> BrokerUnavailable:
    """Return our error for what a client of the brokers raised.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        protocol: Kafka's name of how they are entered.
        error: Of the client.
    """
    return BrokerUnavailable(
        f"The broker {bootstrap} cannot be used over {protocol}: {error}. Start it, or correct the "
        "settings broker and kafka_….",
        broker=bootstrap,
    )


async def append_events(bootstrap: str, events: Sequence[OutputEvent]) -> None:
    """Write events to topics that are there, and return once the brokers have them all.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        events: In order.

    Raises:
        BrokerUnavailable: No broker answers, or it refuses.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=int(_REQUEST_SECONDS * 1000),
    )
    try:
        await producer.start()
        for event in events:
            headers = list(event.headers.items())
            await producer.send_and_wait(event.stream, event.value, event.key, headers=headers)
    except KafkaError as error:
        raise BrokerUnavailable(
            f"The broker {bootstrap} does not take events: {type(error).__name__} {error}. Start it, or "
            "correct the setting broker.",
            broker=bootstrap,
        ) from error
    finally:
        await producer.stop()


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _counts_once_known(
    admin: AIOKafkaAdminClient, topics: Sequence[str], bootstrap: str
) -> dict[str, int]:
    """Return the partitions of all topics, once the broker that answers has heard of those named.

    The controller makes them; brokers hear of it a moment later.
    """
    deadline = monotonic() + _REQUEST_SECONDS
    while not (present := await _partition_counts(admin)).keys() >= set(topics):
        if monotonic() > deadline:
            lacking = ", ".join(sorted(set(topics) - present.keys()))
            raise BrokerUnavailable(
                f"The brokers at {bootstrap} made the topics {lacking} and do not tell of them after "
                f"{_REQUEST_SECONDS:g} s; see their logs, and start again.",
                broker=bootstrap,
            )
        await asyncio.sleep(_HEARD_SECONDS)
    return present


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[TopicSpec], partitions: int) -> None:
    replication = await _replication(admin)
    response = await admin.create_topics(
        [
            NewTopic(
                topic.name,
                partitions,
                replication,
                topic_configs={"cleanup.policy": "compact"} if topic.is_compacted else {},
            )
            for topic in topics
        ]
    )
    for _, code, *_ in response.topic_errors:
        error = for_code(code)
        # Another worker that starts at the same moment may have been first.
        if code and error is not TopicAlreadyExistsError:
            raise error


async def _replication(admin: AIOKafkaAdminClient) -> int:
    """Return the replicas that the cluster gives a topic by default.

    Brokers fill the number in by themselves only for a version of the request that the client does not speak.
    """
    cluster = await admin.describe_cluster()
    broker = ConfigResource(
        ConfigResourceType.BROKER, str(cluster["brokers"][0]["node_id"]), {_REPLICATION: None}
    )
    (response,) = await admin.describe_configs([broker])
    for code, _, _, _, entries in response.resources:
        if code:
            raise for_code(code)
        for _, value, *_ in entries:
            return int(value)
    return 1
