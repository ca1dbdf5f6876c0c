"""The OpenAPI description of the pages for people."""

from typing import Any, Final

from app.api.openapi_ours import WIKI
from app.api.openapi_parts import NUMBER, Schema, answer, parameter

_HTML: Final = "text/html"
_TEXT: Final[Schema] = {"type": "string", "maxLength": 200}
_SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_METRIC: Final[Schema] = {"type": "string"}


def _query(name: str, text: str, schema: Schema = _TEXT) -> Schema:
    return parameter(name, schema, text, where="query")


def _page(operation_id: str, summary: str, *parameters: Schema, **others: str) -> Schema:
    told = {status.removeprefix("s"): answer(text, kind=_HTML) for status, text in others.items()}
    return {
        "get": {
            "summary": summary,
            "operationId": operation_id,
            "parameters": list(parameters),
            "responses": {"200": answer("A page.", kind=_HTML), **told},
        }
    }


_INVALID: Final = "What was asked for cannot be, with the reason."
_ABSENT: Final = "Nothing is known of it, with the reason."
_WITHDRAWN: Final = "It was deleted or suppressed; nothing else is told."
_LATER: Final = "Not now, with the reason."

PATHS: Final[Schema] = {
    "/live": _page(
        "showLive",
        "Scored changes as they arrive, as a page; the feed and the lists have the same for programs.",
        _query("wiki", "Database name; all wikis if empty."),
        _query("model", "damaging, or articlequality.FA for a label; any if empty."),
        _query("at_least", "Least probability.", _SHARE),
        _query("namespace", "Numbers, separated by '|'; all if empty."),
        _query("bots", "all, none or only."),
        s400=_INVALID,
        s404=_ABSENT,
        s503=_LATER,
    ),
    "/revision/{wiki_id}/{rev_id}": _page(
        "showRevision",
        "What all models say of a revision, as a page.",
        WIKI,
        parameter("rev_id", NUMBER, "Revision id."),
        _query("features", "A model whose features are to be computed, which takes as long as scoring."),
        s400=_INVALID,
        s404=_ABSENT,
        s410=_WITHDRAWN,
        s429="Too much is asked for.",
        s503=_LATER,
    ),
    "/page/{wiki_id}/{page_id}": _page(
        "showPage",
        "The scores of a page's revisions, as a page with a chart.",
        WIKI,
        parameter("page_id", NUMBER, "Page id."),
        _query("show", "What the chart shows: a model, or a model and a label."),
        _query("cursor", "Where to go on."),
        s400=_INVALID,
        s404=_ABSENT,
        s410=_WITHDRAWN,
        s503=_LATER,
    ),
    "/ui/models": _page("showModels", "All models, as a page."),
    "/ui/models/{wiki_id}/{model_name}": _page(
        "showModel",
        "What a model is, how good, and which threshold does what is wanted, as a page.",
        WIKI,
        parameter("model_name", {"type": "string", "minLength": 1}, "Such as damaging, or damaging@0.5.1."),
        _query("label", "Whose threshold is wanted."),
        _query("bound", "A metric that has a bound, such as precision.", _METRIC),
        _query("limit", "The bound.", _SHARE),
        _query("target", "The metric that is to be the best, such as recall.", _METRIC),
        s400=_INVALID,
        s404=_ABSENT,
    ),
    "/status": _page("showStatus", "How far behind this process is, how fast, and what fails, as a page."),
    "/status.json": {
        "get": {
            "summary": "How far behind this process is, how fast, and what fails.",
            "description": "Null, and named in unknown, is what this process does not know: replicas read "
            "no stream, and Kafka keeps the dead letters.",
            "operationId": "getStatus",
            "responses": {"200": answer("The status.", "Status")},
        }
    },
    "/look-up": _page(
        "lookUp",
        "Leads from the forms of the start page to the page of a revision or a page.",
        _query("wiki", "Database name."),
        _query("revision", "Revision id."),
        _query("page", "Page id."),
        s303="There it is.",
        s400=_INVALID,
    ),
}

_NUMBERS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "integer"}}


def _part(properties: dict[str, Any], description: str) -> Schema:
    return {"type": ["object", "null"], "description": description, "properties": properties}


SCHEMAS: Final[Schema] = {
    "Status": {
        "type": "object",
        "required": ["process", "as_of", "is_ready", "reasons", "unknown"],
        "properties": {
            "process": {"type": "string", "enum": ["worker", "replica"]},
            "as_of": {"type": "string", "format": "date-time"},
            "is_ready": {"type": "boolean"},
            "reasons": {"type": "array", "items": {"type": "string"}},
            "notes": {"type": "array", "items": {"type": "string"}},
            "age_seconds": {"type": ["number", "null"], "description": "Of a replica's tables."},
            "rates": {
                "type": "object",
                "description": "Events, scores and requests a second, since somebody asked before; null the "
                "first time.",
                "additionalProperties": {"type": ["number", "null"]},
            },
            "requests": {"type": "object", "properties": {"by_face": _NUMBERS, "failed": _NUMBERS}},
            "feed": {"type": "object", "properties": {"readers": {"type": "integer"}}},
            "stream": _part({"lag_events": _NUMBERS, "events_by_outcome": _NUMBERS}, "Of a worker."),
            "scoring": _part({"processes": {"type": "integer"}}, "Of a worker: the pool and its queue."),
            "on_demand": _part({"revisions_waiting": {"type": "integer"}}, "Of a worker."),
            "wikis": _part({}, "As of /lag, by wiki; null while the tables are not complete."),
            "tables": _part({"tables": {"type": "object"}, "recovering": {"type": "array"}}, "What is here."),
            "dead_letters": {
                "type": ["array", "null"],
                "description": "The newest events that were set aside, without what they hold.",
                "items": {
                    "type": "object",
                    "properties": {
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                        "source_topic": {"type": "string"},
                        "source_partition": {"type": "integer"},
                        "source_offset": {"type": "integer"},
                        "dt": {"type": "string", "format": "date-time"},
                    },
                },
            },
            "errors": {"type": "array", "items": {"type": "object"}},
            "unknown": {"type": "array", "items": {"type": "string"}},
        },
    }
}
