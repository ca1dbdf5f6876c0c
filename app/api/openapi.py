"""The description of the API in OpenAPI 3.1, kept by hand beside the routes; a test holds them together."""

from app.api import (
    openapi_intake,
    openapi_kserve,
    openapi_liftwing,
    openapi_lists,
    openapi_ores,
    openapi_ores_v3,
)
from app.api.openapi_parts import Schema, answer, parameter

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_LABELS = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}
_PREDICTION = {
    "description": "A boolean of a binary model, a label of a multiclass one, labels of a multilabel one.",
    "oneOf": [
        {"type": "boolean"},
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
    ],
}


def document() -> Schema:
    """Return the whole description; ready to be shown as JSON."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "revstream",
            "version": "1",
            "description": "Scores of wiki revisions: our own face, ORES version 3, and Lift Wing. A path "
            "may end in a slash. Every answer allows every origin (CORS).",
        },
        "paths": {
            **_OUR_PATHS,
            **openapi_lists.PATHS,
            **openapi_ores_v3.PATHS,
            **openapi_ores.paths(),
            **openapi_liftwing.PATHS,
            **openapi_kserve.PATHS,
            **openapi_intake.PATHS,
            **_OPERATIONS_PATHS,
        },
        "components": {
            "schemas": {
                **_SCHEMAS,
                **openapi_lists.SCHEMAS,
                **openapi_ores.schemas(),
                **openapi_liftwing.SCHEMAS,
                **openapi_kserve.SCHEMAS,
                **openapi_intake.SCHEMAS,
            }
        },
    }


_WIKI = parameter("wiki_id", {"type": "string"}, "Database name, such as enwiki.")
_REVISION = parameter("rev_id", _NUMBER, "Revision id.")
_PROVENANCE = parameter(
    "provenance",
    {"type": "string", "enum": ["0", "1"]},
    "1: tell where each score came from, and how old the tables may be.",
    where="query",
)
_STORED_ANSWERS = {
    "200": {
        **answer("The stored scores.", "Row"),
        "headers": {
            "Age": {
                "description": "On replicas, and from a standby: what the stream held that many seconds ago "
                "is in the tables.",
                "schema": {"type": "integer"},
            }
        },
    },
    "400": answer("A parameter is malformed or unknown.", "Error"),
    "404": answer("Nothing is stored, or the wiki has no models.", "Error"),
    "410": answer("The revision or its page was deleted, hidden or suppressed.", "Error"),
    "503": answer("The tables are not complete yet.", "Error"),
}

_OUR_PATHS: Schema = {
    "/scores/{wiki_id}/{rev_id}": {
        "get": {
            "summary": "The stored scores of a revision.",
            "operationId": "getRevision",
            "parameters": [_WIKI, _REVISION, _PROVENANCE],
            "responses": _STORED_ANSWERS,
        }
    },
    "/pages/{wiki_id}/{page_id}": {
        "get": {
            "summary": "The stored scores of the latest scored revision of a page.",
            "operationId": "getPage",
            "parameters": [_WIKI, parameter("page_id", _NUMBER, "Page id."), _PROVENANCE],
            "responses": _STORED_ANSWERS,
        }
    },
}

_OPERATIONS_PATHS: Schema = {
    "/": {
        "get": {
            "summary": "The routes.",
            "operationId": "index",
            "responses": {"200": answer("Path to method to summary.")},
        }
    },
    "/openapi.json": {
        "get": {
            "summary": "This description.",
            "operationId": "openapi",
            "responses": {"200": answer("OpenAPI 3.1.")},
        }
    },
    "/healthz": {
        "get": {
            "summary": "Whether the process turns.",
            "operationId": "healthz",
            "responses": {"200": answer("It does.")},
        }
    },
    "/readyz": {
        "get": {
            "summary": "Whether the process is ready for requests.",
            "operationId": "readyz",
            "responses": {
                "200": answer("It is, and how old its tables may be.", "Readiness"),
                "503": answer("Not now, for the reasons named.", "Readiness"),
            },
        }
    },
    "/metrics": {
        "get": {
            "summary": "Metrics for Prometheus.",
            "operationId": "metrics",
            "responses": {"200": answer("Prometheus's text form.", kind="text/plain")},
        }
    },
}

_CODE_AND_MESSAGE = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}
_SCORE = {
    "type": "object",
    "required": ["prediction", "probability"],
    "properties": {"prediction": _PREDICTION, "probability": _LABELS},
}

_SCHEMAS: Schema = {
    "Row": {
        "type": "object",
        "required": ["wiki_id", "page_id", "rev_id", "rev_dt", "scores"],
        "properties": {
            "wiki_id": {"type": "string"},
            "page_id": _NUMBER,
            "rev_id": _NUMBER,
            "rev_dt": {"type": "string", "format": "date-time"},
            "scores": {
                "type": "object",
                "description": "By model name: a score or an error.",
                "additionalProperties": {"$ref": "#/components/schemas/StoredScore"},
            },
            "freshness": {
                "type": "object",
                "properties": {
                    "age_seconds": {"type": ["number", "null"], "minimum": 0},
                    "reasons": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
    "StoredScore": {
        "type": "object",
        "required": ["model_version"],
        "properties": {
            "model_version": {"type": "string"},
            "prediction": _PREDICTION,
            "probability": _LABELS,
            "error": _CODE_AND_MESSAGE,
            "provenance": {
                "type": "object",
                "properties": {
                    "model_sha512": {"type": "string"},
                    "event_id": {"type": "string"},
                    "source_topic": {"type": "string"},
                    "source_partition": {"type": "integer"},
                    "source_offset": {"type": "integer"},
                    "event_dt": {"type": "string", "format": "date-time"},
                    "scored_dt": {"type": "string", "format": "date-time"},
                },
            },
        },
    },
    "Error": {"type": "object", "required": ["error"], "properties": {"error": _CODE_AND_MESSAGE}},
    "OresError": {"type": "object", "required": ["error"], "properties": {"error": _CODE_AND_MESSAGE}},
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
    "Readiness": {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"type": "string"},
            "reasons": {"type": "array", "items": {"type": "string"}},
            "notes": {"type": "array", "items": {"type": "string"}},
            "age_seconds": {"type": ["number", "null"]},
            "recovering": {
                "type": "array",
                "description": "Partitions that are being filled, and what is left to read.",
                "items": {
                    "type": "object",
                    "properties": {
                        "table": {"type": "string", "enum": ["revisions", "pages", "places"]},
                        "partition": {"type": "integer"},
                        "role": {"type": "string", "enum": ["owner", "standby"]},
                        "rows_left": {"type": ["integer", "null"]},
                    },
                },
            },
        },
    },
}
