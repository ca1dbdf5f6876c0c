"""`/v1/loaded-rows`: rows of snapshots, from `revstream snapshot load` into the tables; `/v1/restart`."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.endpoint import Handler, json_response, read_body
from app.api.errors import RouteUnknown
from app.api.intake import IntakeAccess
from app.api.loading import Loads
from app.metrics import Face
from schemas.errors import EventUndecodable, RequestInvalid
from schemas.loaded import RECORD_BYTES, decode_loaded

PATH: Final = "/v1/loaded-rows"
RESTART_PATH: Final = "/v1/restart"


class LoadFace:
    """The handlers of the route, for those who may post events.

    Args:
        access: Who may, and what takes the rows.
    """

    def __init__(self, access: IntakeAccess) -> None:
        self._access = access

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer GET."""
        return {PATH: (Face.INTAKE, self._show)}

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {PATH: (Face.INTAKE, self._take), RESTART_PATH: (Face.INTAKE, self._restart)}

    def _admitted(self, request: Request) -> Loads:
        loads = self._access.loads
        if loads is None:
            raise RouteUnknown(self._access.absence)
        self._access.admit(request)
        return loads

    async def _show(self, request: Request) -> Response:
        """Answer how rows have to be cut, and how far those are that were sent."""
        plan = await self._admitted(request).plan()
        return json_response(
            {
                "format_version": plan.format_version,
                "partitions": plan.partitions,
                "partitioner": plan.partitioner,
                "done": {str(partition): offset for partition, offset in sorted(plan.done.items())},
            }
        )

    async def _restart(self, request: Request) -> Response:
        """Have the process begin anew, with what models.yaml says by now."""
        loads = self._admitted(request)
        self._access.admit_operator(request)
        await loads.begin_anew()
        return Response(status_code=202)

    async def _take(self, request: Request) -> Response:
        """Take one record: check that there is room, read it, check it, and put it into the log."""
        loads = self._admitted(request)
        loads.check()
        asked = request.query_params.get("partition", "")
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 10):
            raise RequestInvalid("Name the partition that the rows belong to: ?partition=N.")
        record = await read_body(request, RECORD_BYTES)
        try:
            rows = decode_loaded(record)
        except EventUndecodable as error:
            raise RequestInvalid(error.message) from error
        place = await loads.take(int(asked), rows, record)
        return json_response({"partition": place.partition, "offset": place.offset}, status=201)
