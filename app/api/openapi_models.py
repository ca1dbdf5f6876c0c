"""The OpenAPI description of what is told of models."""

from typing import Any, Final

from app.api.openapi_ours import CONDITIONS, UNCHANGED, WIKI, kept
from app.api.openapi_parts import Schema, answer, parameter

_MODEL = parameter(
    "model_name", {"type": "string", "minLength": 1}, "Such as damaging, or damaging@0.5.1 for a version."
)
_LABEL = parameter(
    "label", {"type": "string", "maxLength": 500}, "The only label wanted, such as true.", where="query"
)
_FORMULA = parameter(
    "formula",
    {"type": "string", "maxLength": 500},
    "ORES's: (maximum|minimum) METRIC @ METRIC (>=|<=) NUMBER, such as maximum recall @ precision >= 0.9.",
    where="query",
)
_MALFORMED = answer("A parameter is unknown or malformed.", "Error")
_NO_MODEL = answer("The wiki has no models, or none of that name.", "Error")
_NO_STATISTICS = answer("The wiki or the model is unknown, or came without statistics.", "Error")


def _get(operation_id: str, summary: str, schema: str, *parameters: Schema, **others: Any) -> Schema:
    return {
        "get": {
            "summary": summary,
            "operationId": operation_id,
            "parameters": [*parameters, *CONDITIONS],
            "responses": {
                "200": kept(summary, schema),
                "304": UNCHANGED,
                "400": _MALFORMED,
                **others,
            },
        }
    }


PATHS: Final[Schema] = {
    "/models": _get("getModels", "All models by wiki, with their versions.", "Models"),
    "/models/{wiki_id}": _get(
        "getWikiModels", "The models of a wiki.", "WikiModels", WIKI, **{"404": _NO_MODEL}
    ),
    "/models/{wiki_id}/{model_name}": _get(
        "getModel",
        "The card of a model, and what its makers say of it.",
        "Model",
        WIKI,
        _MODEL,
        **{"404": _NO_MODEL},
    ),
    "/models/{wiki_id}/{model_name}/statistics": _get(
        "getStatistics",
        "The test statistics of a model.",
        "ModelStatistics",
        WIKI,
        _MODEL,
        **{"404": _NO_STATISTICS},
    ),
    "/models/{wiki_id}/{model_name}/thresholds": _get(
        "getThresholds",
        "The thresholds of a model with their metrics, or the best by a formula.",
        "ModelThresholds",
        WIKI,
        _MODEL,
        _LABEL,
        _FORMULA,
        **{"404": _NO_STATISTICS},
    ),
    "/models/{wiki_id}/{model_name}/live": _get(
        "getLiveStatistics",
        "How a model does now: drift of its scores, and what became of the edits.",
        "ModelHealth",
        WIKI,
        _MODEL,
        **{"404": answer("The wiki or the model is unknown, or the process sees no stream.", "Error")},
    ),
}

_SHARES: Final[Schema] = {
    "type": "object",
    "description": "By label: what part lies in each of 20 bins of equal width.",
    "additionalProperties": {"type": "array", "items": {"type": "number"}},
}
_DRIFT: Final[Schema] = {
    "type": "object",
    "description": "By label: population stability index; from 200 scores on.",
    "additionalProperties": {"type": "number"},
}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_KIND: Final[Schema] = {"type": "string", "enum": ["binary", "multiclass", "multilabel"]}
_IDENTITY: Final[Schema] = {"wiki_id": _TEXT, "model_name": _TEXT, "model_version": _TEXT}
_SUMMARY: Final[Schema] = {
    "model_version": _TEXT,
    "kind": _KIND,
    "labels": _TEXTS,
    "has_statistics": {"type": "boolean"},
    "versions": {**_TEXTS, "description": "Those that answer when asked for, the one served first."},
}
_MODELS: Final[Schema] = {
    "type": "object",
    "description": "By name.",
    "additionalProperties": {"$ref": "#/components/schemas/ModelSummary"},
}
_METRICS: Final[Schema] = {
    "type": "object",
    "required": ["threshold"],
    "additionalProperties": {"type": ["number", "null"]},
}


def _object(properties: Schema, description: str = "") -> Schema:
    told = {"description": description} if description else {}
    return {"type": "object", **told, "required": list(properties), "properties": properties}


SCHEMAS: Final[Schema] = {
    "Models": _object(
        {
            "wikis": {"type": "object", "additionalProperties": _object({"models": _MODELS})},
            "aliases": {
                "type": "object",
                "description": "Other name to the name of a model, on wikis that have it.",
                "additionalProperties": _TEXT,
            },
        }
    ),
    "WikiModels": _object({"wiki_id": _TEXT, "models": _MODELS}),
    "ModelSummary": _object(_SUMMARY),
    "Model": _object(
        {
            **_IDENTITY,
            **_SUMMARY,
            "model_sha512": _TEXT,
            "artefact": _TEXT,
            "stage": {
                "type": ["string", "null"],
                "description": "experimental, staging or production; null where nobody says.",
            },
            "reads_content": {"type": "boolean", "description": "False: the revision's id alone."},
            "reads_text_alone": {"type": "boolean", "description": "True: neither parent nor editor."},
            "content_models": {**_TEXTS, "description": "Empty where nobody says."},
            "card": {"type": "object", "description": "By heading.", "additionalProperties": _TEXT},
            "information": {"type": "object", "description": "As ORES's model_info, but for statistics."},
        }
    ),
    "ModelHealth": _object(
        {
            **_IDENTITY,
            "since_dt": {
                "type": "string",
                "format": "date-time",
                "description": "From when on it is watched.",
            },
            "scores": {**_COUNT, "description": "Of the last 24 hours."},
            "shares": _SHARES,
            "expected_shares": _SHARES,
            "drift": _DRIFT,
            "reverted": {**_COUNT, "description": "Edits of 14 days that others undid within 48 hours."},
            "kept": {**_COUNT, "description": "Edits that were not."},
            "roc_auc": {"type": ["number", "null"], "description": "From 20 of either on."},
            "calibration": {
                "type": "array",
                "items": _object(
                    {"low": {"type": "number"}, "count": _COUNT, "share": {"type": ["number", "null"]}}
                ),
            },
            "snapshot": {
                "anyOf": [{"$ref": "#/components/schemas/SnapshotDrift"}, {"type": "null"}],
                "description": "Against the newest snapshot that has scores of this version, if any.",
            },
        }
    ),
    "SnapshotDrift": _object(
        {
            "name": _TEXT,
            "created_dt": {"type": "string", "format": "date-time"},
            "scores": {**_COUNT, "description": "Of the snapshot."},
            "shares": _SHARES,
            "drift": _DRIFT,
        }
    ),
    "ModelStatistics": _object({**_IDENTITY, "statistics": {"type": "object"}}, "As ORES's model_info."),
    "ModelThresholds": _object(
        {
            **_IDENTITY,
            "thresholds": {
                "type": "object",
                "description": "By label: all; of a formula the best, or null where none meets it.",
                "additionalProperties": {
                    "oneOf": [{"type": "array", "items": _METRICS}, _METRICS, {"type": "null"}]
                },
            },
        }
    ),
}
