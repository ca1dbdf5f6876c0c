"""The description of the lists of scores and of the push feed."""

from typing import Final

from app.api.lists import LIMIT, LIMIT_MOST
from app.api.openapi_parts import Schema, answer, parameter

_ID = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_WIKI = parameter("wiki_id", {"type": "string"}, "Database name, such as enwiki.")
_LIMIT = parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": LIMIT_MOST, "default": LIMIT},
    "Most revisions in one answer.",
    where="query",
)
_CURSOR = parameter("cursor", {"type": "string"}, "Where to go on: next of the answer before.", where="query")
_FILTERS = [
    parameter(
        "score",
        {"type": "array", "items": {"type": "string"}, "maxItems": 8},
        "What a score must say; given several times, all of it. damaging>0.9 is about the probability of "
        "true, articlequality.FA>=0.5 about that of a label, with < and <= as well; articlequality=FA about "
        "the prediction. Encode > as %3E, < as %3C, = as %3D; a + or & in a label as well.",
        where="query",
    ),
    parameter("namespace", {"type": "string"}, "Numbers, separated by '|'; all if absent.", where="query"),
    parameter(
        "bots",
        {"type": "string", "enum": ["all", "none", "only"], "default": "all"},
        "Whose revisions are wanted. Whoever is not known to be a bot is none.",
        where="query",
    ),
]
_SINCE = parameter(
    "since",
    {"type": "string", "format": "date-time"},
    "Only revisions saved at that time or later.",
    where="query",
)
_AGE = {
    "Age": {
        "description": "On replicas: what the stream held that many seconds ago is in the tables.",
        "schema": {"type": "integer"},
    }
}
_REFUSALS = {
    "400": answer("A parameter is malformed or unknown.", "Error"),
    "404": answer("The wiki or a model is unknown.", "Error"),
    "503": answer("The tables are not complete yet.", "Error"),
}

PATHS: Final[Schema] = {
    "/pages/{wiki_id}/{page_id}/history": {
        "get": {
            "summary": "The stored scores of a page's revisions, the newest first.",
            "operationId": "getPageHistory",
            "parameters": [_WIKI, parameter("page_id", _ID, "Page id."), _LIMIT, _CURSOR],
            "responses": {
                "200": {**answer("A part of the history.", "PageHistory"), "headers": _AGE},
                **_REFUSALS,
                "404": answer("Nothing is stored, or the wiki has no models.", "Error"),
                "410": answer("The page was deleted or suppressed, or all that is known of it.", "Error"),
            },
        }
    },
    "/scores/{wiki_id}": {
        "get": {
            "summary": "The newest scored revisions of a wiki that meet a condition.",
            "description": "Asked with at least one of these parameters; without any, the path is that of "
            "ORES's version 1, and tells of the wiki's models. A worker tells of the partitions that it "
            "holds, a replica of all. An answer may have fewer revisions than asked for, and still a next.",
            "operationId": "getNewest",
            "parameters": [_WIKI, *_FILTERS, _SINCE, _LIMIT, _CURSOR],
            "responses": {
                "200": {**answer("A part of the list.", "NewestOrOres"), "headers": _AGE},
                **_REFUSALS,
                "404": answer("The wiki has no models.", "ErrorOrOres"),
            },
        }
    },
    "/feed": {
        "get": {
            "summary": "Scores as they become visible, as server-sent events that can be resumed.",
            "description": "Events: score, with a ListedRow; withdrawn, with the ids of what is to be "
            "forgotten; gap, where something was missed that is not known any more; end, with the reason.",
            "operationId": "readFeed",
            "parameters": [
                parameter(
                    "wiki", {"type": "string"}, "Wikis, separated by '|'; all if absent.", where="query"
                ),
                *_FILTERS,
                {**_SINCE, "description": "Only revisions saved since then; those known are told at once."},
                parameter("last_event_id", {"type": "string"}, "As the header Last-Event-ID.", where="query"),
                parameter("Last-Event-ID", {"type": "string"}, "Where to go on.", where="header"),
            ],
            "responses": {"200": answer("Events.", kind="text/event-stream"), **_REFUSALS},
        }
    },
}

_ROWS = {"type": "array", "items": {"$ref": "#/components/schemas/ListedRow"}}
_NEXT = {"type": ["string", "null"], "description": "The cursor of the rest; null at the end."}

SCHEMAS: Final[Schema] = {
    "NewestOrOres": {
        "anyOf": [
            {"$ref": "#/components/schemas/Newest"},
            {"type": "object", "required": ["models"], "properties": {"models": {"type": "object"}}},
        ]
    },
    "ListedRow": {
        "allOf": [{"$ref": "#/components/schemas/Row"}],
        "required": ["namespace_id", "is_bot"],
        "properties": {
            "namespace_id": {"type": ["integer", "null"], "description": "Null where no event told it."},
            "is_bot": {"type": ["boolean", "null"], "description": "Null where no event told it."},
        },
    },
    "PageHistory": {
        "type": "object",
        "required": ["wiki_id", "page_id", "revisions", "next"],
        "properties": {
            "wiki_id": {"type": "string"},
            "page_id": _ID,
            "revisions": _ROWS,
            "next": _NEXT,
        },
    },
    "Newest": {
        "type": "object",
        "required": ["wiki_id", "revisions", "next"],
        "properties": {"wiki_id": {"type": "string"}, "revisions": _ROWS, "next": _NEXT},
    },
}
