"""What a worker asks of a Kafka cluster before it starts."""

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.errors import BrokerUnavailable, SettingsError

_REQUEST_SECONDS = 15.0
_REPLICATION = "default.replication.factor"


async def declare_topics(bootstrap: str, *, created: Mapping[str, int], equal: Mapping[str, int]) -> None:
    """Create the topics that are missing, and check those whose partitions matter.

    A worker cannot leave this to its broker: where topics are not created by themselves, sending to one that
    is missing waits for ever, and holds up the rebalance of the whole group.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        created: Topic to its partitions when it is made here.
        equal: Topic to the partitions that it must have, whoever made it.

    Raises:
        BrokerUnavailable: No broker answers, or it refuses.
        SettingsError: A topic has another number of partitions.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(_REQUEST_SECONDS * 1000))
    try:
        await admin.start()
        present = {topic["topic"]: topic for topic in await admin.describe_topics()}
        missing = [name for name in created if name not in present]
        if missing:
            await _create(admin, {name: created[name] for name in missing})
        for name, partitions in equal.items():
            if name in present and len(present[name]["partitions"]) != partitions:
                raise SettingsError(
                    f"The topic {name} has {len(present[name]['partitions'])} partitions, and the setting "
                    f"partitions is {partitions}. They must be equal: tables are cut as their source is.",
                    setting="partitions",
                )
    except KafkaError as error:
        raise BrokerUnavailable(
            f"The broker {bootstrap} cannot be used: {type(error).__name__} {error}. Start it, or correct "
            "the setting broker.",
            broker=bootstrap,
        ) from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: Mapping[str, int]) -> None:
    replication = await _replication(admin)
    response = await admin.create_topics(
        [NewTopic(name, partitions, replication) for name, partitions in topics.items()]
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
