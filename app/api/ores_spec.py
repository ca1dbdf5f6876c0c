"""ORES's three versions in Swagger 2.0, as clients of its ``/vN/spec/`` read them."""

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]

VERSIONS = (1, 2, 3)
_PLACES = {
    "context": ("string", "Database name of the wiki, such as enwiki."),
    "model": ("string", "Name of a model, such as damaging."),
    "revid": ("integer", "Revision id."),
}
# In versions 1 and 2 the model comes before the revision, in version 3 after it.
_PATHS = {
    1: ("{context}", "{context}/{model}", "{context}/{model}/{revid}"),
    2: ("{context}", "{context}/{model}", "{context}/{model}/{revid}"),
    3: ("{context}", "{context}/{revid}", "{context}/{revid}/{model}"),
}
_SUMMARIES = {
    "{context}": "Scores of several revisions by several models; without revids, what models there are.",
    "{context}/{model}": "Scores of several revisions by one model; without revids, what the model is.",
    "{context}/{model}/{revid}": "The score of one revision by one model.",
    "{context}/{revid}": "Scores of one revision by several models.",
    "{context}/{revid}/{model}": "The score of one revision by one model.",
}
_MODELS = ("models", "Names of models, separated by '|'; all models if absent.")
_REVIDS = ("revids", "Revision ids, separated by '|'.")
_MODEL_INFO = (
    "model_info",
    "What to tell of the models: paths such as statistics.thresholds.true, separated by '|'; the usual if "
    "empty.",
)
_FEATURES = ("features", "Present, with any value: show the values that the score was made from as well.")
_INJECT = (
    "inject",
    "Values to score with, in place of the revision's own: JSON, revision id to name to value. One value for "
    "all revisions is given as feature.NAME or datasource.NAME, in JSON.",
)
_FORMAT = ("format", "json: without white space.")
_CALLBACK = ("callback", "Answer with a script that calls the function of this name.")
_OVERLOADED = "Too much is waiting to be scored. Retry-After says when to ask again."
_TITLES = {
    1: "Scores of wiki revisions, version 1 of ORES",
    2: "Scores of wiki revisions, version 2 of ORES",
    3: "Scores of wiki revisions, version 3 of ORES",
}


def swagger(version: int) -> Spec:
    """Return the description of one version; ready to be shown as JSON.

    Host and scheme are left out, so that they are those under which the description was found.

    Args:
        version: One of `VERSIONS`.
    """
    return {
        "swagger": "2.0",
        "info": {"title": _TITLES[version], "version": str(version)},
        "basePath": "/",
        "produces": ["application/json"],
        "paths": dict(_paths(version)),
        "definitions": _definitions(version),
    }


def _paths(version: int) -> Iterator[tuple[str, Spec]]:
    information = () if version == 1 else (_MODEL_INFO,)
    yield f"/v{version}/scores/", {"get": _operation("The wikis that have models.", (), information)}
    for path in _PATHS[version]:
        places = tuple(part[1:-1] for part in path.split("/"))
        parameters = information
        if "model" not in places:
            parameters = (_MODELS, *parameters)
        if "revid" not in places:
            parameters = (_REVIDS, *parameters)
        if version > 1:
            parameters = (*parameters, _FEATURES)
        operation = _operation(_SUMMARIES[path], places, (*parameters, _INJECT))
        methods: Spec = {"get": operation}
        if version == 3 or "revid" in places:
            methods["post"] = _with_form(operation)
        yield f"/v{version}/scores/{path}", methods
    if version > 1:
        yield f"/v{version}/precache", _precache(version)


def _operation(summary: str, places: tuple[str, ...], queries: tuple[tuple[str, str], ...]) -> Spec:
    path = [
        {"name": name, "in": "path", "required": True, "type": kind, "description": text}
        for name, (kind, text) in ((name, _PLACES[name]) for name in places)
    ]
    query = [
        {"name": name, "in": "query", "required": False, "type": "string", "description": text}
        for name, text in (*queries, _FORMAT, _CALLBACK)
    ]
    return {
        "summary": summary,
        "tags": ["scoring"],
        "parameters": path + query,
        "responses": {
            "200": _answer("The document; a revision that cannot be scored has an error in a score's place."),
            "503": _answer(_OVERLOADED),
            "default": _answer("The request was refused as a whole."),
        },
    }


