"""Whether the process turns, is ready, and what it counted."""

from msgspec import to_builtins
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.conditional import conditional_response
from app.api.documents import Document
from app.api.endpoint import Handler, json_response
from app.api.openapi import document
from app.api.viewer import view
from app.metrics import CONTENT_TYPE, Face

_CACHE_SECONDS = 300


class OperationsFace:
    """Handlers of the index, the description, health and metrics."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {
            "/": (Face.OPERATIONS, self._index),
            "/openapi.json": (Face.OPERATIONS, self._openapi),
            "/docs": (Face.OPERATIONS, view),
            "/healthz": (Face.OPERATIONS, self._healthz),
            "/readyz": (Face.OPERATIONS, self._readyz),
            "/metrics": (Face.OPERATIONS, self._metrics),
        }

    async def _index(self, request: Request) -> Response:
        paths = document()["paths"]
        summaries = {
            path: {method.upper(): operation["summary"] for method, operation in operations.items()}
            for path, operations in paths.items()
        }
        told = {
            "status": "alive",
            "name": "revstream",
            "description": "/openapi.json",
            "viewer": "/docs",
            "routes": summaries,
        }
        return conditional_response(request, told, cache_seconds=_CACHE_SECONDS)

    async def _openapi(self, request: Request) -> Response:
        return conditional_response(request, document(), cache_seconds=_CACHE_SECONDS)

    async def _healthz(self, _: Request) -> Response:
        return json_response({"status": "ok"})

    async def _readyz(self, _: Request) -> Response:
        freshness = self._resources.reader.freshness()
        reasons = list(self._resources.readiness())
        if not freshness.is_ready:
            reasons.extend(freshness.reasons)
        recovering = [to_builtins(one) for one in self._resources.progress()]
        if reasons:
            return json_response(
                {"status": "not ready", "reasons": reasons, "recovering": recovering}, status=503
            )
        state: Document = {
            "status": "ready",
            "age_seconds": freshness.age_seconds,
            "notes": freshness.reasons,
            "recovering": recovering,
        }
        return json_response(state)

    async def _metrics(self, _: Request) -> Response:
        return Response(self._resources.metrics.text(), headers={"content-type": CONTENT_TYPE})
