"""Parts of the OpenAPI description that its sections share."""

from typing import Any, Final

Schema = dict[str, Any]

NUMBER: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
LABELS: Final[Schema] = {
    "type": "object",
    "description": "Label to probability.",
    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
}
PREDICTION: Final[Schema] = {
    "description": "A boolean of a binary model, a label of a multiclass one, labels of a multilabel one.",
    "oneOf": [
        {"type": "boolean"},
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
    ],
}
CODE_AND_MESSAGE: Final[Schema] = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}


def parameter(name: str, schema: Schema, text: str, *, where: str = "path") -> Schema:
    """Return a parameter; required where it is part of the path."""
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": schema,
        "description": text,
    }


def answer(text: str, schema: str | None = None, *, kind: str = "application/json") -> Schema:
    """Return an answer, of a named schema where one is given."""
    content: Schema = {"schema": {"$ref": f"#/components/schemas/{schema}"}} if schema else {}
    return {"description": text, "content": {kind: content}}


def body(schema: str) -> Schema:
    """Return a JSON body that a request has to have, of a named schema."""
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"required": True, "content": {"application/json": {"schema": reference}}}
