"""Requests that two servers could read in two ways, odd paths, heads without end: refused, and hung up."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.api.request_head import HttpLimits
from tests.raw_http import HOST, Echo, RawServer, answer, raw_server
from tests.rows import binary, catalogue, row, stored
from tests.served import Served, served

CHUNKED = b"Transfer-Encoding: chunked\r\n"
SECOND = b"GET /second HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def server(echo: Echo) -> AsyncIterator[RawServer]:
    async with raw_server(echo) as running:
        yield running


def post(headers: bytes, body: bytes = b"", *, version: bytes = b"1.1") -> bytes:
    return b"POST /first HTTP/" + version + b"\r\n" + HOST + headers + b"\r\n" + body


AMBIGUOUS = {
    "the same length twice": post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    "two lengths": post(b"Content-Length: 3\r\nContent-Length: 0\r\n", b"abc"),
    "a list of lengths": post(b"Content-Length: 3, 3\r\n", b"abc"),
    "a length with a sign": post(b"Content-Length: +3\r\n", b"abc"),
    "a negative length": post(b"Content-Length: -3\r\n", b"abc"),
    "a length in base 16": post(b"Content-Length: 0x3\r\n", b"abc"),
    "an empty length": post(b"Content-Length: \r\n"),
    "a length beyond all numbers": post(b"Content-Length: " + b"9" * 40 + b"\r\n"),
    "length and chunks": post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"),
    "chunks and length": post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
    "chunks twice": post(CHUNKED * 2, b"0\r\n\r\n"),
    "chunks, then another encoding": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "another encoding, then chunks": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "another encoding": post(b"Transfer-Encoding: identity\r\n"),
    "nearly chunked": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "chunked behind an odd blank": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "a blank before the colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "chunks in HTTP/1.0": post(CHUNKED, b"0\r\n\r\n", version=b"1.0"),
    "a folded encoding": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
    "a folded header": post(b"X-A: 1\r\n 2\r\n"),
    "a header without a name": post(b": 1\r\n"),
    "a blank in a name": post(b"X A: 1\r\n"),
    "a NUL in a value": post(b"X-A: 1\x002\r\n"),
    "bare line feeds": b"POST /first HTTP/1.1\nHost: localhost\n\n",
    "one bare line feed": b"POST /first HTTP/1.1\r\nHost: localhost\nX-A: 1\r\n\r\n",
    "a bare return": b"POST /first HTTP/1.1\r\nHost: localhost\rX-A: 1\r\n\r\n",
    "chunks ended by line feeds": post(CHUNKED, b"3\nabc\n0\n\n"),
    "a chunk size with a prefix": post(CHUNKED, b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size beyond all numbers": post(CHUNKED, b"f" * 17 + b"\r\nabc"),
    "a chunk longer than it says": post(CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n"),
    "a line feed in a chunk's extension": post(CHUNKED, b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    "a length among the trailers": post(CHUNKED, b"0\r\nContent-Length: 5\r\n\r\n"),
    "no host": b"GET /first HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /first HTTP/1.1\r\n" + HOST * 2 + b"\r\n",
    "a host with a path": b"GET /first HTTP/1.1\r\nHost: localhost/v1/models\r\n\r\n",
    "a host with a name before it": b"GET /first HTTP/1.1\r\nHost: a@localhost\r\n\r\n",
    "no version": b"GET /first\r\n\r\n",
    "a later version": b"GET /first HTTP/2.0\r\n" + HOST + b"\r\n",
    "the greeting of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": b"CONNECT localhost:22 HTTP/1.1\r\n" + HOST + b"\r\n",
    "tabs in the first line": b"GET\t/first\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "something before the request": b"abc\r\nGET /first HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment": b"GET /first#second HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes that are no text in the path": b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_what_could_be_read_in_two_ways_is_refused_with_all_that_follows(
    server: RawServer, echo: Echo, name: str
) -> None:
    (only,), has_hung_up = await server.say(AMBIGUOUS[name] + SECOND)
    assert only[0] in {400, 505}
    assert json.loads(only[1])["error"]["code"] == "request_invalid"
    assert has_hung_up
    assert echo.seen == []
    assert server.refused == [only[0]]


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (post(b"Content-Length: 3\r\n", b"abc"), "abc"),
        (post(b"content-length:3 \r\n", b"abc"), "abc"),
        (post(CHUNKED, b"3\r\nabc\r\n0\r\n\r\n"), "abc"),
        (post(b"TRANSFER-ENCODING:\tChunked\r\n", b"3;x=y\r\nabc\r\n0\r\n\r\n"), "abc"),
        (post(b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n", b"abc"), "abc"),
        (post(b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" + CHUNKED, b"0\r\n\r\n"), ""),
        (b"GET http://elsewhere.example/first HTTP/1.1\r\n" + HOST + b"\r\n", ""),
        (b"\r\nGET /first HTTP/1.1\r\n" + HOST + b"\r\n", ""),
    ],
)
async def test_what_has_one_meaning_is_answered_and_so_is_what_follows(
    server: RawServer, echo: Echo, data: bytes, body: str
) -> None:
    found, has_hung_up = await server.say(data + SECOND)
    assert [status for status, _ in found] == [200, 200]
    assert not has_hung_up
    assert [(asked["path"], asked["body"]) for asked in echo.seen] == [("/first", body), ("/second", "")]


async def test_many_offers_to_upgrade_on_one_connection_are_many_requests(
    server: RawServer, echo: Echo
) -> None:
    offer = b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    found, _ = await server.say(offer * 20)
    assert [status for status, _ in found] == [200] * 20
    assert "upgrade" not in echo.seen[0]["headers"]


async def test_trailers_are_no_headers(server: RawServer, echo: Echo) -> None:
    body = b"3\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    await server.say(post(CHUNKED, body) + SECOND)
    assert all("authorization" not in asked["headers"] for asked in echo.seen)


ODD_PATHS = [
    b"/a%2fb",
    b"/a%2Fb",
    b"/a%5Cb",
    b"/a\\b",
    b"/a%00b",
    b"/a%0d%0aX-A:%201",
    b"/a%7f",
    b"/../etc/passwd",
    b"/a/./b",
    b"/a/%2e%2e/b",
    b"/a/.%2E",
    b"/a%c0%afb",
    b"/a%e0%80%af",
    b"/a%ff",
    b"/a%",
    b"/a%zz",
    b"/%ed%a0%80",
]


@pytest.mark.parametrize("path", ODD_PATHS)
async def test_a_path_that_is_more_than_it_seems_is_refused(
    server: RawServer, echo: Echo, path: bytes
) -> None:
    (only,), has_hung_up = await server.say(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n" + SECOND)
    assert (only[0], has_hung_up) == (400, True)
    assert echo.seen == []


@pytest.mark.parametrize(
    ("path", "read"),
    [
        (b"/a%20b", "/a b"),
        (b"/caf%C3%A9", "/café"),
        (b"/a%252fb", "/a%2fb"),
        (b"/.well-known/x", "/.well-known/x"),
        (b"/a..b/c.", "/a..b/c."),
        (b"/v1/models/enwiki-damaging@0.5.1:predict", "/v1/models/enwiki-damaging@0.5.1:predict"),
        (b"//elsewhere.example/a", "//elsewhere.example/a"),
    ],
)
async def test_a_plain_path_is_read_once(server: RawServer, echo: Echo, path: bytes, read: str) -> None:
    await server.say(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert [asked["path"] for asked in echo.seen] == [read]


def head(*headers: bytes, target: bytes = b"/") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"".join(headers)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head(*[b"A%d: 1\r\n" % number for number in range(200)], b"\r\n"), 431),
        (head(*[b"A%d: 1\r\n" % number for number in range(200)]), 431),
        (head(b"A: " + b"x" * 70_000 + b"\r\n\r\n"), 431),
        (head(b"A: " + b"x" * 200_000), 431),
        (head(b"A" * 200_000), 431),
        (b"GET /" + b"x" * 200_000, 431),
        (head(b"\r\n", target=b"/" + b"x" * 9_000), 414),
        (head(b"\r\n", target=b"/?" + b"x" * 50_000), 414),
        (head(b"\r\n", target=b"/?" + b"a&" * 1_000), 400),
        (b"A" * 200_000, 400),
    ],
    ids=[
        "many headers",
        "many headers without end",
        "a long header",
        "a header without end",
        "a name without end",
        "a path without end",
        "a long path",
        "a long query",
        "many parameters",
        "a method without end",
    ],
)
async def test_a_head_beyond_its_bounds_is_refused(
    server: RawServer, echo: Echo, data: bytes, status: int
) -> None:
    (only,), has_hung_up = await server.say(data)
    assert (only[0], has_hung_up) == (status, True)
    assert echo.seen == []


@pytest.mark.parametrize(
    "tail",
    [b"1;" + b"x" * 400_000, b"0\r\nA: " + b"x" * 400_000, b"0\r\n" + b"A: 1\r\n" * 60_000],
    ids=["an extension", "a trailer", "trailers"],
)
async def test_what_comes_beside_a_body_is_bounded(server: RawServer, echo: Echo, tail: bytes) -> None:
    (only,), has_hung_up = await server.say(post(CHUNKED, tail))
    assert (only[0], has_hung_up) == (400, True)


async def test_a_body_in_the_smallest_chunks_is_read(server: RawServer, echo: Echo) -> None:
    body = b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"
    ((status, _),), _ = await server.say(post(CHUNKED, body))
    assert status == 200
    assert echo.seen[0]["body"] == "a" * 50_000


async def test_large_bodies_on_one_connection_do_not_add_up(server: RawServer, echo: Echo) -> None:
    one = post(b"Content-Length: 100000\r\n", b"x" * 100_000)
    found, has_hung_up = await server.say(one * 8)
    assert ([status for status, _ in found], has_hung_up) == ([200] * 8, False)


async def test_requests_that_wait_on_one_connection_are_few(echo: Echo) -> None:
    async with raw_server(echo, HttpLimits(pipelined=4)) as server:
        found, has_hung_up = await server.say(SECOND * 50)
    assert has_hung_up
    assert len(found) <= 5
    assert all(status == 200 for status, _ in found)


async def test_a_refusal_never_stands_amid_the_answer_of_another_request(echo: Echo) -> None:
    async with raw_server(echo) as server:
        reader, writer = await server.open()
        writer.write(post(b"Content-Length: 3\r\n", b"abc") + b"no request\r\n\r\n")
        found = []
        while (one := await answer(reader)) is not None:
            found.append(one)
        writer.close()
    assert [status for status, _ in found] in ([], [200])


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    rows = [row(stored("damaging", binary(0.25)), rev_id=12345)]
    async with served(tmp_path, catalogue({"enwiki": ("damaging",)}), rows) as running:
        yield running


@pytest.mark.parametrize(
    "path",
    [
        "/scores/enwiki/1%00",
        "/v3/scores/enwiki%2f..%2fenwiki/12345",
        "/v3/scores/%2e%2e/%2e%2e/etc",
        "/pages/en%c0%afwiki/1",
    ],
)
async def test_no_route_sees_an_odd_path(api: Served, path: str) -> None:
    port = int(api.url.rsplit(":", 1)[1])
    (only,), _ = await RawServer(port, []).say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    error: dict[str, Any] = json.loads(only[1])["error"]
    assert (only[0], error["code"]) == (400, "request_invalid")
    assert (await api.ask("/scores/enwiki/12345"))[0] == 200
