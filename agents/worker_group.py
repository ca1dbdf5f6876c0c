"""The workers that are alive, as their Kafka consumer group knows them."""

import asyncio
from typing import Any, Final

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError, for_code

from agents.kafka_access import NO_SECURITY, KafkaAccess
from agents.topics import REQUEST_SECONDS, started_admin
from schemas.errors import BrokerUnavailable


class _Told(msgspec.Struct):
    """What a worker tells its group of itself, as far as it matters here."""

    url: str


_decode: Final = msgspec.json.Decoder(_Told).decode


class WorkerGroup:
    """Tells who works for an application, without being a member of its group.

    Every worker sends its address when it joins, and the broker drops those that are silent for the session
    timeout: so this is the truth of the last rebalance, and no list of our own can differ from it.

    Args:
        bootstrap: ``host:port`` of one or more brokers, separated by commas.
        group_id: Of the application.
        access: How the cluster is entered.
    """

    def __init__(self, bootstrap: str, group_id: str, *, access: KafkaAccess = NO_SECURITY) -> None:
        self._bootstrap = bootstrap
        self._group_id = group_id
        self._options = access.options()
        self._admin: AIOKafkaAdminClient | None = None

    async def addresses(self) -> tuple[str, ...]:
        """Return the addresses of the workers, sorted; empty where there is none.

        Raises:
            BrokerUnavailable: The broker does not answer, or refuses to tell.
        """
        try:
            async with asyncio.timeout(2 * REQUEST_SECONDS):
                admin = await self._connected()
                responses = await admin.describe_consumer_groups([self._group_id])
                groups = [group for response in responses for group in response.to_object()["groups"]]
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise self._unavailable(error) from error
        found: set[str] = set()
        for group in groups:
            if group["error_code"]:
                raise self._unavailable(for_code(group["error_code"])())
            found |= {address for member in group["members"] if (address := _address(member))}
        return tuple(sorted(found))

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    async def _connected(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            self._admin = await started_admin(self._bootstrap, self._options)
        return self._admin

    def _unavailable(self, error: BaseException) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"Kafka at {self._bootstrap} does not tell the members of the group {self._group_id} "
            f"({type(error).__name__}: {error}). Check the address, that a broker runs, and that this user "
            "may describe the group; this is tried again.",
        )


def _address(member: dict[str, Any]) -> str | None:
    """Return what a member says of itself; None where it is none of ours, or has not said it yet."""
    try:
        metadata = ConsumerProtocolMemberMetadata.decode(member["member_metadata"])
        return _decode(metadata.user_data).url
    except (ValueError, TypeError, msgspec.DecodeError):
        return None
