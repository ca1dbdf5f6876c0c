"""The OpenAPI description of our own look-ups."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from app.api.batch import CONTENT_TYPE, ON_DEMAND_MOST, BatchRequest
from app.api.openapi_parts import (
    CODE_AND_MESSAGE,
    LABELS,
    NUMBER,
    PREDICTION,
    Schema,
    answer,
    body,
    parameter,
)
from schemas.errors import RevstreamError

_DATE: Final[Schema] = {"type": "string", "format": "date-time"}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}

WIKI: Final = parameter("wiki_id", _NAME, "Database name, such as enwiki.")
CONDITIONS: Final = (
    parameter("If-None-Match", {"type": "string"}, "Tags that the client has.", where="header"),
    parameter("If-Modified-Since", {"type": "string"}, "Counts without tags only.", where="header"),
)
UNCHANGED: Final[Schema] = {"description": "The client has the answer already."}
_REVISION = parameter("rev_id", NUMBER, "Revision id.")
_PAGE = parameter("page_id", NUMBER, "Page id.")
_ASKED = parameter(
    "models",
    {"type": "string", "minLength": 1, "pattern": r"^[^|]+(\|[^|]+)*$"},
    "Names, each perhaps with a version (damaging@0.5.1), separated by '|'; all if absent.",
    where="query",
)
_PROVENANCE = parameter(
    "provenance",
    {"type": "string", "enum": ["0", "1"]},
    "1: tell where each score came from, which versions are stored, and how old the tables may be.",
    where="query",
)


def kept(text: str, schema: str) -> Schema:
    """Return an answer that caches may keep."""
    headers = {
        "ETag": "Of revision, versions and scores; weak where more is shown than it stands for.",
        "Cache-Control": "How long it may be kept.",
    }
    shown = {name: {"description": told, "schema": {"type": "string"}} for name, told in headers.items()}
    return {**answer(text, schema), "headers": shown}


def _stored(what: str, schema: str) -> Schema:
    found = kept(what, schema)
    found["headers"]["Last-Modified"] = {
        "description": "When the last of the scores was made.",
        "schema": {"type": "string"},
    }
    found["headers"]["Age"] = {
        "description": "On replicas, and from a standby: what the stream held that many seconds ago is "
        "in the tables.",
        "schema": {"type": "integer"},
    }
    return {
        "200": found,
        "304": UNCHANGED,
        "400": answer("A parameter is malformed or unknown.", "Error"),
        "404": answer("Nothing is stored, or the wiki has no models.", "Error"),
        "410": answer("The revision or its page was deleted, hidden or suppressed.", "Error"),
        "503": answer("The tables are not complete yet.", "Error"),
    }


PATHS: Schema = {
    "/scores": {
        "post": {
            "summary": "The scores of up to 10,000 revisions of any wikis, a JSON line for each.",
            "operationId": "postBatch",
            "description": "Lines are in the order of the revisions. One that fails says why, the others "
            f"stand. With on_demand, up to {ON_DEMAND_MOST} revisions are scored that lack something.",
            "requestBody": body("BatchRequest"),
            "responses": {
                "200": {
                    "description": "A BatchLine and a line end for each revision.",
                    "content": {CONTENT_TYPE: {"x-itemSchema": {"$ref": "#/components/schemas/BatchLine"}}},
                },
                "400": answer("The body is no batch, or asks for too much.", "Error"),
                "413": answer("The body is too large.", "Error"),
            },
        }
    },
    "/scores/{wiki_id}/{rev_id}": {
        "get": {
            "summary": "The stored scores of a revision.",
            "operationId": "getRevision",
            "parameters": [WIKI, _REVISION, _ASKED, _PROVENANCE, *CONDITIONS],
            "responses": {
                **_stored("The stored scores.", "Row"),
                # What is no number is taken for the name of a model by ORES's version 1.
                "404": answer("Nothing is stored, or the wiki has no models.", "ErrorOrOres"),
            },
        }
    },
    "/pages/{wiki_id}/{page_id}": {
        "get": {
            "summary": "The stored scores of the latest scored revision of a page.",
            "operationId": "getPage",
            "parameters": [WIKI, _PAGE, _ASKED, _PROVENANCE, *CONDITIONS],
            "responses": _stored("The stored scores.", "Row"),
        }
    },
}

PATHS |= {
    "/lag": {
        "get": {
            "summary": "How far behind the scores of all wikis are.",
            "operationId": "getLags",
            "responses": {
                "200": answer("By wiki.", "Lags"),
                "400": answer("A parameter is unknown.", "Error"),
                "503": answer("The tables are not complete yet.", "Error"),
            },
        }
    },
    "/lag/{wiki_id}": {
        "get": {
            "summary": "How far behind the scores of a wiki are.",
            "operationId": "getLag",
            "parameters": [WIKI],
            "responses": {
                "200": answer("Of that wiki.", "Lag"),
                "400": answer("A parameter is unknown.", "Error"),
                "404": answer("The wiki has no models.", "Error"),
                "503": answer("The tables are not complete yet.", "Error"),
            },
        }
    },
}


def _codes(kind: type[RevstreamError] = RevstreamError) -> Iterator[str]:
    yield kind.code
    for child in kind.__subclasses__():
        yield from _codes(child)


def _of_types(*types: Any) -> Schema:
    """Return the schemas of structs: what they admit is what is described."""
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        schema["description"] = schema.get("description", "").partition("\n")[0]
    return schemas


SCHEMAS: Final[Schema] = {
    **_of_types(BatchRequest),
    "BatchLine": {
        "type": "object",
        "description": "A row; without its page and time where nothing is stored and all was scored now. "
        "Or an error.",
        "required": ["wiki_id", "rev_id"],
        "properties": {
            "wiki_id": {"type": "string"},
            "rev_id": NUMBER,
            "scores": {
                "type": "object",
                "additionalProperties": {"$ref": "#/components/schemas/StoredScore"},
            },
            "error": {"$ref": "#/components/schemas/ErrorDetails"},
        },
    },
    "Row": {
        "type": "object",
        "required": ["wiki_id", "page_id", "rev_id", "rev_dt", "scores"],
        "properties": {
            "wiki_id": {"type": "string"},
            "page_id": NUMBER,
            "rev_id": NUMBER,
            "rev_dt": _DATE,
            "scores": {
                "type": "object",
                "description": "By model, as it was asked for: a score or an error.",
                "additionalProperties": {"$ref": "#/components/schemas/StoredScore"},
            },
            "versions": {
                "type": "object",
                "description": "The versions of each model by which scores are stored.",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
            "freshness": {
                "type": "object",
                "required": ["age_seconds", "reasons"],
                "properties": {
                    "age_seconds": {"type": ["number", "null"], "minimum": 0},
                    "reasons": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
    "StoredScore": {
        "type": "object",
        "anyOf": [{"required": ["model_version", "prediction", "probability"]}, {"required": ["error"]}],
        "properties": {
            "model_version": {"type": "string"},
            "prediction": PREDICTION,
            "probability": LABELS,
            "error": CODE_AND_MESSAGE,
            "provenance": {
                "type": "object",
                "properties": {
                    "model_sha512": {"type": "string"},
                    "event_id": {"type": "string"},
                    "source_topic": {"type": "string"},
                    "source_partition": {"type": "integer"},
                    "source_offset": {"type": "integer"},
                    "event_dt": _DATE,
                    "scored_dt": _DATE,
                },
            },
        },
    },
    "Lags": {
        "type": "object",
        "required": ["wikis"],
        "properties": {
            "wikis": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Lag"}}
        },
    },
    "Lag": {
        "type": "object",
        "description": "By the newest revision of the wiki that is scored in the tables of this process.",
        "required": ["newest", "age_seconds"],
        "properties": {
            "wiki_id": {"type": "string"},
            "newest": {
                "type": ["object", "null"],
                "required": ["rev_id", "rev_dt", "event_dt", "scored_dt", "delay_seconds", "seconds_since"],
                "properties": {
                    "rev_id": NUMBER,
                    "rev_dt": _DATE,
                    "event_dt": _DATE,
                    "scored_dt": _DATE,
                    "delay_seconds": {"type": "number", "description": "From the event to its last score."},
                    "seconds_since": {"type": "number", "description": "From the revision until now."},
                },
            },
            "age_seconds": {
                "type": ["number", "null"],
                "description": "How old the tables may be; null where the stream ends.",
            },
        },
    },
    "ErrorOrOres": {
        "anyOf": [{"$ref": "#/components/schemas/Error"}, {"$ref": "#/components/schemas/OresError"}]
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {"error": {"$ref": "#/components/schemas/ErrorDetails"}},
    },
    "ErrorDetails": {
        "type": "object",
        "description": "Further fields name what it is about: wiki_id, rev_id, parameter and so on.",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "string", "enum": sorted(set(_codes()))},
            "message": {"type": "string", "description": "What happened, why that may be, what to do."},
            "retry_after_seconds": {
                "type": "integer",
                "description": "Where the same request may succeed later; as Retry-After.",
            },
        },
        "additionalProperties": {"type": ["string", "number"]},
    },
}
