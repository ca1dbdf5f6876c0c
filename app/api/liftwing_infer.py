"""Open Inference, KServe's second protocol: one tensor that holds JSON in, one that holds JSON out."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import orjson

from app.api.documents import Document, compact
from app.api.json_limits import JsonTooLarge, bounded_json
from app.api.liftwing_answer import Answer
from schemas.errors import RequestInvalid

_TENSOR: Final = {"datatype": "BYTES", "shape": [1]}
INPUTS: Final = ({"name": "input", **_TENSOR},)
OUTPUTS: Final = ({"name": "output", **_TENSOR},)

_LONGEST_ID: Final = 255


def parse_infer(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that a request of the first protocol would have.

    Args:
        body: With ``inputs``, of which the first counts: a tensor of type BYTES and shape [1], whose one
            element is a JSON object as text, bare or in a list of its own.

    Raises:
        RequestInvalid: With the texts of Lift Wing, where they are known.
    """
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise RequestInvalid("No inputs in v2 request")
    tensor = inputs[0]
    data = tensor.get("data") if isinstance(tensor, Mapping) else None
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], list):
        data = data[0]
    if not isinstance(data, list) or not data:
        raise RequestInvalid("No data in v2 request input tensor")
    if len(inputs) > 1 or len(data) > 1:
        raise RequestInvalid("This model takes one tensor with one element: a JSON object as text.")
    if not isinstance(data[0], str):
        raise RequestInvalid("Expected string for REST request")
    try:
        document = bounded_json(data[0].encode())
    except (UnicodeEncodeError, orjson.JSONDecodeError, JsonTooLarge) as error:
        raise RequestInvalid("Please verify that request input is a json dict") from error
    if not isinstance(document, dict):
        raise RequestInvalid("Please verify that request input is a json dict")
    return document


def infer_answer(name: str, version: str | None, body: Mapping[str, Any], answer: Answer) -> Answer:
    """Return an answer in the form of the second protocol; a failure stays what it is.

    Args:
        name: Of the model, as the client wrote it.
        version: Of the model; None where several answer under the name.
        body: Of the request, whose ``id`` is given back.
        answer: In the form of the first.
    """
    if answer.status != 200:
        return answer
    text = compact(answer.document if answer.tensor is None else answer.tensor).decode()
    request_id = body.get("id")
    document: Document = {
        "model_name": name,
        **({} if version is None else {"model_version": version}),
        "id": request_id[:_LONGEST_ID] if isinstance(request_id, str) and request_id else str(uuid4()),
        "outputs": [{**OUTPUTS[0], "data": [text]}],
    }
    return Answer(document, headers=answer.headers)
