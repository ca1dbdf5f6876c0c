"""What may be handled of a partition, whatever lies in its log and whatever is dropped on the way."""

from hypothesis import given
from hypothesis import strategies as st

from agents.gapless import Reading

logs = st.sets(st.integers(0, 60), min_size=1).map(sorted)
drops = st.lists(st.sets(st.integers(0, 60)), max_size=5)


@given(logs, drops, st.integers(1, 10))
def test_what_is_admitted_leaves_out_nothing_of_the_log(
    log: list[int], dropped: list[set[int]], batch_size: int
) -> None:
    """Each attempt reads on from where records ceased to arrive, and drops others; the last drops none."""
    admitted: list[int] = []
    position = 0
    for missing in [*dropped, set[int]()]:
        reading = Reading(position)
        left = [offset for offset in log if offset >= position]
        for start in range(0, len(left), batch_size):
            batch = left[start : start + batch_size]
            reading.fetched(batch)
            admitted += [offset for offset in batch if offset not in missing and reading.admits(offset)]
        assert admitted == log[: len(admitted)]
        position = reading.admitted_to
    assert admitted == log


@given(logs)
def test_a_record_is_admitted_once(log: list[int]) -> None:
    reading = Reading(log[0])
    reading.fetched(log)
    assert [reading.admits(offset) for offset in log] == [True] * len(log)
    assert not any(reading.admits(offset) for offset in log)
