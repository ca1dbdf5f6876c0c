"""What web pages of other hosts may ask: no answer depends on a cookie, so they may read what anybody may."""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

ANY_ORIGIN: Final[Mapping[str, str]] = {"access-control-allow-origin": "*"}
EXPOSED: Final[Mapping[str, str]] = {
    "access-control-expose-headers": "age, etag, last-modified, ratelimit, ratelimit-policy, retry-after"
}
_DAY_SECONDS: Final = 86_400
_HEADERS: Final = (
    "accept, api-user-agent, authorization, cache-control, content-type, if-modified-since, if-none-match, "
    "last-event-id, user-agent, x-request-id"
)
# Events are put in by programs that hold a token, and rows are asked for by workers: no page does either.
_CLOSED: Final = ("/v1/events", "/peers/")


def preflight(scope: Scope, routes: Iterable[Route]) -> Response:
    """Answer OPTIONS: the methods of the path, and to pages what they may send.

    Args:
        scope: Of the request.
        routes: All that there are.
    """
    path: str = scope["path"]
    methods = methods_of(path, routes) or ["GET", "HEAD", "POST"]
    headers = {"allow": ", ".join((*methods, "OPTIONS"))}
    if not path.startswith(_CLOSED):
        headers |= {
            **ANY_ORIGIN,
            "access-control-allow-methods": ", ".join(methods),
            "access-control-allow-headers": _HEADERS,
            "access-control-max-age": str(_DAY_SECONDS),
        }
    return Response(status_code=204, headers=headers)


def methods_of(path: str, routes: Iterable[Route]) -> list[str]:
    """Return the methods that a path answers to, sorted; none where it has no route."""
    asked: Scope = {"type": "http", "path": path.rstrip("/") or "/", "method": "OPTIONS", "root_path": ""}
    found = (route.methods or set() for route in routes if route.matches(asked)[0] is not Match.NONE)
    return sorted(set[str]().union(*found))
