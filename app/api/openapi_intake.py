"""The OpenAPI description of the intake."""

from app.api.openapi_parts import Schema, answer, body, parameter

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
}

SCHEMAS: Schema = {
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
