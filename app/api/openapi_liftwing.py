"""Lift Wing's routes in the OpenAPI description."""

from app.api.openapi_parts import Schema, answer, body, parameter

_MODEL = parameter("name", {"type": "string"}, "{wiki}-{model}, such as enwiki-damaging.")
_MODEL_INFO = parameter(
    "model_info",
    {"type": "string"},
    "ORES's paths, separated by '|': statistics.thresholds.true.\"maximum recall @ precision >= 0.9\".",
    where="query",
)
_NO_MODEL = answer("No such model.", "LiftWingError")

PATHS: Schema = {
    "/v1/models": {
        "get": {
            "summary": "The names of all models, as Lift Wing names them.",
            "operationId": "liftWingModels",
            "responses": {"200": answer("Names.", "LiftWingModels")},
        }
    },
    "/v1/models/{name}": {
        "get": {
            "summary": "Whether a model is ready; its version, statistics and thresholds.",
            "operationId": "liftWingModel",
            "parameters": [_MODEL, _MODEL_INFO],
            "responses": {
                "200": answer("It is.", "LiftWingModel"),
                "400": answer("A path of model_info is unknown or malformed.", "LiftWingError"),
                "404": _NO_MODEL,
                "503": answer("It is not.", "LiftWingError"),
            },
        }
    },
    "/v1/models/revertrisk-language-agnostic:predict": {
        "post": {
            "summary": "The risk that an edit is reverted: of up to 20 revisions, or of one not saved yet.",
            "operationId": "liftWingRevertRisk",
            "requestBody": body("RevertRiskRequest"),
            "responses": {
                "200": answer("One answer; of a batch, predictions and errors.", "RevertRisk"),
                "400": answer("The input is wrong, or the wiki has no such model.", "LiftWingRefusal"),
                "404": answer("No wiki has the model revertrisk-language-agnostic.", "LiftWingError"),
                "413": answer("The body is too large.", "LiftWingError"),
                "422": answer("No revision could be scored.", "LiftWingDetail"),
                "429": answer("The client has as much scored as it may.", "LiftWingError"),
                "503": answer("Nothing is stored and nothing can score now.", "LiftWingError"),
            },
        }
    },
    "/v1/models/revertrisk-multilingual:predict": {
        "post": {
            "summary": "The risk that an edit is reverted: of one revision, or of one not saved yet.",
            "operationId": "liftWingMultilingualRevertRisk",
            "requestBody": body("RevertRiskRequest"),
            "responses": {
                "200": answer("One answer.", "RevertRisk"),
                "400": answer("The input is wrong, or the wiki has no such model.", "LiftWingRefusal"),
                "404": answer("No wiki has the model revertrisk-multilingual.", "LiftWingError"),
                "413": answer("The body is too large.", "LiftWingError"),
                "422": answer("The revision could not be scored.", "LiftWingDetail"),
                "503": answer("Nothing is stored and nothing can score now.", "LiftWingError"),
            },
        }
    },
    "/v1/models/langid:predict": {
        "post": {
            "summary": "The language that a text is in.",
            "operationId": "liftWingLanguage",
            "requestBody": body("LanguageRequest"),
            "responses": {
                "200": answer("The likeliest language.", "Language"),
                "400": answer("The input is wrong.", "LiftWingError"),
                "404": answer("No wiki has the model langid.", "LiftWingError"),
                "413": answer("The body is too large.", "LiftWingError"),
                "500": answer("The model failed.", "LiftWingError"),
                "503": answer("Nothing can score now.", "LiftWingError"),
            },
        }
    },
    "/v1/models/outlink-topic-model:predict": {
        "post": {
            "summary": "The topics of a page of a Wikipedia, by what it links to.",
            "operationId": "liftWingOutlinks",
            "requestBody": body("OutlinkRequest"),
            "responses": {
                "200": answer("The topics, likeliest first.", "OutlinkTopics"),
                "400": answer(
                    "The input is wrong (error), or the wiki does not show the page (detail).",
                    "LiftWingRefusal",
                ),
                "404": answer("No wiki has the model outlink-topic-model.", "LiftWingError"),
                "413": answer("The body is too large.", "LiftWingError"),
                "500": answer("The wiki's API failed, or the model.", "LiftWingError"),
                "503": answer("Nothing can score now.", "LiftWingError"),
            },
        }
    },
    "/v1/models/{name}:predict": {
        "post": {
            "summary": "One model's score of a revision or of up to 50, as Lift Wing gives it.",
            "operationId": "liftWingPredict",
            "parameters": [_MODEL],
            "requestBody": body("LiftWingRequest"),
            "responses": {
                "200": answer("The score, in ORES's shape; of a batch, predictions.", "LiftWingScores"),
                "400": answer("The input is wrong, or the revision cannot be scored.", "LiftWingError"),
                "404": _NO_MODEL,
                "413": answer("The body is too large.", "LiftWingError"),
                "500": answer("The wiki's API failed.", "LiftWingError"),
                "429": answer("The client has as much scored as it may.", "LiftWingError"),
                "503": answer("Nothing is stored and nothing can score now.", "LiftWingError"),
            },
        }
    },
}