def _with_form(operation: Spec) -> Spec:
    """Return an operation whose parameters are sent as a form."""
    parameters = [
        {**parameter, "in": "formData"} if parameter["in"] == "query" else parameter
        for parameter in operation["parameters"]
    ]
    return {**operation, "consumes": ["application/x-www-form-urlencoded"], "parameters": parameters}


def _precache(version: int) -> Spec:
    text = "A revision-create event, as JSON: it is scored by the models that are set to score such events."
    place: Spec = {"in": "body", "schema": {"type": "object"}}
    if version == 2:
        place = {"in": "query", "type": "string"}
    return {
        "get" if version == 2 else "post": {
            "summary": "Score the revision of an event ahead of the questions.",
            "tags": ["scoring"],
            "parameters": [{"name": "event", "required": True, "description": text, **place}],
            "responses": {
                "200": _answer("The scores."),
                "204": {"description": "No model is set to score such an event."},
                "503": _answer(_OVERLOADED),
                "default": _answer("The request was refused as a whole."),
            },
        }
    }


def _answer(text: str) -> Spec:
    return {"description": text, "schema": {"$ref": "#/definitions/ResponseDocument"}}


def _definitions(version: int) -> Spec:
    definitions = {
        "ErrorDocument": _ERROR,
        "ModelInfoDocument": _MODEL,
        "ResponseDocument": _RESPONSES[version],
    }
    if version == 1:
        return definitions
    definitions["ScoreErrorDocument"] = _SCORE_ERROR
    error = {"$ref": "#/definitions/ScoreErrorDocument"}
    if version == 2:
        definitions["ScoreDocument"] = {**_SCORE, "properties": {**_SCORE["properties"], "error": error}}
        return definitions
    features = {"type": "object", "description": "Values that the score was made from, by name."}
    definitions["ScoreDocument"] = {
        "type": "object",
        "properties": {"score": _SCORE, "error": error, "features": features},
    }
    return {**definitions, "RevisionDocument": _by_name("ScoreDocument", "Model name to score.")}


def _by_name(name: str, text: str) -> Spec:
    return {
        "type": "object",
        "description": text,
        "additionalProperties": {"$ref": f"#/definitions/{name}"},
    }


_SCORE: Spec = {
    "type": "object",
    "properties": {
        "prediction": {"description": "A boolean, a label, or a list of labels, by the kind of the model."},
        "probability": {
            "type": "object",
            "description": "Label to probability.",
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
        },
    },
}
_TEXT = {"type": "string"}
_ERROR: Spec = {
    "type": "object",
    "description": "Why the whole request was refused.",
    "properties": {"code": _TEXT, "message": _TEXT},
}
_SCORE_ERROR: Spec = {
    "type": "object",
    "description": "Why one model gave no score of one revision.",
    "properties": {"type": _TEXT, "message": _TEXT},
}
_MODEL: Spec = {
    "type": "object",
    "description": "What is told of a model.",
    "properties": {
        "type": _TEXT,
        "version": _TEXT,
        **{name: {"type": "object"} for name in ("params", "environment", "statistics", "score_schema")},
    },
}
_REFUSAL = {"$ref": "#/definitions/ErrorDocument"}
_RESPONSES: dict[int, Spec] = {
    1: {
        "type": "object",
        "description": "Revision id to model name to score. Where the path names the model: revision id to "
        "score or, without revids, what is told of the model.",
        "properties": {
            "error": _REFUSAL,
            "contexts": {"type": "array", "items": {"type": "string"}},
            "models": _by_name("ModelInfoDocument", "Model name to what is told of it."),
        },
        "additionalProperties": {},
    },
    2: {
        "type": "object",
        "properties": {
            "error": _REFUSAL,
            "scores": {
                "type": "object",
                "description": "Wiki to model name to the version of the model and the scores by revision.",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "properties": {
                            "version": {"type": "string"},
                            "info": {"$ref": "#/definitions/ModelInfoDocument"},
                            "scores": _by_name("ScoreDocument", "Revision id to score."),
                            "features": {"type": "object", "description": "Revision id to features."},
                        },
                    },
                },
            },
        },
    },
    3: {
        "type": "object",
        "description": "Wiki to its models and scores.",
        "properties": {"error": _REFUSAL},
        "additionalProperties": {
            "type": "object",
            "properties": {
                "models": _by_name("ModelInfoDocument", "Model name to what is told of it."),
                "scores": _by_name("RevisionDocument", "Revision id to the answers of the models."),
            },
        },
    },
}
