"""Whether a worker is still the member that its partitions were given to."""

from aiokafka.errors import KafkaConnectionError

from agents.membership import Membership

LONG_SECONDS = 3600.0


class Group:
    """A group that a worker is a member of.

    Attributes:
        member_id: Who it takes itself for.
        stops: Whether it is about to stop.
        answers: To its next heartbeats: what the group says, or why nobody does.
        beats: How many it sent.
    """

    def __init__(self, *answers: bool | Exception | None) -> None:
        self.member_id = "first"
        self.stops = False
        self.answers = list(answers)
        self.beats = 0

    async def beat(self) -> bool:
        self.beats += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:  # The group does not know it, which it hears with the answer.
            self.member_id = ""
        return bool(answer)

    async def holds(self, membership: Membership) -> bool:
        return await self.holds_as("first", membership)

    async def holds_as(self, member_id: str, membership: Membership) -> bool:
        return await membership.holds(member_id, now=lambda: self.member_id, stops=lambda: self.stops)


async def test_one_heartbeat_is_enough_for_a_good_part_of_a_session() -> None:
    group = Group(True)
    membership = Membership(LONG_SECONDS, beat=group.beat)
    assert [await group.holds(membership) for _ in range(3)] == [True, True, True]
    assert group.beats == 1


async def test_after_a_session_the_group_is_asked_again() -> None:
    group = Group(True, True, None)
    membership = Membership(0.0, beat=group.beat)
    # Of a session without any length nothing is certain: it asks until it hears that it is no member.
    assert not await group.holds(membership)
    assert group.beats == 3


async def test_one_that_the_group_does_not_know_holds_nothing() -> None:
    group = Group(None)
    assert not await group.holds(Membership(LONG_SECONDS, beat=group.beat))


async def test_nothing_is_sure_while_nobody_answers() -> None:
    group = Group(KafkaConnectionError("gone"), False, TimeoutError(), True)
    assert await group.holds(Membership(LONG_SECONDS, beat=group.beat))
    assert group.beats == 4


async def test_what_is_certain_of_a_member_is_not_of_the_next() -> None:
    group = Group(True, True)
    membership = Membership(LONG_SECONDS, beat=group.beat)
    assert await group.holds(membership)
    group.member_id = "second"
    assert not await group.holds(membership)
    assert await group.holds_as("second", membership)
    assert group.beats == 2


async def test_one_that_is_no_member_holds_nothing_and_asks_nobody() -> None:
    group = Group()
    group.member_id = ""
    membership = Membership(LONG_SECONDS, beat=group.beat)
    assert not await group.holds_as("", membership)


async def test_a_worker_that_stops_is_a_member_until_it_has_left() -> None:
    group = Group(True, False)
    group.stops = True
    membership = Membership(LONG_SECONDS, beat=group.beat)
    assert await group.holds(membership)
    assert await group.holds(membership)
    assert group.beats == 1


async def test_a_worker_that_stops_asks_nobody_twice() -> None:
    group = Group(KafkaConnectionError("gone"))
    group.stops = True
    assert not await group.holds(Membership(LONG_SECONDS, beat=group.beat))
