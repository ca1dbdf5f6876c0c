"""The routes of KServe's servers in the OpenAPI description: health, models, and Open Inference."""

from app.api.openapi_parts import Schema, answer, body, parameter

_MODEL = parameter("name", {"type": "string"}, "{wiki}-{model}, such as enwiki-damaging.")
_VERSION = parameter("version", {"type": "string"}, "Of the model: 0.5.1.")
_NO_MODEL = answer("No such model.", "LiftWingError")
_NOT_READY = answer("It is not ready.", "LiftWingError")


def _get(operation_id: str, summary: str, schema: str, *parameters: Schema, **answers: Schema) -> Schema:
    responses = {"200": answer("As the schema says.", schema)}
    responses |= {status.removeprefix("on_"): refusal for status, refusal in answers.items()}
    return {
        "get": {
            "summary": summary,
            "operationId": operation_id,
            **({"parameters": list(parameters)} if parameters else {}),
            "responses": responses,
        }
    }


def _infer(operation_id: str, *parameters: Schema) -> Schema:
    return {
        "post": {
            "summary": "What predict answers, in a tensor of Open Inference.",
            "operationId": operation_id,
            "parameters": list(parameters),
            "requestBody": body("InferRequest"),
            "responses": {
                "200": answer("The answer of predict, as text.", "InferAnswer"),
                "400": answer("The input is wrong, or cannot be scored.", "LiftWingRefusal"),
                "404": _NO_MODEL,
                "413": answer("The body is too large.", "LiftWingError"),
                "422": answer("No revision could be scored.", "LiftWingDetail"),
                "500": answer("The wiki's API failed, or the model.", "LiftWingError"),
                "503": answer("Nothing is stored and nothing can score now.", "LiftWingError"),
            },
        }
    }


PATHS: Schema = {
    "/v1/models/{name}:explain": {
        "post": {
            "summary": "Says that no model has an explainer.",
            "operationId": "liftWingExplain",
            "parameters": [_MODEL],
            "responses": {"404": _NO_MODEL, "501": answer("None has one.", "LiftWingError")},
        }
    },
    "/v2": _get(
        "kserveServer", "What the server is; for browsers, what version 2 of ORES is.", "KServeServer"
    ),
    "/v2/health/live": _get("kserveLive", "Whether the server answers.", "KServeLive"),
    "/v2/health/ready": _get(
        "kserveReady", "Whether the server is ready, as /readyz.", "KServeReady", on_503=_NOT_READY
    ),
    "/v2/models": _get("kserveModels", "The names of all models, as Lift Wing names them.", "LiftWingModels"),
    "/v2/models/{name}": _get(
        "kserveModel", "Versions, inputs and outputs of a model.", "KServeModel", _MODEL, on_404=_NO_MODEL
    ),
    "/v2/models/{name}/ready": _get(
        "kserveModelReady",
        "Whether a model is ready.",
        "LiftWingModel",
        _MODEL,
        on_404=_NO_MODEL,
        on_503=_NOT_READY,
    ),
    "/v2/models/{name}/infer": _infer("kserveInfer", _MODEL),
    "/v2/models/{name}/versions/{version}": _get(
        "kserveModelVersion",
        "Inputs and outputs of one version of a model.",
        "KServeModel",
        _MODEL,
        _VERSION,
        on_404=_NO_MODEL,
    ),
    "/v2/models/{name}/versions/{version}/ready": _get(
        "kserveModelVersionReady",
        "Whether one version of a model is ready.",
        "LiftWingModel",
        _MODEL,
        _VERSION,
        on_404=_NO_MODEL,
        on_503=_NOT_READY,
    ),
    "/v2/models/{name}/versions/{version}/infer": _infer("kserveInferVersion", _MODEL, _VERSION),
}


def _tensor(name: str) -> Schema:
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "name": {"const": name},
            "shape": {"const": [1]},
            "datatype": {"const": "BYTES"},
            "data": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {"type": "string", "description": "JSON: the body of predict, or its answer."},
            },
        },
    }


SCHEMAS: Schema = {
    "KServeServer": {
        "type": "object",
        "required": ["name", "version", "extensions"],
        "properties": {
            "name": {"type": "string"},
            "version": {"type": "string"},
            "extensions": {"type": "array", "items": {"type": "string"}},
        },
    },
    "KServeLive": {"type": "object", "required": ["live"], "properties": {"live": {"const": True}}},
    "KServeReady": {"type": "object", "required": ["ready"], "properties": {"ready": {"const": True}}},
    "KServeModel": {
        "type": "object",
        "required": ["name", "versions", "platform", "inputs", "outputs"],
        "properties": {
            "name": {"type": "string"},
            "versions": {"type": "array", "items": {"type": "string"}},
            "platform": {"type": "string"},
            "inputs": {"type": "array", "items": {"type": "object"}},
            "outputs": {"type": "array", "items": {"type": "object"}},
        },
    },
    "InferRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "description": "Comes back in the answer."},
            "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": _tensor("input")},
        },
    },
    "InferAnswer": {
        "type": "object",
        "required": ["model_name", "id", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": _tensor("output")},
        },
    },
}
