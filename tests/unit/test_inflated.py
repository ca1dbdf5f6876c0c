"""What servers pack is unpacked off the event loop, whichever way they do it, and never beyond a bound."""

import gzip
import threading
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import inflated as module
from agents.inflated import BodyDamaged, BodyTooLarge, inflated

_bodies = st.binary(max_size=200) | st.binary(min_size=1, max_size=40).map(lambda one: one * 5_000)


def raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@settings(deadline=None, max_examples=50)
@given(_bodies)
async def test_whatever_was_packed_comes_back(body: bytes) -> None:
    for encoding, packed in (
        ("gzip", gzip.compress(body)),
        (" GZIP ", gzip.compress(body)),
        ("x-gzip", gzip.compress(body[:7]) + gzip.compress(body[7:])),
        ("deflate", zlib.compress(body)),
        ("deflate", raw(body)),
        ("", body),
        ("identity", body),
    ):
        assert await inflated(packed, encoding, most_bytes=len(body)) == body


@settings(deadline=None, max_examples=50)
@given(_bodies.filter(bool))
async def test_one_byte_beyond_the_bound_is_too_much(body: bytes) -> None:
    for encoding, packed in (("gzip", gzip.compress(body)), ("deflate", raw(body))):
        with pytest.raises(BodyTooLarge):
            await inflated(packed, encoding, most_bytes=len(body) - 1)


async def test_a_bomb_takes_no_more_memory_than_the_bound() -> None:
    with pytest.raises(BodyTooLarge):
        await inflated(gzip.compress(bytes(50_000_000)), "gzip", most_bytes=1000)


@pytest.mark.parametrize(
    ("body", "encoding", "said"),
    [
        (gzip.compress(b"text" * 100, mtime=0)[:-9], "gzip", "cut off"),
        (b"<html>", "gzip", "."),
        (gzip.compress(b"text", mtime=0) + b"rest", "gzip", "."),
        (b"text", "br", "not asked for"),
    ],
)
async def test_what_is_no_such_packing_is_damaged(body: bytes, encoding: str, said: str) -> None:
    with pytest.raises(BodyDamaged, match=said):
        await inflated(body, encoding, most_bytes=10_000)


async def test_large_bodies_are_unpacked_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[threading.Thread] = []
    inflate = module._inflate

    def noting(body: bytes, most_bytes: int) -> bytes:
        seen.append(threading.current_thread())
        return inflate(body, most_bytes)

    monkeypatch.setattr(module, "_inflate", noting)
    large = bytes(range(256)) * 200
    incompressible = zlib.compress(large, level=0)
    assert await inflated(incompressible, "deflate", most_bytes=len(large)) == large
    assert await inflated(zlib.compress(b"small"), "deflate", most_bytes=5) == b"small"
    assert [one is threading.main_thread() for one in seen] == [False, True]
