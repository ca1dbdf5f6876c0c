"""JSON with padding: the answer as a script that calls a function of the page, for pages of before CORS."""

import re

from starlette.requests import Request
from starlette.responses import Response

from app.api.endpoint import Handler
from schemas.errors import RequestInvalid

# Names joined by dots, as in `jQuery123_456` and `mw.scores.show`: nothing that could be more than a name.
_CALLBACK = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*", re.ASCII)
_CALLBACK_CHARACTERS = 128
# JSON, but not JavaScript of before 2019.
_SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def refusing_other_callbacks(handler: Handler) -> Handler:
    """Return a handler that refuses a ``callback`` that is no plain name.

    The handler raises RequestInvalid for those, and so wants an endpoint around it.
    """

    async def handle(request: Request) -> Response:
        callback = request.query_params.get("callback")
        if callback and not _is_safe(callback):
            raise RequestInvalid(
                "The 'callback' is no name of a function: give letters, digits, '_' and '$', joined by dots, "
                f"at most {_CALLBACK_CHARACTERS} characters."
            )
        return await handler(request)

    return handle


def padded(handler: Handler) -> Handler:
    """Return a handler whose JSON answers come as a call of the function that ``callback`` names.

    Errors as well, with the status that they have. Whatever is no JSON goes out as it is.
    """

    async def handle(request: Request) -> Response:
        response = await handler(request)
        callback = request.query_params.get("callback")
        if not callback or not _is_safe(callback) or response.media_type != "application/json":
            return response
        body = bytes(response.body)
        for character, escaped in _SEPARATORS:
            body = body.replace(character, escaped)
        # The comment keeps the beginning of the answer out of the hands of who chose the name.
        response.body = b"/**/" + callback.encode() + b"(" + body + b");"
        response.headers["content-length"] = str(len(response.body))
        response.headers["content-type"] = "application/javascript; charset=utf-8"
        response.headers["x-content-type-options"] = "nosniff"
        return response

    return handle


def _is_safe(callback: str) -> bool:
    return len(callback) <= _CALLBACK_CHARACTERS and _CALLBACK.fullmatch(callback) is not None
