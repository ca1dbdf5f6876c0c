"""The OpenAPI description of ORES's version 3."""

from app.api.openapi_parts import Schema, answer, parameter

_FORM = "application/x-www-form-urlencoded"
_ID = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_FIELDS = {
    "models": "Names, separated by '|'; all if absent.",
    "revids": "Ids, separated by '|', at most 50.",
    "features": "Present: show the features as well; only where the server scores on demand.",
    "model_info": "Paths of what to tell of the models, separated by '|'; the version if absent.",
    "inject": "JSON: revision id to the values, by printed name, that stand in the place of computed ones; "
    "so do single ones as `feature.…` and `datasource.…`. Only where the server scores on demand.",
    "precache": "Present: no client waits for the answer.",
}
_WIKI = parameter("wiki_id", {"type": "string"}, "Database name, such as enwiki.")
_REVISION = parameter("rev_id", _ID, "Revision id.")
_MODEL = parameter("model_name", {"type": "string"}, "Such as damaging.")
_QUERIES = [
    parameter("format", {"type": "string", "enum": ["json"]}, "json: without white space.", where="query"),
    parameter("callback", {"type": "string"}, "Answer as a call of that function.", where="query"),
]
_ANSWERS = {
    "200": answer("Scores, or a typed error in a score's place.", "OresScores"),
    "400": answer("A parameter is malformed, or nothing here can do what it asks.", "OresError"),
    "404": answer("The wiki or the model is unknown.", "OresError"),
    "500": answer("A formula in model_info cannot be read, or the server failed.", "OresError"),
    "429": answer("The client has as much scored as it may.", "OresError"),
    "503": answer("The tables are not complete yet, or too much is waiting to be scored.", "OresError"),
}
_TOO_LARGE = {"413": answer("The body is larger than 1 MiB.", "OresError")}


def _operations(name: str, summary: str, *places: Schema, leaves_out: tuple[str, ...] = ()) -> Schema:
    """Return what GET and POST answer, with the same parameters in the query or in a form."""
    fields = {field: text for field, text in _FIELDS.items() if field not in leaves_out}
    queries = [parameter(field, {"type": "string"}, text, where="query") for field, text in fields.items()]
    properties = {field: {"type": "string", "description": text} for field, text in fields.items()}
    form = {"schema": {"type": "object", "properties": properties}}
    shared = {"summary": summary, "parameters": [*places, *queries, *_QUERIES]}
    return {
        "get": {**shared, "operationId": name, "responses": _ANSWERS},
        "post": {
            **shared,
            "operationId": f"{name}Post",
            "requestBody": {"content": {_FORM: form}},
            "responses": {**_ANSWERS, **_TOO_LARGE},
        },
    }


PATHS: Schema = {
    "/v3/scores": {
        "get": {
            "summary": "All wikis with their models and versions, as ORES lists them.",
            "operationId": "oresWikis",
            "parameters": [
                parameter("model_info", {"type": "string"}, _FIELDS["model_info"], where="query"),
                *_QUERIES,
            ],
            "responses": {status: _ANSWERS[status] for status in ("200", "400", "500")},
        }
    },
    "/v3/scores/{wiki_id}": _operations(
        "oresWiki", "The models of a wiki, or the scores of up to 50 of its revisions.", _WIKI
    ),
    "/v3/scores/{wiki_id}/{rev_id}": _operations(
        "oresRevision",
        "The scores of one revision, as ORES shows them.",
        _WIKI,
        _REVISION,
        leaves_out=("revids",),
    ),
    "/v3/scores/{wiki_id}/{rev_id}/{model_name}": _operations(
        "oresModel",
        "One model's score of one revision, as ORES shows it.",
        *(_WIKI, _REVISION, _MODEL),
        leaves_out=("revids", "models"),
    ),
    "/v3/precache": {
        "post": {
            "summary": "Scores of the revision of a revision-create event, where rules name models for it.",
            "operationId": "oresPrecache",
            "parameters": _QUERIES,
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["database", "rev_id", "meta"],
                            "properties": {
                                "database": {"type": "string"},
                                "rev_id": _ID,
                                "rev_parent_id": _ID,
                                "page_namespace": {"type": "integer"},
                                "performer": {"type": "object"},
                                "meta": {
                                    "type": "object",
                                    "required": ["stream"],
                                    "properties": {"stream": {"type": "string"}},
                                },
                            },
                        }
                    }
                },
            },
            "responses": {
                "200": _ANSWERS["200"],
                "204": {"description": "No rule takes the event."},
                "400": answer("There is no event, or it lacks a field.", "OresError"),
                "503": _ANSWERS["503"],
                **_TOO_LARGE,
            },
        }
    },
}
