"""The OpenAPI description of the intake."""

from app.api.openapi_parts import Schema, answer, body, parameter
from schemas.loaded import CONTENT_TYPE

_EVENT = {"type": "object", "description": "Of a stream that is read, by its schema."}

PATHS: Schema = {
    "/v1/events": {
        "post": {
            "summary": "Takes events, one or a list, as EventGate does; on workers, where it is turned on.",
            "operationId": "postEvents",
            "parameters": [
                parameter(
                    "hasty",
                    {"type": "string"},
                    "true: answer before the events are checked and durable.",
                    where="query",
                )
            ],
            "requestBody": body("Events"),
            "responses": {
                "201": {"description": "All events are taken, durably."},
                "202": {"description": "The events may be taken; asked for by hasty."},
                "207": answer("Some events were not taken: these.", "RefusedEvents"),
                "400": answer("No event was valid, or the body is no JSON.", "RefusedEvents"),
                "401": answer("The token is missing, or another one.", "Error"),
                "403": answer("The request comes from a web page.", "Error"),
                "404": answer("This process takes no events.", "Error"),
                "413": answer("The body is too large.", "Error"),
                "503": answer("Not now: starting, stopping, too much waits, or the log fails.", "Error"),
            },
        }
    },
    "/v1/loaded-rows": {
        "get": {
            "summary": "How rows of snapshots are to be cut, and how far they are; for `snapshot load`.",
            "operationId": "getLoadedRows",
            "responses": {
                "200": answer("Partitions, their rule, and how far each is.", "LoadPlan"),
                "401": answer("The token is missing, or another one.", "Error"),
                "403": answer("The request comes from a web page.", "Error"),
                "404": answer("This process takes no rows.", "Error"),
                "503": answer("Not now: starting, or the broker does not tell.", "Error"),
            },
        },
        "post": {
            "summary": "Takes a record of rows of a snapshot, as `snapshot load` makes them.",
            "operationId": "postLoadedRows",
            "parameters": [
                parameter(
                    "partition",
                    {"type": "integer", "minimum": 0},
                    "That all pages in the record are of.",
                    where="query",
                )
                | {"required": True}
            ],
            "requestBody": {
                "required": True,
                "content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
            },
            "responses": {
                "201": answer("The rows are taken, durably.", "LoadPlace"),
                "400": answer("These are no rows, or rows of another partition.", "Error"),
                "401": answer("The token is missing, or another one.", "Error"),
                "403": answer("The request comes from a web page.", "Error"),
                "404": answer("This process takes no rows.", "Error"),
                "413": answer("The record is too large.", "Error"),
                "503": answer("Not now: starting, stopping, or too much waits.", "Error"),
            },
        },
    },
    "/v1/reload": {
        "post": {
            "summary": "Has a process go by what the rules and models.yaml say by now, without a restart.",
            "operationId": "postReload",
            "responses": {
                "200": answer("It goes by them.", "Reloaded"),
                "401": answer("The token is missing, or another one.", "Error"),
                "403": answer("The request comes from a web page.", "Error"),
                "404": answer("The setting intake is off.", "Error"),
                "409": answer("It goes on as it was: they cannot be put in force, and why.", "Error"),
                "503": answer("Not now: starting, or the broker does not answer.", "Error"),
            },
        },
    },
    "/v1/restart": {
        "post": {
            "summary": "Has a worker begin anew in place, with all that is on the disk by now.",
            "operationId": "postRestart",
            "responses": {
                "202": {"description": "It begins anew; who connects meanwhile waits."},
                "401": answer("The token is missing, or another one.", "Error"),
                "403": answer("The request comes from a web page.", "Error"),
                "404": answer("This process takes no rows.", "Error"),
                "503": answer("It goes on as it is: what is on the disk cannot be served.", "Error"),
            },
        },
    },
}

SCHEMAS: Schema = {
    "Reloaded": {
        "type": "object",
        "required": ["config_sha256", "is_changed", "models_added", "models_removed", "rules", "seconds"],
        "properties": {
            "config_sha256": {"type": "string", "description": "Equal where processes go by the same."},
            "is_changed": {"type": "boolean"},
            "models_added": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Artefacts that answer now and did not before.",
            },
            "models_removed": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Artefacts that answered before and do not now.",
            },
            "rules": {"type": "integer", "description": "How many there are."},
            "seconds": {"type": "number"},
        },
    },
    "LoadPlan": {
        "type": "object",
        "required": ["format_version", "partitions", "partitioner", "done"],
        "properties": {
            "format_version": {"type": "integer"},
            "partitions": {"type": "integer"},
            "partitioner": {"type": "string", "enum": ["crc32", "murmur2"]},
            "done": {
                "type": "object",
                "description": "Partition to the offset behind the last record in the tables.",
                "additionalProperties": {"type": "integer"},
            },
        },
    },
    "LoadPlace": {
        "type": "object",
        "required": ["partition", "offset"],
        "properties": {"partition": {"type": "integer"}, "offset": {"type": "integer"}},
    },
    "Events": {"oneOf": [_EVENT, {"type": "array", "minItems": 1, "items": _EVENT}]},
    "RefusedEvents": {
        "type": "object",
        "properties": {
            name: {"type": "array", "items": {"$ref": "#/components/schemas/RefusedEvent"}}
            for name in ("invalid", "error")
        },
    },
    "RefusedEvent": {
        "type": "object",
        "required": ["status", "event", "context"],
        "properties": {
            "status": {"type": "string", "enum": ["invalid", "error"]},
            "event": _EVENT,
            "context": {
                "type": "object",
                "description": "Of an invalid event a list `errors`, else one error: code, message, path.",
            },
        },
    },
}
