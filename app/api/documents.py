"""Rows and answers as the JSON documents of our own and of ORES's shape."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from app.api.errors import ores_entry
from schemas.catalogue import ModelInfo
from schemas.prediction import FeatureValue, PredictionRow, Score, ScoredModel, ScoreFailure, StoredScore
from tables.reader import Freshness

Document = dict[str, Any]
_VECTOR = "feature_vector."


def compact(document: Document) -> bytes:
    """Return a document as JSON without white space. Datetimes become ISO-8601 with Z."""
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def pretty(document: Document) -> bytes:
    """Return a document as indented JSON, as ORES gives it unless told otherwise."""
    return orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_INDENT_2)


def row_document(row: PredictionRow, models: Mapping[str, ModelInfo]) -> Document:
    """Return a row in our shape, with one answer per model name.

    Args:
        row: What is stored.
        models: What its wiki serves: of several versions stored, the served one is shown, and the one
            that was scored last where that is not among them.
    """
    scores = {
        stored.model.model_name: stored_document(stored) for stored in _one_per_name(row.scores, models)
    }
    return {**row_head(row), "scores": scores}


def row_head(row: PredictionRow) -> Document:
    """Return what a row in our shape says before its scores."""
    return {"wiki_id": row.wiki_id, "page_id": row.page_id, "rev_id": row.rev_id, "rev_dt": row.rev_dt}


def full_document(row: PredictionRow, models: Mapping[str, ModelInfo]) -> Document:
    """Return a row as `row_document` does, with where each score came from, and all versions stored."""
    scores = {
        stored.model.model_name: with_provenance(stored) for stored in _one_per_name(row.scores, models)
    }
    return {**row_head(row), "scores": scores, "versions": stored_versions(row)}


def with_provenance(stored: StoredScore) -> Document:
    """Return a stored answer as `stored_document` does, with where it came from."""
    provenance = stored.provenance
    return {
        **stored_document(stored),
        "provenance": {
            "model_sha512": stored.model.model_sha512,
            "event_id": provenance.event_id,
            "source_topic": provenance.source_topic,
            "source_partition": provenance.source_partition,
            "source_offset": provenance.source_offset,
            "event_dt": provenance.event_dt,
            "scored_dt": provenance.scored_dt,
        },
    }


def stored_versions(row: PredictionRow) -> Document:
    """Return the versions of each model by which a row has scores."""
    versions: dict[str, list[str]] = {}
    for stored in row.scores:
        versions.setdefault(stored.model.model_name, []).append(stored.model.model_version)
    return versions


def freshness_document(freshness: Freshness) -> Document:
    """Return how old the tables may be."""
    return {"freshness": {"age_seconds": freshness.age_seconds, "reasons": freshness.reasons}}


def _one_per_name(scores: tuple[StoredScore, ...], models: Mapping[str, ModelInfo]) -> Iterable[StoredScore]:
    chosen: dict[str, StoredScore] = {}
    for score in scores:
        other = chosen.setdefault(score.model.model_name, score)
        if other is not score and _rank(score, models) > _rank(other, models):
            chosen[score.model.model_name] = score
    return chosen.values()


def _rank(score: StoredScore, models: Mapping[str, ModelInfo]) -> tuple[bool, Any]:
    info = models.get(score.model.model_name)
    is_served = info is not None and info.id.model_version == score.model.model_version
    return is_served, score.provenance.scored_dt


def stored_document(answer: StoredScore | ScoredModel) -> Document:
    """Return one model's answer in our shape."""
    outcome = answer.outcome
    if isinstance(outcome, ScoreFailure):
        return {
            "model_version": answer.model.model_version,
            "error": {"code": outcome.code, "message": outcome.message},
        }
    return {
        "model_version": answer.model.model_version,
        "prediction": outcome.prediction_value(),
        "probability": outcome.probability,
    }


def ores_models(models: Mapping[str, ModelInfo]) -> Document:
    """Return the versions of models as ORES v3 lists them."""
    return {"models": {name: {"version": info.id.model_version} for name, info in sorted(models.items())}}


def ores_score(score: Score) -> Document:
    """Return the score document that ORES v3 and Lift Wing share."""
    return {"prediction": score.prediction_value(), "probability": score.probability}


def ores_answers(rev_id: int, answers: Mapping[str, ScoredModel]) -> Document:
    """Return the answers about one revision by model name, each a score or a typed error."""
    document: Document = {}
    for name, answer in answers.items():
        if isinstance(answer.outcome, Score):
            entry: Document = {"score": ores_score(answer.outcome)}
        else:
            entry = {"error": ores_entry(answer.outcome, rev_id)}
        if answer.features is not None:
            entry["features"] = ores_features(answer.features)
        document[name] = entry
    return document


def ores_features(features: Mapping[str, FeatureValue]) -> Document:
    """Return features as ORES prints them: the values of a vector as one list."""
    document: Document = {}
    for name, value in features.items():
        whole, bracket, _ = name.rpartition("[")
        if bracket and name.startswith(_VECTOR):
            document.setdefault(whole, []).append(value)
        else:
            document[name] = value
    return document
