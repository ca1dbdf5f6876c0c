"""The OpenAPI description of the index, the description itself, health and metrics."""

from app.api.openapi_ours import CONDITIONS, UNCHANGED
from app.api.openapi_parts import Schema, answer

PATHS: Schema = {
    "/": {
        "get": {
            "summary": "The routes.",
            "operationId": "index",
            "parameters": [*CONDITIONS],
            "responses": {
                "200": answer("Path to method to summary; browsers get the start page."),
                "304": UNCHANGED,
            },
        }
    },
    "/openapi.json": {
        "get": {
            "summary": "This description.",
            "operationId": "openapi",
            "parameters": [*CONDITIONS],
            "responses": {"200": answer("OpenAPI 3.1."), "304": UNCHANGED},
        }
    },
    "/docs": {
        "get": {
            "summary": "This description, for people.",
            "operationId": "docs",
            "responses": {"200": answer("A page without scripts.", kind="text/html")},
        }
    },
    "/healthz": {
        "get": {
            "summary": "Whether the process turns.",
            "operationId": "healthz",
            "responses": {"200": answer("It does.")},
        }
    },
    "/readyz": {
        "get": {
            "summary": "Whether the process is ready for requests.",
            "operationId": "readyz",
            "responses": {
                "200": answer("It is, and how old its tables may be.", "Readiness"),
                "503": answer("Not now, for the reasons named.", "Readiness"),
            },
        }
    },
    "/metrics": {
        "get": {
            "summary": "Metrics for Prometheus.",
            "operationId": "metrics",
            "responses": {"200": answer("Prometheus's text form.", kind="text/plain")},
        }
    },
}

SCHEMAS: Schema = {
    "Readiness": {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"type": "string"},
            "reasons": {"type": "array", "items": {"type": "string"}},
            "notes": {"type": "array", "items": {"type": "string"}},
            "age_seconds": {"type": ["number", "null"]},
            "recovering": {
                "type": "array",
                "description": "Partitions that are being filled, and what is left to read.",
                "items": {
                    "type": "object",
                    "properties": {
                        "table": {"type": "string", "enum": ["revisions", "pages", "places"]},
                        "partition": {"type": "integer"},
                        "role": {"type": "string", "enum": ["owner", "standby"]},
                        "rows_left": {"type": ["integer", "null"]},
                    },
                },
            },
        },
    },
}
