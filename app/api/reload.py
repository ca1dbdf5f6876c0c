"""`POST /v1/reload`: rules and models as they are on the disk by now, without a restart."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.api.endpoint import Handler, json_response
from app.api.errors import RouteUnknown
from app.api.intake import IntakeAccess
from app.metrics import Face

PATH: Final = "/v1/reload"


class ReloadFace:
    """The handler of the route, for those who may post events.

    Args:
        access: Who may, and what does it.
    """

    def __init__(self, access: IntakeAccess) -> None:
        self._access = access

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler."""
        return {PATH: (Face.INTAKE, self._reload)}

    async def _reload(self, request: Request) -> Response:
        """Answer what is in force then."""
        access = self._access
        if access.reloads is None:
            raise RouteUnknown(access.absence)
        access.admit_operator(request)
        return json_response(msgspec.to_builtins(await access.reloads.reload()))
