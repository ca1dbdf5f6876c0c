import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.standard_input import StandardInput
from schemas.errors import SourceError
from tests.memory_intake import MemoryIntake
from tests.recorded_lines import body, key_by_length, lines
from tests.until import until


class Pipe:
    """Both ends of a pipe, closed in the end."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self._is_open = True

    def write(self, data: bytes) -> None:
        os.write(self.writer, data)

    def end(self) -> None:
        if self._is_open:
            os.close(self.writer)
            self._is_open = False


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = Pipe()
    yield ends
    ends.end()
    os.close(ends.reader)


async def test_standard_input_is_taken_as_it_comes_and_leaves_the_loop_free(pipe: Pipe) -> None:
    intake = MemoryIntake()
    task = asyncio.create_task(StandardInput(key_by_length, descriptor=pipe.reader).run(intake))
    pipe.write(b'{"n":1}\n\n{"n":2}\n{"n":')
    await until(lambda: len(intake.values) == 2)
    pipe.write(b'3}\r\n{"n":4}')
    await until(lambda: len(intake.values) == 3)
    pipe.end()
    await task
    assert intake.values == [b'{"n":1}', b'{"n":2}', b'{"n":3}', b'{"n":4}']


async def test_standard_input_that_is_silent_can_be_cancelled_at_once(pipe: Pipe) -> None:
    task = asyncio.create_task(StandardInput(key_by_length, descriptor=pipe.reader).run(MemoryIntake()))
    await asyncio.sleep(0.02)
    task.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_standard_input_redirected_from_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    values = lines(1, 1500, padding=80)
    path = tmp_path / "events.jsonl"
    path.write_bytes(body(values))
    intake = MemoryIntake()
    with path.open("rb") as file:
        await StandardInput(key_by_length, descriptor=file.fileno()).run(intake)
    assert intake.values == values


async def test_standard_input_with_a_line_over_the_limit_goes_on_after_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(body([b"x" * 300_000, *lines(1, 1)]))
    intake = MemoryIntake()
    with path.open("rb") as file:
        await StandardInput(key_by_length, descriptor=file.fileno(), max_line_bytes=1000).run(intake)
    assert json.loads(intake.values[0])["revstream_refused"]["size_bytes"] == 300_000
    assert intake.values[1:] == lines(1, 1)


async def test_standard_input_that_is_closed_is_an_error_with_the_cure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(SourceError, match="pipe events"):
        # The descriptors of the source's own wake-up pipe are taken afresh, so a number beyond them is shut.
        await StandardInput(key_by_length, descriptor=writer + 500).run(MemoryIntake())


async def test_a_pipe_is_not_emptied_while_too_much_of_it_is_not_done(pipe: Pipe) -> None:
    intake = MemoryIntake()
    intake.full = asyncio.Event()
    task = asyncio.create_task(StandardInput(key_by_length, descriptor=pipe.reader).run(intake))
    pipe.write(b'{"n":1}\n')
    await asyncio.sleep(0.1)
    assert intake.values == []
    intake.full.set()
    pipe.end()
    await task
    assert intake.values == [b'{"n":1}']
