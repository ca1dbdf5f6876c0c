"""The ASGI application: look-ups that storage answers first, then the routes of all faces."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agents.rules.book import RuleBook
from app.api import errors, liftwing, ores, ours
from app.api.answers import Resources
from app.api.attributions import AttributionFace
from app.api.batch import BatchFace
from app.api.clients import ClientLimits, Clients
from app.api.conditional import is_unchanged, of_no_body
from app.api.cors import methods_of, preflight
from app.api.endpoint import Handler, beside, endpoint, log_request
from app.api.feed import FeedFace
from app.api.health import OperationsFace
from app.api.intake import NO_INTAKE, IntakeAccess, IntakeFace
from app.api.jsonp import padded, refusing_other_callbacks
from app.api.lag import LagFace
from app.api.lists import ListFace
from app.api.loads import LoadFace
from app.api.lookup import Lookups
from app.api.models import ModelsFace
from app.api.on_demand import DirectScoring, OnDemand
from app.api.ores_faces import OresFaces, is_ores_path
from app.api.ores_json import ores_refusal
from app.api.peers import PeerFace
from app.api.reload import ReloadFace
from app.api.routing import SegmentRouter
from app.cluster.finder import Finder
from app.cluster.peering import Peering
from app.dead_letters import DeadLetters
from app.feed import Feed
from app.metrics import Face, Metrics
from app.model_monitor import ModelHealth
from app.pages import face as pages
from app.pages.wiki_links import NO_LINKS, WikiLinks
from app.tracing import RequestTracing
from schemas.catalogue import Catalogue
from schemas.errors import RevstreamError
from tables.reader import PredictionReader, Progress

_ENVELOPES: dict[Face, Callable[[RevstreamError], errors.Failure]] = {
    Face.LIFTWING: errors.liftwing,
}
# How errors are shown where that is not as compact JSON.
_REFUSALS: dict[Face, Callable[[Request, errors.Failure], Response]] = {Face.BROWSER: pages.refusal}
_HEADERS = {
    Face.SCORES: ours.HEADERS,
    Face.PAGES: ours.HEADERS,
    Face.BATCH: ours.HEADERS,
    Face.MODELS: ours.HEADERS,
    Face.ORES: ores.HEADERS,
    Face.LIFTWING: liftwing.HEADERS,
}


def create_api(
    *,
    reader: PredictionReader,
    catalogue: Catalogue,
    on_demand: OnDemand | None,
    readiness: Callable[[], Sequence[str]],
    metrics: Metrics,
    direct: DirectScoring | None = None,
    intake: IntakeAccess = NO_INTAKE,
    cluster: Finder | None = None,
    peering: Peering | None = None,
    feed: Feed | None = None,
    progress: Callable[[], Sequence[Progress]] = tuple,
    rules: RuleBook | None = None,
    clients: Clients | None = None,
    cache_seconds: int = 10,
    clock: Callable[[], float] = time.perf_counter,
    ores_legacy_scores: int | None = None,
    wiki_links: WikiLinks = NO_LINKS,
    dead_letters: DeadLetters | None = None,
    health: Callable[[str, str], ModelHealth] | None = None,
    tracing: RequestTracing | None = None,
    logs_requests: bool = False,
) -> "Api":
    """Return the read API as an ASGI application.

    Args:
        reader: Stored predictions, from the worker's tables or from a replica.
        catalogue: The models that are served, by wiki.
        on_demand: Scores what is not stored; None where nothing here can.
        readiness: Returns the names of what the process waits for beyond the reader, empty when ready.
        metrics: Where requests are counted, and what ``/metrics`` shows.
        direct: Scores what requests bring along; None where nothing here can.
        intake: Who may post events, and where they go.
        cluster: Finds what is not in the reader; None where all is.
        peering: What is done for other processes of the cluster; None on replicas.
        feed: Tells of rows as they become visible; None where nothing does.
        progress: Returns what is recovering.
        rules: Which events are scored with which models; None without.
        clients: Knows how much may be scored for whom; None where it is not limited.
        cache_seconds: How long caches may keep answers of our own face.
        clock: Seconds for durations.
        ores_legacy_scores: Scores that one request may ask for where ORES's paths are to answer as
            ores-legacy does; None where they answer as ORES.
        wiki_links: Lead from pages to the wikis.
        dead_letters: Knows the events that were set aside; None where nobody here does.
        health: Returns how a model does now on a wiki; None where nobody here watches.
        tracing: Traces requests that storage does not answer at once; None where nothing does.
        logs_requests: Whether to log those that it does answer at once, too, which costs them time.
    """
    resources = Resources(
        reader,
        catalogue,
        on_demand,
        readiness,
        metrics,
        direct,
        cluster,
        peering,
        progress,
        rules,
        cache_seconds,
        wiki_links,
        dead_letters,
        health,
    )
    metrics.watch_reader(reader.freshness)
    return Api(
        resources,
        clock,
        intake,
        ores_legacy_scores,
        clients,
        feed=feed,
        tracing=tracing,
        logs_requests=logs_requests,
    )


class Api:
    """The application. Build it with `create_api`."""

    def __init__(
        self,
        resources: Resources,
        clock: Callable[[], float],
        intake: IntakeAccess = NO_INTAKE,
        ores_legacy_scores: int | None = None,
        clients: Clients | None = None,
        *,
        feed: Feed | None = None,
        tracing: RequestTracing | None = None,
        logs_requests: bool = False,
    ) -> None:
        self._clock = clock
        self._tracing = tracing
        self._logs_requests = logs_requests
        self._metrics = resources.metrics
        self._ores = OresFaces(resources, ores_legacy_scores)
        self._lookup = Lookups(resources, clock, has_ores=not self._ores.is_legacy).answer
        lists, telling = ListFace(resources), FeedFace(resources, feed)
        loading = LoadFace(intake)
        own = (
            OperationsFace(resources),
            ours.OurFace(resources),
            AttributionFace(resources),
            lists,
            telling,
            loading,
        )
        shown = pages.PagesFace(resources, has_ores=not self._ores.is_legacy)
        faces = (*own, ModelsFace(resources), LagFace(resources), shown, self._ores)
        lift_wing = liftwing.LiftWingFace(resources)
        routes: list[Route] = []
        posting = IntakeFace(intake, lambda: datetime.now(UTC))
        posts = lift_wing.post_routes() | posting.post_routes() | self._ores.post_routes()
        posts |= BatchFace(resources).post_routes() | loading.post_routes() | ReloadFace(intake).post_routes()
        if resources.peering is not None:
            posts |= PeerFace(resources.peering, resources).post_routes()
        for path, (face, handler) in posts.items():
            routes.append(Route(path, self._endpoint(face, handler), methods=["POST"]))
        gets: dict[str, Handler] = {}
        for source in (*faces, lift_wing):
            for path, (face, handler) in source.routes().items():
                gets[path] = self._endpoint(face, handler)
        for face, source in ((Face.BROWSER, shown), (Face.ORES, self._ores)):
            for path, other in source.routes_beside().items():
                gets[path] = beside(gets[path], self._endpoint(face, other.handler), other.is_meant)
        routes += [Route(path, answering, methods=["GET"]) for path, answering in gets.items()]
        self.routes = tuple(routes)
        application = Starlette(exception_handlers={HTTPException: self._no_route})
        application.router = SegmentRouter(routes)
        self._starlette = application if clients is None else ClientLimits(application, clients)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope.get("method")
        if method in {"GET", "HEAD"}:
            started = self._clock()
            try:
                found = self._lookup(scope["path"], scope["query_string"])
            except Exception:
                # The full handler meets the same failure, and shows it in its face's envelope.
                found = None
            if found is not None:
                counters, headers, body, tag, modified = found
                status = 200
                if tag and is_unchanged(scope["headers"], tag, modified):
                    status, headers, body = 304, of_no_body(headers), b""
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                seconds = self._clock() - started
                counters.count(status, seconds)
                if self._logs_requests:
                    log_request(Request(scope), status, seconds)
                return
        elif method == "OPTIONS":
            await preflight(scope, self.routes)(scope, receive, send)
            return
        path = scope.get("path", "")
        if path.endswith("/") and path != "/":
            scope = {**scope, "path": path[:-1]}
        await self._starlette(scope, receive, send)

    def _endpoint(self, face: Face, handler: Handler) -> Handler:
        is_ores = face is Face.ORES
        has_callback = is_ores and not self._ores.is_legacy
        answering = endpoint(
            refusing_other_callbacks(handler) if has_callback else handler,
            counters=self._metrics.faces[face],
            envelope=self._ores.envelope if is_ores else _ENVELOPES.get(face, errors.ours),
            headers=_HEADERS.get(face, {"cache-control": "no-store"}),
            clock=self._clock,
            refusal=ores_refusal if has_callback else _REFUSALS.get(face),
            # Probes and scrapes would be most of all traces.
            tracing=None if face is Face.OPERATIONS else self._tracing,
            face=face.value,
        )
        return padded(answering) if has_callback else answering

    async def _no_route(self, request: Request, error: Exception) -> Response:
        """Answer a path that no route has, or a method that a route does not answer to."""
        refusal = cast(HTTPException, error)

        async def refuse(_: Request) -> Response:
            if refusal.status_code == 405:
                raise errors.MethodNotAllowed(
                    f"{path[:200]} does not answer to {request.method}. GET / lists the routes."
                )
            raise errors.RouteUnknown(f"There is nothing at {path[:200]}. GET / lists the routes.")

        path: str = request.scope["path"]
        face = Face.UNKNOWN
        if is_ores_path(path):
            face = Face.ORES
        elif path.startswith(("/v1/models", "/v2/models", "/v2/health")):
            face = Face.LIFTWING
        response = await self._endpoint(face, refuse)(request)
        if refusal.status_code == 405:
            response.headers["allow"] = ", ".join(methods_of(path, self.routes))
        return response
