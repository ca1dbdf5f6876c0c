"""A consumer that keeps events of before, during and after a rebalance apart.

Faust ends a rebalance so: it resumes the source partitions, goes to the committed offsets, and empties its
queues. Its fetcher, which runs already where tables were recovered, may put events into a queue in between.
They are thrown away with it; and because the read offset went back meanwhile, Faust takes them for a hole in
the log and commits past them: they are lost.

It begins one so: tables forget what is uncommitted, while the generation goes on until the new one is known.
An event that ends in between would be acknowledged, its row built on what was left.
"""

from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import Consumer as AIOKafkaConsumer
from faust.types import TP

NO_GENERATION = -1


class FencedConsumer(Consumer):
    """A mixin for a driver's consumer.

    - From the revocation on no generation is current, until the next begins.
    - During a rebalance only changelogs are fetched.
    - Outside of one, Faust does not go back to the committed offsets: nothing fetched was dropped.
    """

    def is_open(self, tp: TP) -> bool:
        """Return whether records of a partition may be handed out now."""
        return not self.app.rebalancing or self._is_changelog_tp(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """End the generation before tables forget what it left uncommitted."""
        self.app.consumer_generation_id = NO_GENERATION
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Close the fence: the end of a rebalance that this one overtook may have opened it."""
        self.app.rebalancing = True
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Go to the committed offsets, where a rebalance asks for it."""
        if self.app.rebalancing:
            await super().perform_seek()


class FencedKafkaConsumer(AIOKafkaConsumer):
    """Faust's Kafka consumer, which ends a generation with its revocation.

    That no event comes in while a recovery ends is held by `tables.predictions.HaltingRecovery` there.
    """

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """End the generation before tables forget what it left uncommitted."""
        self.app.consumer_generation_id = NO_GENERATION
        await super().on_partitions_revoked(revoked)
