"""What one of Lift Wing's models answers, before a protocol gives it its form."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct
from starlette.responses import Response

from app.api.documents import Document
from app.api.endpoint import json_response
from app.api.errors import Failure


class Answer(Struct, frozen=True):
    """An answer to one request.

    Attributes:
        document: JSON of KServe's first protocol.
        status: Of HTTP.
        headers: Further ones.
        tensor: JSON of the second protocol, Open Inference, where the model says something else there.
    """

    document: Document
    status: int = 200
    headers: Mapping[str, str] = {}
    tensor: Document | None = None

    @classmethod
    def failed(cls, failure: Failure) -> "Answer":
        """Return a failure as an answer."""
        return cls(failure.document, failure.status, failure.headers)

    def response(self) -> Response:
        """Return the answer as the first protocol gives it."""
        return json_response(self.document, status=self.status, headers=self.headers)


Predictor = Callable[[Mapping[str, Any]], Awaitable[Answer]]
"""Answers the JSON body of a request, which is all that it knows: nothing of a request outlives it."""
