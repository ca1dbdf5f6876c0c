"""What processes do with memory that they freed."""

import platform
import subprocess
import sys

import pytest

PAGES_OF_8_MB = (8 << 20) // 4096
FREE_OFTEN = """
import resource
import sys
from models.process_memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def hold():
    # Pieces of a block of a dump, one on the other.
    return [bytearray(1 << 20) for _ in range(8)]
hold()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    hold()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Return how many pages the system filled with zeros."""
    done = subprocess.run(
        [sys.executable, "-c", FREE_OFTEN, how], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_memory_that_was_freed_is_taken_again() -> None:
    assert faults("kept") < PAGES_OF_8_MB
    assert faults("given back") > 2 * PAGES_OF_8_MB
