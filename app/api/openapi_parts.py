"""Parts of the OpenAPI description that its sections share."""

from typing import Any

Schema = dict[str, Any]


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
