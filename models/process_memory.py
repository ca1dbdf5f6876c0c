"""How much memory processes hold. Only Linux tells; elsewhere it is 0."""

import ctypes
import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Of mallopt: what may be free at the end of the heap, and from which size on something has pages of its own.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 64 << 20
_LARGE_BYTES = 32 << 20


def keep_freed_memory() -> None:
    """Keep up to 64 MB of what this process frees for what it allocates next, with those forked from it.

    For who takes and frees megabytes over and over: glibc gives each back to the system, which fills every
    page with zeros again. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process, shared pages included; 0 for one that has ended."""
    try:
        return _resident_bytes(Path(f"/proc/{pid}/statm").read_bytes())
    except OSError:
        return 0


class OwnMemory:
    """The memory of this process, for who asks often: the file stays open. Not to be taken over a fork."""

    def __init__(self) -> None:
        try:
            self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._statm = -1

    def read(self) -> int:
        """Return bytes."""
        return 0 if self._statm < 0 else _resident_bytes(os.pread(self._statm, 256, 0))


def _resident_bytes(statm: bytes) -> int:
    words = statm.split()
    return int(words[1]) * _PAGE_BYTES if len(words) > 1 else 0
