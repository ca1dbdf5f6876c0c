import asyncio
import bz2
import contextlib
import gzip
import itertools
import json
import logging
import os
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import zstandard

from agents.intake import SourceEvent
from agents.recorded import RecordedEvents
from agents.sources import EventSource
from schemas.decode import peek_key
from schemas.errors import SourceError, StoreFull
from schemas.keys import page_topic_key
from tests.memory_intake import MemoryIntake
from tests.recorded_lines import body, key_by_length, lines

Pack = Callable[[bytes], bytes]


def zst_in_frames(data: bytes) -> bytes:
    """Two frames, as `cat a.zst b.zst` makes them."""
    half = len(data) // 2
    return zstandard.compress(data[:half]) + zstandard.compress(data[half:])


def gzip_in_members(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:]) + bytes(512)


def bz2_in_streams(data: bytes) -> bytes:
    half = len(data) // 2
    return bz2.compress(data[:half]) + bz2.compress(data[half:])


PACKINGS: list[tuple[str, Pack]] = [
    (".jsonl", bytes),
    (".jsonl.gz", gzip.compress),
    (".gz", gzip_in_members),
    (".jsonl.bz2", bz2.compress),
    (".bz2", bz2_in_streams),
    (".jsonl.zst", zstandard.compress),
    (".zst", zst_in_frames),
]


async def read(path: Path, intake: MemoryIntake, **options: object) -> MemoryIntake:
    source: EventSource = RecordedEvents(path, key_by_length, **options)  # type: ignore[arg-type]  # any of its options
    await source.run(intake)
    return intake


@pytest.mark.parametrize(("suffix", "pack"), PACKINGS)
async def test_every_line_of_a_file_is_taken_once_in_order(tmp_path: Path, suffix: str, pack: Pack) -> None:
    values = lines(1, 2500, padding=300)
    path = tmp_path / f"events{suffix}"
    path.write_bytes(pack(body(values)))
    intake = await read(path, MemoryIntake())
    assert intake.values == values
    assert all(event.key == key_by_length(event.value) for batch in intake.batches for event in batch)
    assert max(map(len, intake.batches)) <= 100
    # A second run finds nothing new.
    assert (await read(path, intake)).values == values


@pytest.mark.parametrize(("suffix", "pack"), PACKINGS)
async def test_reading_goes_on_after_the_last_event_taken(tmp_path: Path, suffix: str, pack: Pack) -> None:
    values = lines(1, 900, padding=100)
    path = tmp_path / f"events{suffix}"
    path.write_bytes(pack(body(values)))
    turns = itertools.count(1)

    def refuse_every_third(_: Sequence[SourceEvent]) -> None:
        if next(turns) % 3 == 0:
            raise StoreFull("no space left")

    intake = MemoryIntake(refuse_every_third)
    starts = 1
    while len(intake.values) < len(values):
        with contextlib.suppress(StoreFull):
            await read(path, intake)
        starts += 1
    assert intake.values == values
    assert starts > 4


async def test_a_file_that_has_grown_goes_on_and_the_new_events_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(body(lines(1, 3)))
    intake = await read(path, MemoryIntake())
    with path.open("ab") as file:
        file.write(body(lines(4, 6)))
    await read(path, intake)
    assert intake.values == lines(1, 6)


async def test_another_file_under_the_same_name_is_read_from_its_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(body(lines(1, 3)))
    intake = await read(path, MemoryIntake())
    path.write_bytes(body(lines(7, 8)))
    with caplog.at_level(logging.WARNING):
        await read(path, intake)
    assert intake.values == lines(1, 3) + lines(7, 8)
    assert "another file" in caplog.text


@pytest.mark.parametrize(("suffix", "pack"), PACKINGS)
async def test_a_file_that_has_become_shorter_is_an_error_that_says_so(
    tmp_path: Path, suffix: str, pack: Pack
) -> None:
    path = tmp_path / f"events{suffix}"
    values = lines(1, 300, padding=100)
    path.write_bytes(pack(body(values)))
    intake = await read(path, MemoryIntake())
    path.write_bytes(pack(body(values[:100])))
    with pytest.raises(SourceError, match="stopped last time"):
        await read(path, intake)
    assert intake.values == values


async def test_a_place_that_another_version_stored_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(body(lines(1, 3)))
    intake = MemoryIntake()
    intake.cursors[f"file:{path}"] = "17"
    with pytest.raises(SourceError, match="another version"):
        await read(path, intake)


async def test_blank_lines_are_passed_over_and_broken_ones_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'\n{"a":1}\r\n   \n\n{"broken\n\xff\xfe\n{"last":"without end"}')
    intake = await read(path, MemoryIntake())
    assert intake.values == [b'{"a":1}', b'{"broken', b"\xff\xfe", b'{"last":"without end"}']


async def test_an_empty_file_ends_at_once(tmp_path: Path) -> None:
    for name in ("events.jsonl", "events.jsonl.gz"):
        path = tmp_path / name
        path.touch()
        assert (await read(path, MemoryIntake())).values == []


