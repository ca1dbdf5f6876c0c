"""What the head of an HTTP request may be: decided before anything of the application sees it."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

Headers = Sequence[tuple[bytes, bytes]]


class HttpLimits(Struct, frozen=True):
    """Bounds of one connection.

    Attributes:
        head_bytes: Request line and headers together; a precache event in a query takes some thousand.
        headers: How many.
        target_bytes: Path and query together.
        path_bytes: Of the path alone.
        parameters: In the query.
        pipelined: Requests that wait for the one before them.
        connections: At a time; further ones are told so and closed.
        head_seconds: From the first byte of a head, or from the connection, to its last.
        body_seconds: From the head to the last byte of the body, while anybody reads it.
        write_seconds: For which a client may leave an answer unread.
        linger_seconds: For which a refused client may go on sending, so that it can read the refusal.
    """

    head_bytes: int = 64 << 10
    headers: int = 100
    target_bytes: int = 48 << 10
    path_bytes: int = 8 << 10
    parameters: int = 1_000
    pipelined: int = 32
    connections: int = 4096
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    write_seconds: float = 30.0
    linger_seconds: float = 1.0


class Refusal(Struct, frozen=True):
    """Why a request is not looked at: a status of HTTP, and the reason in words."""

    status: int
    reason: str


TOO_SLOW: Final = Refusal(408, "The request did not arrive in time. Send it faster, or send less.")
TOO_MANY_CONNECTIONS: Final = Refusal(503, "Too many connections are open. Try again later.")
TOO_MANY_PIPELINED: Final = Refusal(400, "Too many requests wait on this connection. Await an answer first.")
MALFORMED: Final = Refusal(400, "The request is no HTTP/1.1. Look at its line ends, lengths and encodings.")
HEAD_TOO_LARGE: Final = Refusal(431, "The request has too many headers, or too large ones. Send fewer.")
_NO_VERSION: Final = Refusal(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
_TARGET_TOO_LONG: Final = Refusal(414, "The path or the query is too long. Ask for less at a time.")
_TOO_MANY_PARAMETERS: Final = Refusal(400, "The query has too many parameters. Ask for less at a time.")
_ONE_HOST: Final = Refusal(400, "HTTP/1.1 asks for one header Host, which names a host.")
_ENCODED: Final = Refusal(
    400, "A body may come in chunks, and in no other encoding of transfer. Send it plain."
)
_ODD_PATH: Final = Refusal(
    400,
    "The path holds a control character, a slash in disguise, a dot segment or no UTF-8. Write it plainly.",
)

# Nothing in it but a path, of which nothing is more than it seems.
_PLAIN: Final = re.compile(rb"(?:/[A-Za-z0-9_~@:!$'()*+,;=|\-][A-Za-z0-9_~@:!$'()*+,;=|.\-]*+)++/?")
_ODD: Final = re.compile(rb"[%\\]|/\.")
_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
_HOST: Final = re.compile(rb"[A-Za-z0-9._\-]*(?::[0-9]*)?|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
_DOTS: Final = frozenset({b".", b".."})


def refuse_headers(version: str, headers: Headers, limits: HttpLimits) -> Refusal | None:
    """Return why a request is refused for its headers; None where it is not.

    The parser has refused before: repeated or odd lengths, a length beside chunks, folded headers, bare line
    feeds and returns, NULs. What it lets pass, and others on the way may read otherwise, is refused here.

    Args:
        version: Of HTTP: ``1.1``.
        headers: Names in small letters.
        limits: Of the server.
    """
    if version not in {"1.1", "1.0"}:
        return _NO_VERSION
    hosts = 0
    size_bytes = 0
    for name, value in headers:
        size_bytes += len(name) + len(value) + 4
        if name == b"host":
            hosts += 1 if _HOST.fullmatch(value) else 2
        elif name == b"transfer-encoding" and (version != "1.1" or value.strip().lower() != b"chunked"):
            return _ENCODED
    if size_bytes > limits.head_bytes or len(headers) > limits.headers:
        return HEAD_TOO_LARGE
    return _ONE_HOST if hosts > 1 or (not hosts and version == "1.1") else None


def refuse_target(target: bytes, limits: HttpLimits) -> Refusal | None:
    """Return why a request is refused for its path or query; None where it is not.

    Args:
        target: As on the request line.
        limits: Of the server.
    """
    if len(target) <= limits.path_bytes and _PLAIN.fullmatch(target):
        return None
    path, _, query = target.partition(b"?")
    if len(path) > limits.path_bytes or len(target) > limits.target_bytes:
        return _TARGET_TOO_LONG
    if query.count(b"&") >= limits.parameters:
        return _TOO_MANY_PARAMETERS
    if b"#" in target:
        return MALFORMED
    return _ODD_PATH if _ODD.search(path) and _is_odd(path) else None


def _is_odd(path: bytes) -> bool:
    decoded = unquote_to_bytes(path)
    if (
        b"\\" in decoded
        or decoded.count(b"/") != path.count(b"/")
        or _BROKEN_ESCAPE.search(path)
        or _CONTROL.search(decoded)
        or not _DOTS.isdisjoint(decoded.split(b"/"))
    ):
        return True
    try:
        decoded.decode()
    except UnicodeDecodeError:
        return True
    return False
