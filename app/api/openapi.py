"""The description of the API in OpenAPI 3.1, kept by hand beside the routes; a test holds them together."""

from app.api import (
    openapi_attributions,
    openapi_intake,
    openapi_kserve,
    openapi_liftwing,
    openapi_lists,
    openapi_models,
    openapi_operations,
    openapi_ores,
    openapi_ores_v3,
    openapi_ours,
    openapi_pages,
)
from app.api.openapi_parts import CODE_AND_MESSAGE, LABELS, PREDICTION, Schema, answer


def document() -> Schema:
    """Return the whole description; ready to be shown as JSON."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "revstream",
            "version": "1",
            "description": "Scores of wiki revisions: our own face, ORES's versions, and Lift Wing. A path "
            "may end in a slash. Web pages of every origin may ask (CORS).",
        },
        "paths": _joined(
            openapi_ours.PATHS,
            openapi_attributions.PATHS,
            openapi_lists.PATHS,
            openapi_models.PATHS,
            openapi_ores_v3.PATHS,
            openapi_ores.paths(),
            openapi_liftwing.PATHS,
            openapi_kserve.PATHS,
            openapi_intake.PATHS,
            openapi_operations.PATHS,
            openapi_pages.PATHS,
        ),
        "components": {
            "schemas": {
                **openapi_ours.SCHEMAS,
                **openapi_attributions.SCHEMAS,
                **openapi_models.SCHEMAS,
                **_ORES_SCHEMAS,
                **openapi_lists.SCHEMAS,
                **openapi_ores.schemas(),
                **openapi_liftwing.SCHEMAS,
                **openapi_kserve.SCHEMAS,
                **openapi_intake.SCHEMAS,
                **openapi_operations.SCHEMAS,
                **openapi_pages.SCHEMAS,
            }
        },
    }


def _joined(*sections: Schema) -> Schema:
    """Return the paths of all faces, some of which have a path together, with other methods."""
    joined: Schema = {}
    for section in sections:
        for path, operations in section.items():
            whole = {method: _completed(path, operation) for method, operation in operations.items()}
            joined[path] = {**joined.get(path, {}), **whole}
    return joined


def _completed(path: str, operation: Schema) -> Schema:
    """Return an operation with what holds for all: paths that are refused, and callbacks."""
    responses: Schema = dict(operation["responses"])
    if "{" in path:
        responses["400"] = _with_refused_path(responses.get("400", responses.get("default")))
    if any(each["name"] == "callback" for each in operation.get("parameters", ())):
        responses = {status: _with_script(told) for status, told in responses.items()}
    return {**operation, "responses": responses}


def _with_refused_path(told: Schema | None) -> Schema:
    """Return the answer 400 of a path with parameters: where it holds odd characters, no face is asked."""
    refused = answer("The path holds what no path should.", "Error")
    if told is None:
        return refused
    if "application/json" not in told["content"]:
        return {**told, "content": {**told["content"], **refused["content"]}}
    own = told["content"]["application/json"].get("schema", {})
    error = refused["content"]["application/json"]["schema"]
    if not own or own == error:
        return told
    content = {**told["content"], "application/json": {"schema": {"anyOf": [own, error]}}}
    return {**told, "content": content}


def _with_script(told: Schema) -> Schema:
    """Return an answer that comes as a script where a callback is named."""
    if "application/json" not in told.get("content", {}):
        return told
    script = {"application/javascript": {"schema": {"type": "string"}}}
    return {**told, "content": {**told["content"], **script}}


_SCORE = {
    "type": "object",
    "required": ["prediction", "probability"],
    "properties": {"prediction": PREDICTION, "probability": LABELS},
}

_ORES_SCHEMAS: Schema = {
    "OresError": {"type": "object", "required": ["error"], "properties": {"error": CODE_AND_MESSAGE}},
    "OresScores": {
        "type": "object",
        "description": "By wiki.",
        "additionalProperties": {
            "type": "object",
            "required": ["models"],
            "properties": {
                "models": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "properties": {"version": {"type": "string"}},
                    },
                },
                "scores": {
                    "type": "object",
                    "description": "By revision, then by model name.",
                    "additionalProperties": {
                        "type": "object",
                        "additionalProperties": {"$ref": "#/components/schemas/OresScore"},
                    },
                },
            },
        },
    },
    "OresScore": {
        "type": "object",
        "properties": {
            "score": _SCORE,
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
            },
            "features": {"type": "object"},
        },
    },
}
