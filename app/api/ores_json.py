"""JSON in ORES's own bytes: keys sorted, numbers as Python prints them, indented unless told otherwise."""

import json
import re
from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.api.documents import Document
from app.api.errors import Failure
from schemas.prediction import Score, ScoredModel

_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
_DELETE = b"\x7f"
# Numbers that Python writes in another way, 1e-05 and 1e+16, have one of these marks in them.
_MARKS = (b"0.0000", b"e-", *(b"e%d" % digit for digit in range(1, 10)))
# They stand at the end of a line, which no text does.
_NUMBER = re.compile(rb"(?<=[: ] |  )-?(?:0\.0000\d+|\d[\d.]*e-?\d+)(?=,?$)", re.MULTILINE)
_LEAST_PLAIN = 0.0001


def ores_json(document: Document, *, is_compact: bool, is_plain: bool = False) -> bytes:
    """Return a document as ORES writes it.

    Args:
        document: Plain values, with text for keys.
        is_compact: On one line.
        is_plain: What the caller knows: numbers look the same however they are written, see `are_plain`.
    """
    if is_compact:
        return json.dumps(document, sort_keys=True).encode()
    body = orjson.dumps(document, option=_OPTIONS)
    if not body.isascii() or (not is_plain and _DELETE in body):
        return json.dumps(document, sort_keys=True, indent=2).encode()
    if is_plain or not any(mark in body for mark in _MARKS):
        return body
    return _NUMBER.sub(_as_python_prints, body)


def are_plain(answers: Mapping[str, ScoredModel]) -> bool:
    """Tell whether answers are scores without features, of probabilities that no exponent is used for."""
    for answer in answers.values():
        outcome = answer.outcome
        if not isinstance(outcome, Score) or answer.features is not None:
            return False
        if min(outcome.probability.values(), default=1) < _LEAST_PLAIN:
            return False
    return True


def ores_response(document: Document, *, is_compact: bool) -> Response:
    """Return a document as an HTTP answer of ORES."""
    return Response(ores_json(document, is_compact=is_compact), media_type="application/json")


def ores_refusal(request: Request, failure: Failure) -> Response:
    """Return an error as an HTTP answer of ORES."""
    is_compact = request.query_params.get("format") == "json"
    body = ores_json(failure.document, is_compact=is_compact)
    return Response(body, failure.status, failure.headers, "application/json")


def _as_python_prints(found: re.Match[bytes]) -> bytes:
    return repr(float(found[0])).encode()
