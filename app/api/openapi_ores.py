"""The OpenAPI description of ORES's versions 1 and 2, made from theirs, and of ORES's pages."""

import json
from collections.abc import Iterator

from app.api.openapi_parts import Schema, answer, parameter
from app.api.ores_spec import VERSIONS, swagger

_PLACES = {"{context}": "{wiki_id}", "{model}": "{model_name}", "{revid}": "{rev_id}"}
_NAMES = {old[1:-1]: new[1:-1] for old, new in _PLACES.items()}
_FORM = "application/x-www-form-urlencoded"


def paths() -> Schema:
    """Return path to what it answers."""
    return {**dict(_old_versions()), **_PAGES, **{f"/v{n}/spec": _specification(n) for n in VERSIONS}}


def schemas() -> Schema:
    """Return the schemas that `paths` names."""
    found: Schema = {}
    for version in (1, 2):
        definitions = _renamed(version, swagger(version)["definitions"])
        found |= {f"OresV{version}{name}": schema for name, schema in definitions.items()}
    return found


def _old_versions() -> Iterator[tuple[str, Schema]]:
    for version in (1, 2):
        for theirs, methods in _renamed(version, swagger(version)["paths"]).items():
            path = _path(theirs)
            yield path, _operations(f"oresV{version}", path, methods)
            bare = path.removeprefix("/v1")
            # There our own face is described, which answers about revisions and lists.
            if version == 1 and bare not in {"/scores/{wiki_id}", "/scores/{wiki_id}/{model_name}"}:
                yield bare, _operations("ores", bare, methods)


def _path(theirs: str) -> str:
    named = theirs.removesuffix("/")
    for old, new in _PLACES.items():
        named = named.replace(old, new)
    return named


def _renamed(version: int, document: Schema) -> Schema:
    text = json.dumps(document).replace("#/definitions/", f"#/components/schemas/OresV{version}")
    renamed: Schema = json.loads(text)
    return renamed


def _operations(prefix: str, path: str, methods: Schema) -> Schema:
    last = path.rsplit("/", 1)[-1].strip("{}").title().replace("_", "")
    return {
        method: _operation(f"{prefix}{last}{method.title()}", operation)
        for method, operation in methods.items()
    }


def _operation(operation_id: str, operation: Schema) -> Schema:
    parameters = operation["parameters"]
    converted: Schema = {
        "summary": operation["summary"],
        "operationId": operation_id,
        "parameters": [
            {
                "name": _NAMES.get(each["name"], each["name"]),
                "in": each["in"],
                "required": each["required"],
                "schema": {"type": each["type"]},
                "description": each["description"],
            }
            for each in parameters
            if each["in"] != "formData"
        ],
        "responses": {
            status: {
                "description": each["description"],
                **({"content": {"application/json": {"schema": each["schema"]}}} if "schema" in each else {}),
            }
            for status, each in operation["responses"].items()
        },
    }
    fields = {
        each["name"]: {"type": each["type"], "description": each["description"]}
        for each in parameters
        if each["in"] == "formData"
    }
    if fields:
        converted["requestBody"] = {"content": {_FORM: {"schema": {"type": "object", "properties": fields}}}}
    return converted


def _page(operation_id: str, summary: str, *queries: Schema, kind: str = "text/html") -> Schema:
    operation: Schema = {
        "summary": summary,
        "operationId": operation_id,
        "parameters": [*queries],
        "responses": {"200": answer("The page.", kind=kind)},
    }
    if _SPEC in queries:
        operation["responses"]["200"]["content"]["application/json"] = {}
    return {"get": operation}


def _form() -> Schema:
    form = _page(
        "oresForm",
        "A form for people that scores revisions.",
        _query("wiki", "Database name of the wiki."),
        _query("models", "Names of models, separated by '|'."),
        _query("revids", "Revision ids, separated by '|', commas or blanks."),
        _query("go", "Present: score them."),
    )
    for status, why in (("400", "A field is malformed."), ("404", "The wiki or a model is unknown.")):
        form["get"]["responses"][status] = answer(f"The form. {why}", kind="text/html")
    return form


def _specification(version: int) -> Schema:
    return _page(f"oresV{version}Spec", f"Version {version} of ORES in Swagger 2.0.", kind="application/json")


def _query(name: str, text: str) -> Schema:
    return parameter(name, {"type": "string"}, text, where="query")


_SPEC = _query("spec", "Present: the description for programs instead.")
_PAGES: Schema = {
    "/ui": _form(),
    "/v1": _page("oresV1Page", "A description of version 1 of ORES, for people.", _SPEC),
    "/v2": _page("oresV2Page", "A description of version 2 of ORES, for people.", _SPEC),
    "/v3": _page("oresV3Page", "A description of version 3 of ORES, for people.", _SPEC),
    "/versions": _page("oresVersions", "What computes scores here, in which version."),
    "/favicon.ico": _page("favicon", "The sign of the pages.", kind="image/vnd.microsoft.icon"),
}
