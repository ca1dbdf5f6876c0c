"""Finds the route of a request among those that begin as its path does."""

from collections.abc import Sequence

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send


class SegmentRouter(Router):
    """Starlette's router, which tries one route after the other, over a few of them at a time.

    Args:
        routes: Each begins with a segment without parameters.

    Raises:
        ValueError: One does not.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        super().__init__(routes)
        by_segment: dict[str, list[Route]] = {}
        for route in routes:
            segment = _first_segment(route.path)
            if "{" in segment:
                raise ValueError(
                    f"the route {route.path} begins with a parameter, so that any path may be its"
                )
            by_segment.setdefault(segment, []).append(route)
        self._routers = {segment: Router(those) for segment, those in by_segment.items()}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        router = self._routers.get(_first_segment(scope.get("path", "")))
        if router is None:
            await super().app(scope, receive, send)
        else:
            await router.app(scope, receive, send)


def _first_segment(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""