SCHEMAS: Schema = {
    "LiftWingRequest": {
        "type": "object",
        "properties": {
            "rev_id": {"type": "integer"},
            "event": {"type": "object", "description": "A page change or revision create event."},
            "instances": {
                "type": "array",
                "minItems": 1,
                "maxItems": 50,
                "description": "rev_id or event of each: answered in this order, in `predictions`.",
                "items": {"type": "object"},
            },
            "extended_output": {
                "type": "boolean",
                "default": False,
                "description": "Show the features as well; only where the server scores on demand.",
            },
        },
    },
    "RevertRiskRequest": {
        "type": "object",
        "properties": {
            "rev_id": {"type": "integer"},
            "lang": {"type": "string", "description": "Of the Wikipedia: en."},
            "instances": {
                "type": "array",
                "maxItems": 20,
                "description": "rev_id and lang of each, all of one language.",
                "items": {"type": "object"},
            },
            "event": {"type": "object", "description": "A page change or revision create event."},
            "revision_data": {"$ref": "#/components/schemas/UnsavedRevision"},
        },
    },
    "UnsavedRevision": {
        "type": "object",
        "description": "An edit before it is saved. Nothing is fetched for it, and nothing of it is kept.",
        "required": ["id", "lang", "text", "timestamp", "bytes", "page", "parent", "user"],
        "properties": {
            "id": {"type": "integer", "description": "-1."},
            "lang": {"type": "string", "description": "Of the Wikipedia: en."},
            "text": {"type": "string"},
            "timestamp": {"type": "string", "format": "date-time"},
            "bytes": {"type": "integer"},
            "comment": {"type": "string"},
            "page": {
                "type": "object",
                "required": ["id", "title", "first_edit_timestamp"],
                "properties": {
                    "id": {"type": "integer"},
                    "title": {"type": "string"},
                    "first_edit_timestamp": {"type": "string", "format": "date-time"},
                },
            },
            "parent": {
                "type": "object",
                "required": ["id", "lang", "text", "timestamp", "bytes"],
                "properties": {
                    "id": {"type": "integer"},
                    "lang": {"type": "string"},
                    "text": {"type": "string"},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "bytes": {"type": "integer"},
                },
            },
            "user": {
                "type": "object",
                "required": ["id"],
                "description": "Features that read the editor's groups take their defaults without them.",
                "properties": {
                    "id": {"type": ["integer", "null"]},
                    "name": {"type": "string"},
                    "groups": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 1000},
                    "registration_timestamp": {"type": ["string", "null"], "format": "date-time"},
                },
            },
        },
    },
    "LanguageRequest": {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string", "description": "The first 100 characters count."}},
    },
    "Language": {
        "type": "object",
        "required": ["language", "wikicode", "languagename", "score"],
        "properties": {
            "language": {"type": "string", "description": "The model's own label."},
            "wikicode": {"type": "string"},
            "languagename": {"type": "string", "description": "In English."},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
        },
    },
    "OutlinkRequest": {
        "type": "object",
        "description": "lang or wiki_id, and page_title or page_id; or event alone.",
        "properties": {
            "lang": {"type": "string", "description": "Of the Wikipedia: en."},
            "wiki_id": {"type": "string", "description": "Database name, such as enwiki."},
            "page_title": {"type": "string"},
            "page_id": {"type": "integer"},
            "revision_id": {
                "type": "integer",
                "description": "Whose links count; those that the page has now if absent.",
            },
            "features_str": {
                "type": "string",
                "maxLength": 100_000,
                "description": "Wikidata ids of the linked pages, separated by blanks: nothing is looked up.",
            },
            "threshold": {"type": "number", "default": 0.5, "description": "With a decimal point: 0.5."},
            "debug": {"type": "boolean", "description": "All topics, whatever their score."},
            "event": {"type": "object", "description": "A page change or revision create event."},
        },
    },
    "OutlinkTopics": {
        "type": "object",
        "required": ["prediction"],
        "properties": {
            "prediction": {
                "type": "object",
                "required": ["article", "results"],
                "properties": {
                    "article": {"type": "string"},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["topic", "score"],
                            "properties": {
                                "topic": {"type": "string"},
                                "score": {"type": "number", "minimum": 0, "maximum": 1},
                            },
                        },
                    },
                },
            }
        },
    },
    "LiftWingScores": {
        "oneOf": [
            {
                "type": "object",
                "required": ["predictions"],
                "properties": {
                    "predictions": {
                        "type": "array",
                        "description": "A score each, or `error` or `detail` with `status_code`.",
                        "items": {"type": "object"},
                    }
                },
            },
            {"$ref": "#/components/schemas/OresScores"},
        ]
    },
    "LiftWingRefusal": {
        "oneOf": [
            {"$ref": "#/components/schemas/LiftWingError"},
            {"$ref": "#/components/schemas/LiftWingDetail"},
        ]
    },
    "RevertRisk": {
        "type": "object",
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "wiki_db": {"type": "string"},
            "revision_id": {"type": "integer"},
            "output": {"type": "object"},
            "predictions": {"type": "array", "items": {"type": "object"}},
            "errors": {"type": "array", "items": {"type": "string"}},
        },
    },
    "LiftWingDetail": {
        "type": "object",
        "required": ["detail"],
        "properties": {"detail": {"type": "string"}, "reason": {"type": "string"}},
    },
    "LiftWingError": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    },
    "LiftWingModels": {
        "type": "object",
        "required": ["models"],
        "properties": {"models": {"type": "array", "items": {"type": "string"}}},
    },
    "LiftWingModel": {
        "type": "object",
        "required": ["name", "ready"],
        "properties": {
            "name": {"type": "string"},
            "ready": {"type": "boolean"},
            "version": {"type": "string", "description": "Absent where it depends on the wiki."},
            "model_info": {"type": "object"},
        },
    },
}
