"""Our output schema admits what /mediawiki/revision/score/3.0.0 admits, and nothing else.

Formats are asserted on both sides: the gateways that take such events do so.
"""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.decode import decode_event
from schemas.page_change import PageChange
from schemas.prediction import ModelId, Score, ScoredModel, ScoreFailure, ScoreKind
from schemas.revision_score import revision_score_event
from tests.conftest import ROOT
from tests.input_events import encoded, page_change, page_changes, revision_create
from tests.property.test_decode_properties import json_values, places

OURS = jsonschema_rs.Draft7Validator(
    json.loads((ROOT / "schemas/jsonschema/revision_score.json").read_bytes()), validate_formats=True
)
MODEL = ModelId("reverted", "1.4.0", "ab" * 64)
OUTCOMES = (
    Score(ScoreKind.BINARY, ("false",), {"false": 0.75, "true": 0.25}),
    Score(ScoreKind.MULTILABEL, (), {}),
    ScoreFailure("parent_not_found", "gone"),
)
EDGES: list[Any] = [
        None, True, 0, 1, -1, 1.0, 1.5, 2**53, 2**53 - 1, -(2**53) + 1, -(2**53), 1e400, "", "x",
        "2026-11-01T10:00:00Z", "2026-11-01T10:00:00", "2026-11-01", "2026-02-30T00:00:00Z",
        "2026-11-01T10:00:00.5+02:00", "2026-11-01T10:00:00." + "0" * 120 + "Z", -(2**53) + 2, 2**53 + 2,
        "https://a.b/%zz", "a b",
        "http://[", "é", "x" * 8192, "x" * 8193, {}, [], [""], [1], {"x": {}}, {"x": 1}, {"x": None},
    ]  # fmt: skip


@pytest.fixture(scope="session")
def theirs(shared: Path) -> jsonschema_rs.Draft7Validator:
    path = shared / "schemas/jsonschema/mediawiki/revision/score/3.0.0.yaml"
    schema = yaml.safe_load(path.read_text("utf-8"))
    # It names its own meta-schema by an address that no validator knows.
    del schema["$schema"]
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True)


def our_event(change: object, outcome: Score | ScoreFailure) -> dict[str, Any]:
    assert isinstance(change, PageChange)
    event: dict[str, Any] = orjson.loads(revision_score_event(change, [ScoredModel(MODEL, outcome)]).value)
    return event


def our_events() -> list[dict[str, Any]]:
    return [
        our_event(decode_event(encoded(change)), outcome)
        for change in (page_change(), revision_create())
        for outcome in OUTCOMES
    ]


@pytest.fixture(scope="session")
def examples(shared: Path) -> list[Any]:
    """The examples that the schemas themselves give, of every schema."""
    lines = (shared / "data/events/schema_examples.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


OUR_EVENTS = our_events()


@st.composite
def mutated(draw: st.DrawFn, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an event with one to three values replaced, removed, or put where none was."""
    event: Any = copy.deepcopy(draw(st.sampled_from(events)))
    for _ in range(draw(st.integers(1, 3))):
        targets = places(event)
        *parents, last = ("root", *draw(st.sampled_from(targets)))
        target: Any = {"root": event}
        for parent in parents:
            target = target[parent]
        act = draw(st.sampled_from(("replace", "remove", "add")))
        if act == "replace" and parents:
            target[last] = draw(st.sampled_from(EDGES) | json_values)
        elif act == "remove" and parents:
            del target[last]
        elif act == "add" and isinstance(target[last], dict):
            names = st.sampled_from(("dt", "errors", "scores", "x", "performer", "user_id", "uri", "topic"))
            target[last][draw(names)] = draw(st.sampled_from(EDGES) | json_values)
    return event  # type: ignore[no-any-return]  # the root is never replaced


def test_both_agree_on_every_example_of_every_schema(
    examples: list[Any], theirs: jsonschema_rs.Draft7Validator
) -> None:
    verdicts = set()
    for event in examples:
        assert OURS.is_valid(event) == theirs.is_valid(event)
        verdicts.add(OURS.is_valid(event))
    assert verdicts == {True, False}


def test_both_admit_the_events_that_we_send(theirs: jsonschema_rs.Draft7Validator) -> None:
    for event in OUR_EVENTS:
        assert theirs.is_valid(event)
        assert OURS.is_valid(event)


def with_everything() -> dict[str, Any]:
    """Return an event that has every field of the schema."""
    return OUR_EVENTS[0] | {"errors": OUR_EVENTS[2]["errors"]}


def test_both_agree_at_every_place_on_every_edge(theirs: jsonschema_rs.Draft7Validator) -> None:
    event = with_everything()
    assert OURS.is_valid(event)
    verdicts = []
    for *parents, last in places(event)[1:]:
        for value in [*EDGES, ...]:
            changed = copy.deepcopy(event)
            target: Any = changed
            for parent in parents:
                target = target[parent]
            if value is ...:
                del target[last]
            else:
                target[last] = value
            verdicts.append(OURS.is_valid(changed))
            assert verdicts[-1] == theirs.is_valid(changed), (*parents, last, value)
    assert 0 < sum(verdicts) < len(verdicts)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_both_agree_on_events_damaged_in_any_way(
    data: st.DataObject, examples: list[Any], theirs: jsonschema_rs.Draft7Validator
) -> None:
    scores = [event for event in examples if "/revision/score/" in str(event["$schema"])]
    event = data.draw(mutated(OUR_EVENTS + scores))
    assert OURS.is_valid(event) == theirs.is_valid(event)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(event=page_changes(), outcome=st.sampled_from(OUTCOMES))
def test_every_change_that_decodes_gives_an_event_that_they_admit(
    event: dict[str, Any], outcome: Score | ScoreFailure, theirs: jsonschema_rs.Draft7Validator
) -> None:
    assert theirs.is_valid(our_event(decode_event(encoded(event)), outcome))


def test_every_real_change_gives_an_event_that_they_admit(
    shared: Path, theirs: jsonschema_rs.Draft7Validator
) -> None:
    paths = sorted((shared / "data/events").glob("page_change_1.2/*/*.json"))
    lines = [path.read_bytes() for path in paths]
    lines += (shared / "data/events/page_change_1.12/wikipedia-page-change.jsonl").read_bytes().splitlines()
    assert len(lines) == 18
    for line in lines:
        assert theirs.is_valid(our_event(decode_event(line), OUTCOMES[0]))


@pytest.mark.parametrize(
    "wrong", [{"dt": "2026-11-01T10:00:00"}, {"dt": "soon"}, {"meta": {"stream": "s", "uri": "http://["}}]
)
def test_formats_are_asserted(wrong: dict[str, Any], theirs: jsonschema_rs.Draft7Validator) -> None:
    event = OUR_EVENTS[0] | wrong
    assert not OURS.is_valid(event)
    assert not theirs.is_valid(event)
