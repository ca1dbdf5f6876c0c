"""Routes are found among those that begin as a path does, and answered as Starlette answers them."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from app.api.routing import SegmentRouter


async def _told(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.method} {sorted(request.path_params.items())}")


PATHS = {
    "/": ["GET"],
    "/v3/scores/{wiki_id}": ["GET"],
    "/v3/scores/{wiki_id}/{rev_id}": ["POST"],
    "/v3/{anything}/{wiki_id}/{rev_id}": ["GET"],
    "/scores": ["GET"],
}


async def _answer(app: Starlette, method: str, path: str) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    address = {"scheme": "http", "server": ("host", 80), "root_path": "", "query_string": b"a=b"}
    scope = {"type": "http", "method": method, "path": path, "headers": [(b"host", b"host")], **address}
    await app(scope, receive, send)
    return sent


async def test_each_request_is_answered_as_by_starlettes_own_router() -> None:
    routes = [Route(path, _told, methods=methods) for path, methods in PATHS.items()]
    ours, theirs = Starlette(), Starlette(routes=routes)
    ours.router = SegmentRouter(routes)
    asked = ["/", "/v3", "/v3/scores/enwiki", "/v3/scores/enwiki/1", "/scores", "/scores/", "/scores/x", "/x"]
    asked += ["", "//", "//v3/scores/enwiki", "/v3//enwiki/1", "v3/scores/enwiki", "/v3/scores/enwiki/1/"]
    statuses = set()
    for path in asked:
        for method in ("GET", "HEAD", "POST", "DELETE"):
            mine = await _answer(ours, method, path)
            assert mine == await _answer(theirs, method, path), (method, path)
            statuses.add(mine[0]["status"])
    assert statuses == {200, 307, 404, 405}


def test_a_route_that_begins_with_a_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with a parameter"):
        SegmentRouter([Route("/{wiki_id}/scores", _told)])
