"""Memory that the processes of one server share: what the follower tells, and what each has counted."""

import mmap
from collections.abc import Sequence
from datetime import UTC, datetime
from time import sleep
from typing import Final

from msgspec import MsgspecError, Struct
from msgspec.msgpack import Decoder, Encoder

from app.metrics import CELLS_PER_FACE, Face, FaceCounters
from app.reloads import ReloadStatus
from tables.replica_reader import ReplicaStatus

_NOTE_BYTES: Final = 1 << 16
_HEAD_BYTES: Final = 8
_CELL_BYTES: Final = 8
_FACES: Final = tuple(Face)
# Of all: CPU time of those that are gone, then how reloads went.
_SHARED_CELLS: Final = 6
# Of each process, before its faces: its id, and how often it was started again.
_OWN_CELLS: Final = 2
_READS_MOST: Final = 50


class Note(Struct, frozen=True):
    """What the follower tells.

    Attributes:
        replica: Of the files.
        workers: Addresses of the workers that are alive, sorted.
    """

    replica: ReplicaStatus = ReplicaStatus()
    workers: tuple[str, ...] = ()


_encode: Final = Encoder().encode
_decode: Final = Decoder(Note).decode


class Board:
    """Shared memory, made before the processes are forked. Counts outlive the process that counted them.

    One process writes the note, and each writes the cells of its own number: nobody waits for anybody, and
    what a process has counted is there at once for all, even if it is killed next.

    Args:
        processes: How many there are; they are numbered from 0.
    """

    def __init__(self, processes: int) -> None:
        self._cells_each = _OWN_CELLS + len(_FACES) * CELLS_PER_FACE
        cells = _SHARED_CELLS + processes * self._cells_each
        self._memory = mmap.mmap(-1, _NOTE_BYTES + cells * _CELL_BYTES)
        self._numbers = memoryview(self._memory)[_NOTE_BYTES:].cast("d")
        self._told: bytes | None = None
        self._note = Note()
        self.processes = processes

    # The note

    def tell(self, note: Note) -> None:
        """Replace the note. Of one process alone."""
        data = _encode(note)
        if len(data) > _NOTE_BYTES - _HEAD_BYTES:
            raise ValueError(f"a note of {len(data)} bytes does not fit")
        memory = self._memory
        # While the number is odd the note is being written: it was, too, if its last writer died of it.
        number = int.from_bytes(memory[:4], "little") | 1
        memory[:4] = number.to_bytes(4, "little")
        memory[4:_HEAD_BYTES] = len(data).to_bytes(4, "little")
        memory[_HEAD_BYTES : _HEAD_BYTES + len(data)] = data
        memory[:4] = ((number + 1) & 0xFFFFFFFF).to_bytes(4, "little")

    def note(self) -> Note:
        """Return the note; the one before where the next is being written."""
        memory = self._memory
        for _ in range(_READS_MOST):
            before = memory[:4]
            length = int.from_bytes(memory[4:_HEAD_BYTES], "little")
            if before[0] % 2 == 0 and length <= _NOTE_BYTES - _HEAD_BYTES:
                data = memory[_HEAD_BYTES : _HEAD_BYTES + length]
                if memory[:4] == before:
                    return self._decoded(data)
            sleep(0)
        return self._note

    def _decoded(self, data: bytes) -> Note:
        if data and data != self._told:
            try:
                self._note = _decode(data)
            except MsgspecError:
                return self._note
            self._told = data
        return self._note

    # Processes

    def started(self, number: int, pid: int, is_again: bool) -> None:
        """Note the id of a process that was started. Of the supervisor alone."""
        at = self._at(number)
        self._numbers[at] = pid
        self._numbers[at + 1] += is_again

    def ended(self, number: int, cpu_seconds: float) -> None:
        """Note that a process is gone, and the CPU time that it took. Of the supervisor alone."""
        self._numbers[self._at(number)] = 0
        self._numbers[0] += cpu_seconds

    def pids(self) -> Sequence[int]:
        """Return the id of each process by its number; 0 where none runs."""
        return [int(self._numbers[self._at(number)]) for number in range(self.processes)]

    @property
    def restarts(self) -> int:
        """How many processes were started in place of one that ended."""
        return int(sum(self._numbers[self._at(number) + 1] for number in range(self.processes)))

    @property
    def gone_cpu_seconds(self) -> float:
        """CPU time of the processes that are gone."""
        return float(self._numbers[0])

    # Reloads

    def tell_reloads(self, status: ReloadStatus) -> None:
        """Replace what is known of reloads. Of the supervisor alone."""
        self._numbers[1] = status.applied
        self._numbers[2] = status.refused
        self._numbers[3] = status.was_successful
        self._numbers[4] = status.applied_dt.timestamp()
        self._numbers[5] = status.config_hash

    def reloads(self) -> ReloadStatus:
        """Return how reloads of the server went."""
        applied, refused, was_successful, applied_at, config_hash = self._numbers[1:_SHARED_CELLS]
        return ReloadStatus(
            int(applied),
            int(refused),
            was_successful=bool(was_successful),
            applied_dt=datetime.fromtimestamp(applied_at, UTC),
            config_hash=int(config_hash),
        )

    # Counters

    def counters(self, number: int) -> dict[Face, FaceCounters]:
        """Return the counters of a process, which its successor of that number goes on with."""
        return {face: FaceCounters(self._cells(number, index)) for index, face in enumerate(_FACES)}

    def totals(self) -> dict[Face, FaceCounters]:
        """Return what all processes have counted together, as of now."""
        totals = {}
        for index, face in enumerate(_FACES):
            each = (self._cells(number, index) for number in range(self.processes))
            totals[face] = FaceCounters([float(sum(cells)) for cells in zip(*each, strict=True)])
        return totals

    def _cells(self, number: int, face: int) -> "memoryview[float]":
        first = self._at(number) + _OWN_CELLS + face * CELLS_PER_FACE
        return self._numbers[first : first + CELLS_PER_FACE]

    def _at(self, number: int) -> int:
        return _SHARED_CELLS + number * self._cells_each
