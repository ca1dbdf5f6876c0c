"""What all endpoints share: time taken, errors in the face's envelope, headers, bounded bodies."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.api.age import begin_age, end_age
from app.api.cors import ANY_ORIGIN
from app.api.documents import compact, pretty
from app.api.errors import BodyTooLarge, Failure, defect
from app.metrics import FaceCounters
from app.tracing import AnsweredRequest, RequestTracing
from models.trace import CARRIED, Trace
from schemas.errors import RevstreamError

BODY_BYTES = 1 << 20

Handler = Callable[[Request], Awaitable[Response]]


class BesideHandler(Struct, frozen=True):
    """What answers some of the GET requests to a path where another face answers the rest.

    Attributes:
        handler: Answers.
        is_meant: Tells which requests those are.
    """

    handler: Handler
    is_meant: Callable[[Request], bool]


_log = structlog.get_logger(__name__)


def endpoint(
    handler: Handler,
    *,
    counters: FaceCounters,
    envelope: Callable[[RevstreamError], Failure],
    headers: Mapping[str, str],
    clock: Callable[[], float],
    refusal: Callable[[Request, Failure], Response] | None = None,
    tracing: RequestTracing | None = None,
    face: str = "",
) -> Handler:
    """Return a handler that never raises, and whose requests are counted and logged at debug level.

    Args:
        handler: Answers, or raises an error of the typed tree.
        counters: Of the face that it belongs to.
        envelope: Shows an error the way that the clients of the face expect.
        headers: Added to every answer that does not set them, beside those for CORS.
        clock: Seconds for durations.
        refusal: Makes the answer that shows an error; compact JSON if None.
        tracing: Traces the requests; None where nothing does.
        face: What traces call the face.
    """

    def refused(request: Request, error: RevstreamError) -> Response:
        failure = envelope(error)
        return failure_response(failure) if refusal is None else refusal(request, failure)

    async def answered(request: Request, trace: Trace | None = None) -> Response:
        started = clock()
        age, token = begin_age()
        try:
            response = await handler(request)
        except RevstreamError as error:
            response = refused(request, error)
            # Who gathered errors on the way is held by their frames in turn. Under a flood of refusals the
            # collector would find a hundred objects of each, and hold up the loop for as long.
            error.__traceback__ = None
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception:
            _log.exception("request_failed", path=request.scope["path"][:200])
            response = refused(request, defect())
        finally:
            end_age(token)
        response.headers.update(ANY_ORIGIN)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        if age.seconds is not None:
            response.headers["age"] = str(int(age.seconds))
        seconds = clock() - started
        counters.count(response.status_code, seconds)
        log_request(request, response.status_code, seconds, trace)
        return response

    if tracing is None:
        return answered

    async def traced(request: Request) -> Response:
        trail = tracing.begin_request(request.headers)
        token = CARRIED.set(trail.trace)
        status = 500
        try:
            response = await answered(request, trail.trace)
            status = response.status_code
        finally:
            CARRIED.reset(token)
            told = AnsweredRequest(request.method, face, status, request.headers.get("x-request-id"))
            tracing.request_answered(trail, told)
        return response

    return traced


def log_request(request: Request, status: int, seconds: float, trace: Trace | None = None) -> None:
    """Log the one line of a request, at debug level.

    Args:
        request: That was answered.
        status: Of the answer.
        seconds: That it took.
        trace: That it is part of; None without one.
    """
    _log.debug(
        "request",
        method=request.method,
        path=request.scope["path"][:200],
        status=status,
        seconds=round(seconds, 6),
        request_id=request.headers.get("x-request-id"),
        **({} if trace is None else {"trace_id": trace.trace_id}),
    )


def beside(handler: Handler, other: Handler, is_other: Callable[[Request], bool]) -> Handler:
    """Return a handler that leaves some requests to another one."""

    async def handle(request: Request) -> Response:
        return await (other if is_other(request) else handler)(request)

    return handle


def json_response(
    document: dict[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    is_pretty: bool = False,
) -> Response:
    """Return a document as an HTTP answer."""
    body = pretty(document) if is_pretty else compact(document)
    return Response(body, status, dict(headers or {}), "application/json")


def failure_response(failure: Failure) -> Response:
    """Return an error as an HTTP answer."""
    return json_response(failure.document, status=failure.status, headers=failure.headers)


async def read_body(request: Request, limit_bytes: int = BODY_BYTES) -> bytes:
    """Return the body of a request.

    Raises:
        BodyTooLarge: It goes beyond the limit; the rest is not read.
    """
    parts: list[bytes] = []
    size_bytes = 0
    async for part in request.stream():
        size_bytes += len(part)
        if size_bytes > limit_bytes:
            raise BodyTooLarge(
                f"The body is larger than the {limit_bytes} bytes that are read of it. Send less at a time; "
                "where a route reads more, announce the length of the body.",
                limit_bytes=limit_bytes,
            )
        parts.append(part)
    return b"".join(parts)
