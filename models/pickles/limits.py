"""What a pickle may take: bytes, memory, depth."""

from msgspec import Struct

from models.pickles.faults import Malformed

_EARNING_BYTES = 64


class Limits(Struct, frozen=True):
    """Bounds on one file.

    Memory is paid from a budget: so much at the start, and so much earned with each byte that is read, of
    which an opcode counts 64 at most. So a file cannot take much more than files of its size need, and is
    stopped where it begins to. Opcodes are charged what they may make at most, some 2.3 times what real
    models take, and at least 24 bytes, which bounds their number as well. The texts and arrays that the file
    spells out come on top, at most four times its size.

    Args:
        data_bytes: Of the file, decompressed.
        memory_bytes: At the start. Real models need 40 kB of it.
        memory_per_byte: Earned with each byte read.
        depth: Of nested values; real models reach 39. Below Python's own limit on recursion, so that
            whoever walks the values may recurse.
        marks: Open MARKs. A pickler of CPython writes some two for each level.
        integer_bytes: Of one integer, below what Python refuses to print.
        compound_keys: Tuples and frozensets as keys or members, of whom an attacker can make colliding ones.
    """

    data_bytes: int = 1 << 30
    memory_bytes: int = 16 << 20
    memory_per_byte: int = 48
    depth: int = 400
    marks: int = 2000
    integer_bytes: int = 1024
    compound_keys: int = 4096


class Budget:
    """The memory that is left.

    Args:
        limits: The bounds.
    """

    __slots__ = ("_left_bytes", "_most", "_per_byte")

    def __init__(self, limits: Limits) -> None:
        self._left_bytes = limits.memory_bytes
        self._per_byte = limits.memory_per_byte
        self._most = limits.memory_per_byte * _EARNING_BYTES

    def step(self, cost_bytes: int, previous_bytes: int) -> None:
        """Earn what the opcode before was long, and take what this one costs."""
        earned = self._per_byte * previous_bytes if previous_bytes < _EARNING_BYTES else self._most
        self.spend(cost_bytes - earned)

    def spend(self, cost_bytes: int) -> None:
        """Take memory, before it is used.

        Raises:
            Malformed: There is not so much left.
        """
        self._left_bytes -= cost_bytes
        if self._left_bytes < 0:
            raise Malformed("it asks for far more memory than a file of its size can need")
