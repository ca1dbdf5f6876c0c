"""Whether a worker is still the member of its group that its partitions were given to.

A process that stood still for longer than its session goes on as if nothing had been, while others have its
partitions. What it then writes to a table's changelog would come behind what they wrote, and be taken for the
last word on it by whoever reads the log, but not by them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from aiokafka.errors import KafkaError

_PAUSE_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 2.0
# Of a session. The rest is for what is sent to arrive, and for others to take over.
_CERTAIN_SHARE: Final = 0.75


class MembershipLost(Exception):
    """The partition of an event was given to another member of the group, or is about to be."""


class Membership:
    """Knows until when nobody else can have the partitions of a member, and asks where it does not.

    Args:
        session_seconds: After so long without a heartbeat brokers give a member's partitions to others.
        beat: Sends a heartbeat; returns whether the group knows the member.
    """

    def __init__(self, session_seconds: float, *, beat: Callable[[], Awaitable[bool]]) -> None:
        self._certain_seconds = _CERTAIN_SHARE * session_seconds
        self._beat = beat
        self._certain = ("", 0.0)

    async def holds(self, member_id: str, *, now: Callable[[], str], stops: Callable[[], bool]) -> bool:
        """Return whether a worker is a member still, once that is certain.

        Args:
            member_id: As whom it was given its partitions.
            now: Returns who it is for its group at the moment; nothing where it is no member.
            stops: Tells whether it is about to stop: then it waits for one answer and no more.
        """
        while member_id and member_id == now():
            if self._certain[0] == member_id and monotonic() < self._certain[1]:
                return True
            asked = monotonic()
            if await self._is_known():
                # The group reckons from when it heard, which was not before.
                self._certain = (member_id, asked + self._certain_seconds)
            elif stops():
                return False
            else:
                await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def _is_known(self) -> bool:
        try:
            return await asyncio.wait_for(self._beat(), _ANSWER_SECONDS)
        except (TimeoutError, KafkaError):
            return False