@pytest.mark.parametrize(("suffix", "pack"), PACKINGS)
async def test_a_line_over_the_limit_is_replaced_by_a_record_that_says_so(
    tmp_path: Path, suffix: str, pack: Pack
) -> None:
    path = tmp_path / f"events{suffix}"
    giant = b'{"giant":"' + b"y" * 5_000_000 + b'"}'
    path.write_bytes(pack(body([*lines(1, 1), giant, *lines(2, 2)])))
    intake = await read(path, MemoryIntake(), max_line_bytes=1_000_000)
    first, refused, last = intake.values
    assert [first, last] == lines(1, 2)
    told = json.loads(refused)["revstream_refused"]
    assert told["place"] == "line 2"
    assert told["size_bytes"] == len(giant)
    assert told["starts_with"].startswith('{"giant":"yyy')
    assert len(refused) < 1000


@pytest.mark.parametrize(("suffix", "pack"), [packing for packing in PACKINGS if packing[0] != ".jsonl"])
async def test_a_file_that_breaks_off_gives_every_whole_event_and_then_an_error(
    tmp_path: Path, suffix: str, pack: Pack
) -> None:
    # Bytes that do not compress, so that half of the file is about half of the events.
    values = [json.dumps({"noise": os.urandom(500).hex()}).encode() for _ in range(1500)]
    whole = pack(body(values))
    path = tmp_path / f"events{suffix}"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    intake = MemoryIntake()
    with pytest.raises(SourceError, match=r"breaks off.*Fetch the file again"):
        await read(path, intake)
    assert len(intake.values) > 500
    assert intake.values == values[: len(intake.values)]
    # The whole file, fetched again, goes on from there.
    path.write_bytes(whole)
    await read(path, intake)
    assert intake.values == values


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("plain.jsonl.gz", b'{"a":1}\n', "holds no compressed data, and its name says gzip"),
        ("packed.jsonl", gzip.compress(b"{}", mtime=0), "holds gzip, and its name says plain text"),
        ("packed.jsonl.gz", bz2.compress(b"{}"), "holds bzip2, and its name says gzip"),
        ("packed.json", zstandard.compress(b"{}"), "holds Zstandard, and its name says plain text"),
        ("packed.xz", b"\xfd7zXZ\x00more", "holds xz"),
        ("wide.jsonl", '{"a":1}\n'.encode("utf-16"), "holds UTF-16 text"),
        ("damaged.gz", gzip.compress(b"{}", mtime=0)[:10] + b"\xff" * 40, "gzip data is damaged"),
        ("damaged.bz2", b"BZh9" + b"\x00" * 60, "bzip2 data is damaged"),
        ("damaged.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 60, "Zstandard data is damaged"),
    ],
)
async def test_a_file_that_is_not_what_its_name_says_is_an_error_with_cause_and_cure(
    tmp_path: Path, name: str, content: bytes, cause: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=cause) as caught:
        await read(path, MemoryIntake())
    assert caught.value.fields["path"] == str(path)


async def test_what_is_no_file_is_an_error_with_cause_and_cure(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        await read(tmp_path / "nowhere.jsonl", MemoryIntake())
    with pytest.raises(SourceError, match="no regular file"):
        await read(tmp_path, MemoryIntake())
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    async with asyncio.timeout(2):
        with pytest.raises(SourceError, match="use '-'"):
            await read(pipe, MemoryIntake())


async def test_a_paced_file_goes_steadily_and_not_in_bursts(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(body(lines(1, 25)))
    intake = await read(path, MemoryIntake(), pace_events_per_second=50)
    assert intake.values == lines(1, 25)
    assert len(intake.batches) >= 6
    assert intake.taken_at[-1] - intake.taken_at[0] >= 0.4


async def test_cancelling_a_file_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    values = lines(1, 3000, padding=200)
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(body(values)))
    intake = MemoryIntake()
    for delay_ms in range(12):
        task = asyncio.create_task(read(path, intake))
        await asyncio.sleep(delay_ms / 1000)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await read(path, intake)
    assert intake.values == values


async def test_real_events_of_every_kind_are_taken_with_the_key_of_their_page(shared: Path) -> None:
    path = shared / "data" / "events" / "page_change_1.12" / "wikipedia-page-change.jsonl"
    intake = MemoryIntake()
    await RecordedEvents(path, peek_key).run(intake)
    assert len(intake.values) == 5
    for batch in intake.batches:
        for event in batch:
            told = json.loads(event.value)
            assert event.key == page_topic_key(told["wiki_id"], told["page"]["page_id"])


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".zst", zstandard.compress)]
)
async def test_a_compression_bomb_is_read_in_bounded_memory(tmp_path: Path, suffix: str, pack: Pack) -> None:
    path = tmp_path / f"bomb{suffix}"
    path.write_bytes(pack(bytes(40_000_000)))
    assert path.stat().st_size < 50_000
    tracemalloc.start()
    try:
        intake = await read(path, MemoryIntake(), max_line_bytes=1_000_000)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert json.loads(intake.values[0])["revstream_refused"]["size_bytes"] == 40_000_000
    assert peak_bytes < 25_000_000


async def test_a_file_is_not_read_on_while_too_much_of_it_is_not_done(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(body(lines(1, 250)))
    intake = MemoryIntake()
    intake.full = asyncio.Event()
    task = asyncio.create_task(read(path, intake))
    await asyncio.sleep(0.1)
    assert intake.values == []
    intake.full.set()
    await task
    assert len(intake.values) == 250
