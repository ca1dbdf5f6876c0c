"""`POST /v1/events`: events from clients, answered as EventGate answers them."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final, Protocol

import msgspec
import structlog
from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from app.api.body_permits import BodyPermits
from app.api.endpoint import Handler
from app.api.errors import FromWebPage, RouteUnknown
from app.api.json_limits import require_bounded
from app.api.loading import Loads
from app.metrics import Face
from app.reloads import Reloading
from schemas.decode import MAX_EVENT_BYTES
from schemas.errors import AccessDenied, EventError, RequestInvalid, RevstreamError
from schemas.posted import PostedEvent, posted_event
from schemas.secret import Secret

PATH: Final = "/v1/events"
_BODY_BYTES: Final = MAX_EVENT_BYTES
# Some thousand events; a text counts as one value, whatever its size.
_MOST_VALUES: Final = 300_000
_REQUEST_ID_CHARACTERS: Final = 255
_CHECKED_AT_ONCE: Final = 50
_NOT_HASTY: Final = frozenset({None, "", "0", "false"})

_log = structlog.get_logger(__name__)
_decode_events = msgspec.json.Decoder(list[Raw]).decode
_decode_event = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


class Intake(Protocol):
    """Takes events into the log that the worker reads."""

    def check(self) -> None:
        """Raise if no events can be taken now.

        Raises:
            NotReady: The worker starts or stops, or too many events wait.
        """
        ...

    async def take(self, events: Sequence[PostedEvent]) -> Sequence[RevstreamError | None]:
        """Return, for each event, None once it is durable, or why it may not be.

        ``RequestInvalid`` is what sending it again does not cure.
        """
        ...


class IntakeAccess(Struct, frozen=True):
    """Who may post events.

    Attributes:
        intake: Takes them; None where the intake is off.
        token: What to show; None where anyone may post who reaches the address.
        absence: What to tell those who post where it is off.
        loads: Takes rows of snapshots; None where the intake is off.
        reloads: Reads rules and models anew; None where the intake is off.
    """

    intake: Intake | None = None
    token: Secret | None = None
    absence: str = "This process takes no events. Post them to a worker whose setting intake is on."
    loads: Loads | None = None
    reloads: Reloading | None = None

    def admit_operator(self, request: Request) -> None:
        """Raise if a request may not tell the process what to do.

        Raises:
            FromWebPage: As `admit`.
            AccessDenied: As `admit`; or there is no token, and it comes from another machine.
        """
        self.admit(request)
        host = "" if request.client is None else request.client.host
        if self.token is None and not _is_this_machine(host):
            raise AccessDenied(
                "Without a token a process is told to restart or reload from its own machine alone. Set one."
            )

    def admit(self, request: Request) -> None:
        """Raise if a request may not post.

        Raises:
            FromWebPage: A browser sent it for a page: such pages reach loopback and private networks.
            AccessDenied: It shows no token, or another one.
        """
        if "origin" in request.headers:
            raise FromWebPage("Events are not taken from web pages. Post them from a server.")
        if self.token is not None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not self.token.matches(token.strip().encode("latin-1")):
                raise AccessDenied(
                    "The request shows no token, or another one. Send the header `Authorization: Bearer …` "
                    "with the token of the setting intake_token."
                )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


NO_INTAKE: Final = IntakeAccess()


class _Refused(Struct):
    """One event that was not taken, as EventGate lists it."""

    status: str
    event: Raw
    context: dict[str, Any]


class IntakeFace:
    """The handler of the intake.

    Args:
        access: Who may post, and where it goes.
        clock: Time of day, aware UTC.
    """

    def __init__(self, access: IntakeAccess, clock: Callable[[], datetime]) -> None:
        self._access = access
        self._clock = clock
        self._bodies = BodyPermits(_BODY_BYTES, "Post fewer events at a time.")
        self._hasty: set[asyncio.Task[None]] = set()

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler."""
        return {PATH: (Face.INTAKE, self._post)}

    async def _post(self, request: Request) -> Response:
        """Take the events of one request.

        1. Refuse who may not post, before anything is read. 2. Check that there is room. 3. Read the events.
        4. Check each, and take the good ones. 5. Answer by what became of them.
        """
        intake = self._admitted(request)  # 1
        intake.check()  # 2
        async with self._bodies.reading(request) as body:
            values = _events(body)  # 3
            request_id = (request.headers.get("x-request-id") or "")[:_REQUEST_ID_CHARACTERS] or None
            if request.query_params.get("hasty") not in _NOT_HASTY:
                task = asyncio.create_task(self._take_hastily(intake, values, request_id))
                self._hasty.add(task)
                task.add_done_callback(self._hasty.discard)
                return Response(status_code=202)
            refused = await self._take(intake, values, request_id)  # 4
        return _answer(len(values), refused)  # 5

    def _admitted(self, request: Request) -> Intake:
        access = self._access
        if access.intake is None:
            raise RouteUnknown(access.absence)
        access.admit(request)
        return access.intake

    async def _take(self, intake: Intake, values: Sequence[Raw], request_id: str | None) -> list[_Refused]:
        received_dt = self._clock()
        good: list[tuple[Raw, PostedEvent]] = []
        refused = []
        for number, value in enumerate(values, 1):
            try:
                event = posted_event(bytes(value), received_dt=received_dt, request_id=request_id)
            except EventError as error:
                refused.append(_Refused("invalid", value, {"errors": [_told(error)]}))
            else:
                good.append((value, event))
            if not number % _CHECKED_AT_ONCE:
                await asyncio.sleep(0)
        failures = await intake.take([event for _, event in good]) if good else ()
        for (value, _), failure in zip(good, failures, strict=True):
            if isinstance(failure, RequestInvalid):
                refused.append(_Refused("invalid", value, {"errors": [_told(failure)]}))
            elif failure is not None:
                refused.append(_Refused("error", value, _told(failure)))
        return refused

    async def _take_hastily(self, intake: Intake, values: Sequence[Raw], request_id: str | None) -> None:
        try:
            refused = await self._take(intake, values, request_id)
        except Exception:
            _log.exception("posted_events_failed")
            return
        for one in refused:
            told = one.context["errors"][0] if one.status == "invalid" else one.context
            _log.warning(f"posted_event_{one.status}", code=told["code"], reason=told["message"])


def _events(body: bytes) -> list[Raw]:
    """Return the events of a body, each as its own JSON.

    Raises:
        RequestInvalid: It is no JSON, neither an object nor a list of objects, or of too many values.
    """
    try:
        str(body, "utf-8")
        require_bounded(body, most_values=_MOST_VALUES)
        if body.lstrip(b" \t\r\n").startswith(b"["):
            values = _decode_events(body)
        else:
            _decode_event(body)
            values = [Raw(body)]
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(
            f"The body is neither one event nor a list of events in JSON: {error}. Correct it, and send it "
            "as application/json."
        ) from error
    if not values:
        raise RequestInvalid("The body has no events. Send one, or a list of them.")
    return values


def _told(error: RevstreamError) -> dict[str, Any]:
    path = error.fields.get("path")
    told = {"code": error.code, "message": error.message}
    return told | {"path": path} if isinstance(path, str) else told


def _answer(count: int, refused: Sequence[_Refused]) -> Response:
    if not refused:
        return Response(status_code=201)
    by_status: dict[str, list[_Refused]] = {"invalid": [], "error": []}
    for one in refused:
        by_status[one.status].append(one)
    status = 207
    if len(refused) == count:
        status = 503 if by_status["error"] else 400
    headers = {"retry-after": "2"} if status == 503 else None
    return Response(_encode(by_status), status, headers, "application/json")
