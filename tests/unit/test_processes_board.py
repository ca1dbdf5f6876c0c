"""What the processes of one server share."""

import os

from app.metrics import Face, Outcome
from app.processes.board import Board, Note
from tables.replica_reader import ReplicaStatus

NOTE = Note(ReplicaStatus("/a/path", 7, (), 1.5), ("http://one:1",))


def in_a_fork(work: object) -> None:
    """Do something in a process of its own, which then ends as a kill ends it."""
    pid = os.fork()
    if pid == 0:
        work()  # type: ignore[operator]  # a function
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_note_is_read_by_another_process() -> None:
    board = Board(1)
    assert board.note() == Note()
    in_a_fork(lambda: board.tell(NOTE))
    assert board.note() == NOTE


def test_a_writer_that_died_halfway_leaves_the_note_of_before_and_the_next_writes_on() -> None:
    board = Board(1)
    board.tell(NOTE)
    assert board.note() == NOTE
    # The number is odd while a note is written.
    board._memory[0] |= 1
    board._memory[8:12] = b"half"
    assert board.note() == NOTE
    later = Note(ReplicaStatus("/b", 8))
    board.tell(later)
    assert board.note() == later


def test_counts_add_up_over_processes_and_outlive_them() -> None:
    board = Board(3)
    for number in (0, 2, 2):

        def count(number: int = number) -> None:
            counters = board.counters(number)[Face.ORES]
            counters.count(200, 0.002)
            counters.count(404, 20.0)
            counters.answered_stored(5)

        in_a_fork(count)
    totals = board.totals()[Face.ORES]
    assert totals.statuses == {200: 3, 404: 3}
    assert totals.answers[Outcome.STORED] == 15
    assert totals.seconds == 3 * 20.002
    assert sum(totals.buckets) == 6
    assert board.totals()[Face.PAGES].statuses == {}


def test_who_runs_what_restarted_and_what_the_dead_took_is_known_to_all() -> None:
    board = Board(2)
    board.started(0, 100, is_again=False)
    board.started(1, 101, is_again=False)
    board.ended(0, 1.5)
    assert board.pids() == [0, 101]
    board.started(0, 102, is_again=True)
    assert (board.pids(), board.restarts, board.gone_cpu_seconds) == ([102, 101], 1, 1.5)
