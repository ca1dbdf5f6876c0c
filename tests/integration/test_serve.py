"""`revstream serve` over an embedded log that a worker has written."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from agents.embedded.log import Log, NewRecord, now_ms
from app.serve import serve
from app.settings import Settings, load_settings
from app.topic_readers import changelog_topics
from schemas.errors import PortInUse
from schemas.keys import row_key
from tables.codec import encode_row
from tests.rows import binary, row, stored

PARTITIONS = 2


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def settings_for(folder: Path, port: int) -> Settings:
    flags = {"data_dir": str(folder), "http_port": str(port)}
    return load_settings(flags=flags, environ={}, cwd=folder)


def write(log: Log, settings: Settings, *rev_ids: int) -> None:
    topics = changelog_topics(settings.app_id)
    for topic in topics.values():
        log.create_topic(topic, PARTITIONS, is_compacted=True)
    log.transact(
        [
            NewRecord(
                topics[table],
                rev_id % PARTITIONS,
                now_ms(),
                row_key("enwiki", rev_id),
                encode_row(row(stored("reverted", binary(0.25)), rev_id=rev_id, page_id=rev_id)),
            )
            for rev_id in rev_ids
            for table in topics
        ]
    )


class Serving:
    """A server that runs, and how to ask it."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{settings.http_port}"
        self.session = session

    async def status(self, path: str) -> int:
        try:
            async with self.session.get(self.url + path) as response:
                return response.status
        except aiohttp.ClientConnectionError:
            return 0

    async def until(self, path: str, status: int) -> None:
        async with asyncio.timeout(20):
            while await self.status(path) != status:  # noqa: ASYNC110 - another process, which signals nothing
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    task = asyncio.create_task(serve(settings))
    try:
        async with aiohttp.ClientSession() as session:
            yield Serving(settings, session)
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await task


async def test_a_replica_comes_up_fills_itself_and_follows(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, free_port())
    async with serving(settings) as server:
        await server.until("/healthz", 200)
        assert await server.status("/readyz") == 503
        log = Log(settings.log_path)
        try:
            write(log, settings, 1, 2, 3)
            await server.until("/readyz", 200)
            assert await server.status("/scores/enwiki/2") == 200
            assert await server.status("/scores/enwiki/99") == 404
            write(log, settings, 99)
            await server.until("/scores/enwiki/99", 200)
            await server.until("/pages/enwiki/99", 200)
        finally:
            log.close()


async def test_two_replicas_share_a_data_directory(tmp_path: Path) -> None:
    first = settings_for(tmp_path, free_port())
    second = settings_for(tmp_path, free_port())
    log = Log(first.log_path)
    try:
        write(log, first, 1)
        async with serving(first) as one:
            await one.until("/scores/enwiki/1", 200)
            command = [sys.executable, "-m", "app", "serve", "--data-dir", str(tmp_path)]
            process = await asyncio.create_subprocess_exec(*command, "--http-port", str(second.http_port))
            try:
                other = Serving(second, one.session)
                await other.until("/scores/enwiki/1", 200)
                assert await one.status("/scores/enwiki/1") == 200
            finally:
                process.terminate()
                assert await process.wait() == 0
    finally:
        log.close()


async def test_a_port_in_use_ends_the_start(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortInUse):
            await serve(settings_for(tmp_path, other.getsockname()[1]))
    assert is_empty(tmp_path)
