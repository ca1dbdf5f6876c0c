"""Rows and catalogues for tests of look-ups."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from schemas.catalogue import Catalogue, ModelInfo, ModelInfoDocument
from schemas.prediction import (
    ModelId,
    PredictionRow,
    Provenance,
    Score,
    ScoreFailure,
    ScoreKind,
    StoredScore,
)

REV_DT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SHA512 = "ab" * 64


def model_id(model_name: str, model_version: str = "1.0.0") -> ModelId:
    return ModelId(model_name, model_version, SHA512)


def binary(probability: float) -> Score:
    label = "true" if probability > 0.5 else "false"
    return Score(ScoreKind.BINARY, (label,), {"false": 1 - probability, "true": probability})


def stored(
    model_name: str,
    outcome: Score | ScoreFailure,
    *,
    model_version: str = "1.0.0",
    scored_after: timedelta = timedelta(seconds=1),
    namespace_id: int | None = None,
    is_bot: bool | None = None,
) -> StoredScore:
    provenance = Provenance(
        event_id="5f6c1f0e-0000-4000-8000-000000000001",
        source_topic="mediawiki.page_change.v1",
        source_partition=3,
        source_offset=77,
        event_dt=REV_DT,
        scored_dt=REV_DT + scored_after,
        namespace_id=namespace_id,
        is_bot=is_bot,
    )
    return StoredScore(model_id(model_name, model_version), outcome, provenance)


def row(
    *scores: StoredScore,
    wiki_id: str = "enwiki",
    page_id: int = 7,
    rev_id: int = 12345,
    rev_dt: datetime = REV_DT,
) -> PredictionRow:
    return PredictionRow(wiki_id, page_id, rev_id, rev_dt, scores)


def model_info(
    model_name: str, kind: ScoreKind = ScoreKind.BINARY, *, model_version: str = "1.0.0"
) -> ModelInfo:
    return ModelInfo(
        artefact=f"enwiki-{model_name}",
        id=model_id(model_name, model_version),
        kind=kind,
        labels=("false", "true"),
        document=ModelInfoDocument(type="Made", version=model_version),
        card={},
    )


def catalogue(wikis: Mapping[str, tuple[str, ...]]) -> Catalogue:
    return Catalogue(
        {wiki_id: {name: model_info(name) for name in names} for wiki_id, names in wikis.items()}
    )
