"""The OpenAPI description of what tells which features moved a score."""

from typing import Final

from app.api.openapi_ours import WIKI
from app.api.openapi_parts import LABELS, NUMBER, PREDICTION, Schema, answer, parameter
from schemas.attribution import AttributionMethod, AttributionReference, AttributionScale

_REVISION = parameter("rev_id", NUMBER, "Revision id.")
_MODEL = parameter("model_name", {"type": "string", "minLength": 1}, "Such as damaging, or damaging@0.5.1.")

PATHS: Final[Schema] = {
    "/attributions/{wiki_id}/{rev_id}/{model_name}": {
        "get": {
            "summary": "What moved the score of a revision: how much each feature added to it.",
            "operationId": "getAttribution",
            "description": "Computed for each request, which takes as long as scoring and is admitted like "
            "it; nothing is stored. Base and contributions add up to the score, on the scale that is told.",
            "parameters": [WIKI, _REVISION, _MODEL],
            "responses": {
                "200": answer("The score, the features, and what these added.", "AttributedScore"),
                "400": answer("A parameter is malformed or unknown.", "Error"),
                "404": answer(
                    "The revision, the wiki or the model is not there, or nothing scores.", "Error"
                ),
                "410": answer("The revision or its page was deleted, hidden or suppressed.", "Error"),
                "422": answer("The model cannot score this revision.", "Error"),
                "429": answer("The client has as much scored as it may.", "Error"),
                "500": answer("The model failed.", "Error"),
                "503": answer("Too much waits to be scored, or the wiki does not answer.", "Error"),
            },
        }
    },
}

SCHEMAS: Final[Schema] = {
    "AttributedScore": {
        "type": "object",
        "required": [
            "wiki_id",
            "rev_id",
            "model_name",
            "model_version",
            "prediction",
            "probability",
            "features",
            "attribution",
        ],
        "properties": {
            "wiki_id": {"type": "string"},
            "rev_id": NUMBER,
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "prediction": PREDICTION,
            "probability": LABELS,
            "features": {
                "type": ["object", "null"],
                "description": "Values by printed name; null where the model tells none.",
            },
            "attribution": {"anyOf": [{"$ref": "#/components/schemas/Attribution"}, {"type": "null"}]},
        },
    },
    "Attribution": {
        "type": "object",
        "description": "Null for kinds of models whose scores are no sums.",
        "required": ["method", "scale", "reference", "labels"],
        "properties": {
            "method": {"type": "string", "enum": list(AttributionMethod)},
            "scale": {
                "type": "string",
                "enum": list(AttributionScale),
                "description": "What is added up.",
            },
            "reference": {
                "type": "string",
                "enum": list(AttributionReference),
                "description": "What the base is the score of: the training, all leaves of the trees alike, "
                "the mean of each feature, or zeros.",
            },
            "labels": {
                "type": "object",
                "description": "By label; true alone where false is its opposite.",
                "additionalProperties": {"$ref": "#/components/schemas/LabelAttribution"},
            },
        },
    },
    "LabelAttribution": {
        "type": "object",
        "required": ["base", "score", "contributions"],
        "properties": {
            "base": {"type": "number"},
            "score": {"type": "number", "description": "Base and all contributions."},
            "contributions": {
                "type": "array",
                "description": "What moved the score most comes first.",
                "items": {
                    "type": "object",
                    "required": ["feature", "value", "contribution"],
                    "properties": {
                        "feature": {"type": "string"},
                        "value": {"type": ["boolean", "number", "string"]},
                        "contribution": {"type": "number"},
                    },
                },
            },
        },
    },
}
