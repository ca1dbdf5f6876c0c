"""Strategies that give rows of every shape."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from schemas.prediction import (
    ModelId,
    PredictionRow,
    Provenance,
    Score,
    ScoreFailure,
    ScoreKind,
    StoredScore,
    Withdrawal,
)

texts = st.text(st.characters(codec="utf-8"), max_size=90)
longs = st.integers(-(2**63), 2**63 - 1)
_recent = st.timedeltas(timedelta(0), timedelta(days=36500)).map(
    lambda age: datetime(2001, 1, 1, tzinfo=UTC) + age
)
times = _recent | st.datetimes(timezones=st.just(UTC))
hashes = st.binary(min_size=64, max_size=64).map(bytes.hex)
models = st.builds(ModelId, model_name=texts, model_version=texts, model_sha512=hashes)
scores = st.builds(
    Score,
    kind=st.sampled_from(ScoreKind),
    prediction=st.lists(texts, max_size=3).map(tuple),
    probability=st.dictionaries(texts, st.floats(allow_nan=False), max_size=4),
)
failures = st.builds(ScoreFailure, code=texts, message=texts)
provenances = st.builds(
    Provenance,
    event_id=texts,
    source_topic=texts,
    source_partition=st.integers(0, 2**31 - 1),
    source_offset=longs,
    event_dt=times,
    scored_dt=times,
    namespace_id=st.none() | longs,
    is_bot=st.none() | st.booleans(),
)
stored_scores = st.builds(StoredScore, model=models, outcome=scores | failures, provenance=provenances)
withdrawals = st.builds(
    Withdrawal,
    is_hidden=st.booleans(),
    acted_dt=times,
    source_offset=longs,
    erased_dt=st.none() | times,
)
rows = st.builds(
    PredictionRow,
    wiki_id=texts,
    page_id=longs,
    rev_id=longs,
    rev_dt=times,
    scores=st.lists(stored_scores, max_size=4).map(tuple),
    withdrawal=st.none() | withdrawals,
)

# Few values each, so that rows meet: the same model, the same time, the same revision.
START = datetime(2026, 11, 1, tzinfo=UTC)
_few_times = st.integers(0, 2).map(lambda seconds: START + timedelta(seconds=seconds))
_few_scores = st.builds(
    StoredScore,
    model=st.builds(
        ModelId,
        model_name=st.sampled_from(("damaging", "reverted")),
        model_version=st.sampled_from(("1.0.0", "1.0.1")),
        model_sha512=st.sampled_from(("ab" * 64, "cd" * 64)),
    ),
    outcome=st.builds(ScoreFailure, st.sampled_from(("feature_error", "scorer_crashed")), st.just("why"))
    | st.sampled_from((0.25, 0.75)).map(
        lambda p: Score(ScoreKind.BINARY, ("true",), {"true": p, "false": 1 - p})
    ),
    provenance=st.builds(
        Provenance,
        event_id=st.sampled_from(("a", "b")),
        source_topic=st.just("t"),
        source_partition=st.just(0),
        source_offset=st.integers(0, 1),
        event_dt=_few_times,
        scored_dt=_few_times,
    ),
)
few_withdrawals = st.none() | st.builds(
    Withdrawal,
    is_hidden=st.booleans(),
    acted_dt=_few_times,
    source_offset=st.integers(0, 1),
    erased_dt=st.none() | _few_times,
)


def _kept(scores_of_any_order: list[StoredScore]) -> tuple[StoredScore, ...]:
    by_model = {(each.model.model_name, each.model.model_version): each for each in scores_of_any_order}
    return tuple(by_model[key] for key in sorted(by_model))


def few_rows(
    rev_ids: st.SearchStrategy[int], page_ids: st.SearchStrategy[int]
) -> st.SearchStrategy[PredictionRow]:
    """Return rows of a few revisions and pages, as tables keep them: scores sorted and single."""
    return st.builds(
        PredictionRow,
        wiki_id=st.just("mosswiki"),
        page_id=page_ids,
        rev_id=rev_ids,
        rev_dt=_few_times,
        scores=st.lists(_few_scores, max_size=4).map(_kept),
        withdrawal=few_withdrawals,
    )
