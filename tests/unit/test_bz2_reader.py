"""What is unpacked in C equals what Python's bz2 unpacks, and what Python refuses is refused."""

import bz2
import io
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.bz2_reader import Bz2Reader

LEVEL_BYTES = 100_000


def unpack(packed: bytes, functions: Any, size: int = -1) -> bytes:
    """Return what is packed, read in pieces of a size."""
    stream = io.BufferedReader(Bz2Reader(io.BufferedReader(io.BytesIO(packed)), functions))
    if size < 0:
        return stream.read()
    return b"".join(iter(lambda: stream.read(size), b""))


def words(length: int, seed: int) -> bytes:
    """Return bytes as those of a text."""
    chosen = random.Random(seed)
    known = [bytes(chosen.choices(range(97, 123), k=chosen.randint(1, 9))) for _ in range(300)]
    return b" ".join(chosen.choices(known, k=length // 5))[:length]


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"a",
        b"ab",
        b"aaaa",
        b"aaaaa" * 3,
        b"\0" * (3 << 20),
        b"ab" * 70_000,
        b"abc" * 100_000,
        bytes(range(256)) * 1000,
        b"".join(bytes([number % 7]) * number for number in range(1, 900)),
        words(2_500_000, 1),
        random.Random(2).randbytes(1_200_000),
        (words(300, 3) + b"=" * 259) * 900,
    ],
    ids=len,
)
@pytest.mark.parametrize("level", [1, 5, 9])
def test_blocks_of_every_kind_are_unpacked(built: Any, plain: bytes, level: int) -> None:
    packed = bz2.compress(plain, level)
    assert unpack(packed, built) == plain
    assert unpack(packed, built, 997) == plain


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 600)), min_size=1, max_size=30
    )
    | st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"\xff"]), st.integers(1, 300)), min_size=1, max_size=99
    ),
    streams=st.integers(1, 3),
    behind=st.sampled_from([b"", b"\0", b"junk", b"BZ", b"BZh", b"BZhx", bytes(600)]),
)
def test_any_bytes_come_back(built: Any, parts: list[tuple[bytes, int]], streams: int, behind: bytes) -> None:
    plain = b"".join(part * times for part, times in parts)
    assert unpack(bz2.compress(plain) * streams + behind, built) == plain * streams


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 3),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=3),
    share=st.floats(0, 1),
)
def test_what_is_damaged_or_cut_off_is_refused(
    built: Any, seed: int, changes: list[tuple[float, int]], share: float
) -> None:
    plain = words(3000 * (1 + seed), seed)
    packed = bytearray(bz2.compress(plain[:2000]) + bz2.compress(plain[2000:]))
    whole = bytes(packed)
    for place, bit in changes:
        packed[int(place * len(packed))] ^= 1 << bit
    changed = bytes(packed[: round(share * len(packed))])
    try:
        found = unpack(changed, built)
    except (OSError, EOFError):
        assert changed != whole
        return
    # Whatever a flipped bit makes of the beginning of a stream, it is none; so it ends before.
    assert found in {plain, plain[:2000]}
    assert found == bz2.BZ2File(io.BytesIO(changed)).read()


def test_a_read_fails_for_ever(built: Any) -> None:
    packed = bz2.compress(words(400_000, 1), 1)
    stream = Bz2Reader(io.BufferedReader(io.BytesIO(packed[:-30])), built)
    found = stream.read(3 * LEVEL_BYTES)
    assert found
    assert words(400_000, 1).startswith(found)
    for _ in range(2):
        with pytest.raises(EOFError):
            stream.readall()


def test_a_run_of_a_block_that_lacks_its_length_is_refused(built: Any) -> None:
    assert built.expand_bz2_runs(b"aaaa\x02b", 0, 100, 0)[:2] == (b"aaaaaab", 6)
    with pytest.raises(ValueError, match="without its length"):
        built.expand_bz2_runs(b"baaaa", 0, 100, 0)


@settings(max_examples=300, deadline=None)
@given(block=st.text("ab", max_size=60).map(str.encode), limit=st.integers(1, 20))
def test_runs_are_expanded_alike_in_pieces_of_any_size(built: Any, block: bytes, limit: int) -> None:
    try:
        whole = built.expand_bz2_runs(block, 0, 1 << 20, 7)
    except ValueError:
        return
    found, at, checksum = b"", 0, 7
    while at < len(block):
        piece, at, checksum = built.expand_bz2_runs(block, at, limit, checksum)
        assert 0 < len(piece) < limit + 4 + 256
        found += piece
    assert (found, at, checksum) == whole


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        ("unpack_bz2_block", (b"", -1, 1), ValueError),
        ("unpack_bz2_block", (b"", 8, 1), ValueError),
        ("unpack_bz2_block", (b"", 0, 0), ValueError),
        ("unpack_bz2_block", (b"", 0, 900_001), ValueError),
        ("unpack_bz2_block", (b"\xff", 0, 1), ValueError),
        ("unpack_bz2_block", ("", 0, 1), TypeError),
        ("unpack_bz2_block", (b"", "", 1), TypeError),
        ("unpack_bz2_block", (b"", 0, None), TypeError),
        ("unpack_bz2_block", (b"", 0), TypeError),
        ("unpack_bz2_block", (b"", 1 << 80, 1), OverflowError),
        ("expand_bz2_runs", (b"", 1, 1, 0), ValueError),
        ("expand_bz2_runs", (b"", -1, 1, 0), ValueError),
        ("expand_bz2_runs", (b"", 0, 0, 0), ValueError),
        ("expand_bz2_runs", (b"", 0, (1 << 30) + 1, 0), ValueError),
        ("expand_bz2_runs", ("", 0, 1, 0), TypeError),
        ("expand_bz2_runs", (b"", 0, 1, -1), OverflowError),
        ("expand_bz2_runs", (b"", 0, 1), TypeError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    built: Any, function: str, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(built, function)(*arguments)


def test_a_block_that_is_not_whole_is_none(built: Any) -> None:
    packed = bz2.compress(words(5000, 1))
    # Behind the headers of stream and block, and the checksum.
    assert built.unpack_bz2_block(packed, 8 * 14, LEVEL_BYTES * 9)[0] == words(5000, 1)
    for length in range(14, len(packed) - 12):
        assert built.unpack_bz2_block(packed[:length], 8 * 14, LEVEL_BYTES * 9) is None


def test_real_dumps_are_unpacked_alike(built: Any, shared: Path) -> None:
    for path in sorted((shared / "data/dumps").rglob("*.bz2")):
        packed = path.read_bytes()
        assert unpack(packed, built) == bz2.decompress(packed), path.name
