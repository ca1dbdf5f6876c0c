"""Features of today over the edits of ``tests.former_revisions``."""

from typing import Any

import mwtypes

from models import resources


def roots(edit: dict[str, Any]) -> dict[str, Any]:
    """Return what a revision gives today, by name."""
    parent, (user_id, user_text) = edit["parent"], edit["user"]
    registered = edit["registered"] if user_id else None
    return {
        "revision.text": edit["text"],
        "revision.timestamp": mwtypes.Timestamp(edit["seconds"]),
        "revision.byte_length": len(edit["text"].encode()),
        "revision.comment": edit["comment"],
        "revision.page.namespace.id": edit["namespace_id"],
        "revision.user.id": user_id,
        "revision.user.text": user_text,
        "revision.user.info.groups": edit["groups"] if user_id else None,
        "revision.user.info.registration": None if registered is None else mwtypes.Timestamp(registered),
        "revision.parent.id": 1 if parent else 0,
        "revision.parent.text": parent["text"] if parent else None,
        "revision.parent.timestamp": mwtypes.Timestamp(parent["seconds"]) if parent else None,
        "revision.parent.byte_length": len(parent["text"].encode()) if parent else None,
        "revision.parent.user.id": parent["user"][0] if parent else None,
        "revision.parent.user.text": parent["user"][1] if parent else None,
    }


def given_to_plan(edit: dict[str, Any]) -> dict[str, Any]:
    """Return the same by printed name, with times as text, as an engine's plan is given it."""
    given: dict[str, Any] = {}
    for name, value in roots(edit).items():
        given[f"datasource.{name}"] = value
        given[f"datasource.{name}_str"] = value.short_format() if hasattr(value, "short_format") else None
    return given


def values_of_made_up(features: list[Any], edit: dict[str, Any]) -> list[Any]:
    """Compute features of one edit; a failure is told by its kind."""
    dependencies, datasource = resources.module("dependencies"), resources.module("datasources").Datasource
    cache = {datasource(name): value for name, value in roots(edit).items()}
    row: list[Any] = []
    for feature in features:
        try:
            row.append(dependencies.solve(feature, cache=cache))
        except resources.module("errors").CaughtDependencyError as error:
            row.append(type(error.exception).__name__)
    return row
