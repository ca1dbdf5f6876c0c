"""Who owns which partition, and who holds its standby, as the whole group learns it with each rebalance.

Every worker sends its address with its wish to join; the leader sends the map of all to each member with its
partitions. So the map is never of another generation than the partitions, needs no topic of its own, and
nothing of a worker that died is left in it.
"""

from collections.abc import Mapping
from typing import Any, Final

from faust.assignor.partition_assignor import PartitionAssignor
from faust.types import TP
from msgspec import Struct

_STANDBY: Final = "standby+"


class Placement(Struct, frozen=True):
    """Addresses by partition of one table.

    Attributes:
        owners: Partition to the worker that writes it.
        standbys: Partition to the workers that follow it.
        workers: All, whether or not they own a partition.
    """

    owners: Mapping[int, str]
    standbys: Mapping[int, tuple[str, ...]]
    workers: tuple[str, ...] = ()


class AdvertisingAssignor(PartitionAssignor):
    """Faust's assignor, which tells of standbys as well, and keeps them from Faust's own recovery."""

    def _get_changelog_distribution(self, assignments: Any) -> Any:
        topics = self._table_manager.changelog_topics
        distribution = dict(super()._get_changelog_distribution(assignments))
        for client, assignment in assignments.items():
            followed = self._topics_filtered(assignment.standbys, topics)
            distribution[_STANDBY + self._member_urls[client]] = followed
        return distribution

    def assigned_standbys(self) -> set[TP]:
        """Return nothing: see `tables.copies` for why Faust must not follow them."""
        return set()

    def standby_partitions(self, topic: str) -> frozenset[int]:
        """Return the partitions of a table's changelog that this worker is to follow."""
        return frozenset(self._assignment.standbys.get(topic, ()))

    def active_partitions(self, topic: str) -> frozenset[int]:
        """Return the partitions of a topic that are this worker's own."""
        return frozenset(self._assignment.actives.get(topic, ()))

    def placement(self, topic: str) -> Placement:
        """Return where the partitions of a table's changelog are, as of the last rebalance."""
        owners: dict[int, str] = {}
        standbys: dict[int, tuple[str, ...]] = {}
        for name, topics in self.changelog_distribution.items():
            for partition in topics.get(topic, ()):
                if name.startswith(_STANDBY):
                    standbys[partition] = (*standbys.get(partition, ()), name.removeprefix(_STANDBY))
                else:
                    owners[partition] = name
        workers = sorted(name for name in self.changelog_distribution if not name.startswith(_STANDBY))
        return Placement(owners, standbys, tuple(workers))
