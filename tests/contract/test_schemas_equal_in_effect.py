"""Our output schemas admit what those of Wikimedia's streams admit, and nothing else.

Formats are asserted on both sides: the gateways that take such events do so.
"""

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.decode import decode_event
from schemas.output_event import OutputEvent, schema_document
from schemas.page_change import PageChange
from schemas.page_prediction import document_of_1_3, page_prediction_event, page_withdrawal_event
from schemas.prediction import ModelId, Score, ScoredModel, ScoreFailure, ScoreKind
from schemas.revision_score import revision_score_event
from schemas.weighted_tags import TagGroup, weighted_tags_event
from tests.input_events import encoded, page_change, page_changes, revision_create, user
from tests.property.test_decode_properties import json_values, places

MODEL = ModelId("reverted", "1.4.0", "ab" * 64)
OUTCOMES: tuple[Score | ScoreFailure, ...] = (
    Score(ScoreKind.BINARY, ("false",), {"false": 0.75, "true": 0.25}),
    Score(ScoreKind.MULTILABEL, (), {}),
    ScoreFailure("parent_not_found", "gone"),
)
NAMES = ("dt", "errors", "scores", "x", "performer", "user_id", "uri", "topic", "page", "clear", "set", "tag")
EDGES: list[Any] = [
        None, True, 0, 1, -1, 1.0, 1.5, 2**53, 2**53 - 1, -(2**53) + 1, -(2**53), 1e400, "", "x",
        "2026-11-01T10:00:00Z", "2026-11-01T10:00:00", "2026-11-01", "2026-02-30T00:00:00Z",
        "2026-11-01T10:00:00.5+02:00", "2026-11-01T10:00:00." + "0" * 120 + "Z", -(2**53) + 2, 2**53 + 2,
        "https://a.b/%zz", "a b",
        "http://[", "é", "x" * 8192, "x" * 8193, {}, [], [""], [1], {"x": {}}, {"x": 1}, {"x": None},
    ]  # fmt: skip


def changed(event: dict[str, Any]) -> PageChange:
    change = decode_event(encoded(event))
    assert isinstance(change, PageChange)
    return change


def scores(change: PageChange, outcome: Score | ScoreFailure) -> OutputEvent:
    return revision_score_event(change, [ScoredModel(MODEL, outcome)])


def page_level(change: PageChange, outcome: Score | ScoreFailure) -> OutputEvent:
    if isinstance(outcome, ScoreFailure):
        return page_withdrawal_event(change, MODEL, stream="moss.pages")
    previous = MODEL, Score(ScoreKind.MULTILABEL, ("before",), {"before": 0.5})
    return page_prediction_event(change, MODEL, outcome, stream="moss.pages", previous=previous)


def tags(change: PageChange, outcome: Score | ScoreFailure) -> OutputEvent:
    score = None if isinstance(outcome, ScoreFailure) else outcome
    return weighted_tags_event(change, [TagGroup("moss", MODEL, score)])


def suppression() -> dict[str, Any]:
    hidden = {f"is_{part}_visible": False for part in ("content", "editor", "comment")}
    return page_change(page_change_kind="delete", revision=page_change()["revision"] | hidden, performer=None)


class Pair(NamedTuple):
    """A schema of theirs, and ours.

    Attributes:
        uri: Of theirs, in the folder of schemas and within events.
        ours: Our document.
        written: Writes an event of ours.
        rest: Fields that ours never have, so that every place of the schema is looked at.
    """

    uri: str
    ours: dict[str, Any]
    written: Callable[[PageChange, Score | ScoreFailure], OutputEvent]
    rest: dict[str, Any]

    @property
    def validator(self) -> jsonschema_rs.Draft7Validator:
        return jsonschema_rs.Draft7Validator(self.ours, validate_formats=True)

    def event(self, change: PageChange, outcome: Score | ScoreFailure) -> dict[str, Any]:
        event: dict[str, Any] = orjson.loads(self.written(change, outcome).value)
        return event

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events of ours, of each form."""
        inputs = page_change(comment="why", page_change_kind="move"), revision_create(), suppression()
        return [self.event(changed(one), outcome) for one in inputs for outcome in OUTCOMES]

    @property
    def with_everything(self) -> dict[str, Any]:
        """An event that has every field of the schema."""
        return _merged(self.events[0], self.rest)


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(one[key], other[key]) for key in one.keys() & other if isinstance(one[key], dict)}
    return one | other | both


_PERSON = {key: value for key, value in user().items() if key != "wiki_id"}
_PAGE = {"page_id": 1, "page_title": "x", "namespace_id": 0, "is_redirect": False}
_FAILURE = {"model_name": "m", "model_version": "1", "type": "t", "message": "m"}
PAIRS = {
    pair.uri: pair
    for pair in (
        Pair(
            "/mediawiki/revision/score/3.0.0",
            schema_document("revision_score"),
            scores,
            {"errors": {"damaging": _FAILURE}},
        ),
        Pair(
            "/mediawiki/page/prediction_classification_change/1.2.0",
            schema_document("page_prediction"),
            page_level,
            {
                "page": {"revision_count": 3, "redirect_page_link": _PAGE | {"interwiki_prefix": "w"}},
                "created_redirect_page": _PAGE | {"revision_count": 3},
                "prior_state": {
                    "page": _PAGE | {"revision_count": 3},
                    "revision": {
                        "rev_id": 5,
                        "rev_dt": "2026-11-01T10:00:00Z",
                        "rev_parent_id": 4,
                        "rev_sha1": "a",
                        "rev_size": 3,
                        "comment": "c",
                        "editor": _PERSON,
                        "is_minor_edit": False,
                        "is_content_visible": True,
                        "is_editor_visible": True,
                        "is_comment_visible": True,
                    },
                },
            },
        ),
        Pair(
            "/mediawiki/cirrussearch/page_weighted_tags_change/1.0.0",
            schema_document("weighted_tags"),
            tags,
            {"page": {"is_redirect": True}, "weighted_tags": {"clear": ["a", "b"]}},
        ),
    )
}


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


@pytest.fixture
def theirs(shared: Path, pair: Pair) -> jsonschema_rs.Draft7Validator:
    return their_validator(shared, pair.uri)


def their_validator(shared: Path, uri: str) -> jsonschema_rs.Draft7Validator:
    schema = yaml.safe_load((shared / f"schemas/jsonschema{uri}.yaml").read_text("utf-8"))
    return jsonschema_rs.Draft7Validator(_plain(schema), validate_formats=True)


def _plain(schema: Any) -> Any:
    """Return a schema without names and meta-schemas of its parts, by addresses that no validator knows."""
    if isinstance(schema, dict):
        is_schema = isinstance(schema.get("$id"), str)
        return {
            key: _plain(value)
            for key, value in schema.items()
            if not (key in {"$id", "$schema"} and (is_schema or isinstance(value, str)))
        }
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema


@pytest.fixture(scope="session")
def examples(shared: Path) -> list[Any]:
    """The examples that the schemas themselves give, of every schema."""
    lines = (shared / "data/events/schema_examples.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


@st.composite
def mutated(draw: st.DrawFn, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
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
            target[last][draw(st.sampled_from(NAMES))] = draw(st.sampled_from(EDGES) | json_values)
    return event  # type: ignore[no-any-return]  # the root is never replaced


def test_both_agree_on_every_example_of_every_schema(
    examples: list[Any], pair: Pair, theirs: jsonschema_rs.Draft7Validator
) -> None:
    ours, verdicts = pair.validator, set()
    for event in examples:
        assert ours.is_valid(event) == theirs.is_valid(event)
        verdicts.add(ours.is_valid(event))
    assert verdicts == {True, False}


def test_both_admit_the_events_that_we_send(pair: Pair, theirs: jsonschema_rs.Draft7Validator) -> None:
    for event in pair.events:
        assert event["$schema"] == pair.uri
        assert theirs.is_valid(event)
        assert pair.validator.is_valid(event)


def test_several_models_with_and_without_a_score_make_one_event_that_they_admit(shared: Path) -> None:
    models = [
        ScoredModel(ModelId(f"model{number}", "1", "ab" * 64), outcome)
        for number, outcome in enumerate(OUTCOMES)
    ]
    told = orjson.loads(revision_score_event(changed(page_change()), models, stream="all").value)
    assert told["scores"].keys() == {"model0", "model1"}
    assert told["errors"].keys() == {"model2"}
    assert their_validator(shared, "/mediawiki/revision/score/3.0.0").is_valid(told)


def test_both_agree_at_every_place_on_every_edge(pair: Pair, theirs: jsonschema_rs.Draft7Validator) -> None:
    event, ours = pair.with_everything, pair.validator
    assert ours.is_valid(event)
    verdicts = []
    for *parents, last in places(event)[1:]:
        for value in [*EDGES, ...]:
            damaged = copy.deepcopy(event)
            target: Any = damaged
            for parent in parents:
                target = target[parent]
            if value is ...:
                del target[last]
            else:
                target[last] = value
            verdicts.append(ours.is_valid(damaged))
            assert verdicts[-1] == theirs.is_valid(damaged), (*parents, last, value)
    assert 0 < sum(verdicts) < len(verdicts)


def test_the_event_with_everything_has_every_field_of_their_schema(shared: Path, pair: Pair) -> None:
    schema = yaml.safe_load((shared / f"schemas/jsonschema{pair.uri}.yaml").read_text("utf-8"))
    assert set(_fields(schema)) <= {
        ".".join(str(part) for part in place) for place in places(pair.with_everything)
    }


def _fields(schema: dict[str, Any], path: tuple[str, ...] = ()) -> list[str]:
    found = []
    for name, inner in schema.get("properties", {}).items():
        found += [".".join((*path, name)), *_fields(inner, (*path, name))]
    return found


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_both_agree_on_events_damaged_in_any_way(
    data: st.DataObject, examples: list[Any], pair: Pair, theirs: jsonschema_rs.Draft7Validator
) -> None:
    alike = [event for event in examples if event["$schema"] == pair.uri]
    event = data.draw(mutated([*pair.events, pair.with_everything, *alike]))
    assert pair.validator.is_valid(event) == theirs.is_valid(event)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(event=page_changes(), outcome=st.sampled_from(OUTCOMES))
def test_every_change_that_decodes_gives_an_event_that_they_admit(
    event: dict[str, Any], outcome: Score | ScoreFailure, pair: Pair, theirs: jsonschema_rs.Draft7Validator
) -> None:
    event["page_change_kind"] = event["page_change_kind"].partition("_of_")[0].replace("rename", "edit")
    if pair.written is tags:
        # Where there is no page there is nothing to find: no event is made of it.
        event["page"]["namespace_id"] = abs(event["page"]["namespace_id"])
    assert theirs.is_valid(pair.event(changed(event), outcome))


def test_every_real_change_gives_events_that_they_admit(
    shared: Path, pair: Pair, theirs: jsonschema_rs.Draft7Validator
) -> None:
    paths = sorted((shared / "data/events").glob("page_change_1.2/*/*.json"))
    lines = [path.read_bytes() for path in paths]
    lines += (shared / "data/events/page_change_1.12/wikipedia-page-change.jsonl").read_bytes().splitlines()
    assert len(lines) == 18
    versions = set()
    for line in lines:
        change = decode_event(line)
        assert isinstance(change, PageChange)
        for outcome in OUTCOMES:
            event = pair.event(change, outcome)
            versions.add(event["$schema"])
            assert theirs.is_valid(event if event["$schema"] == pair.uri else as_1_2(event))
    assert len(versions) == (2 if pair.written is page_level else 1)


def as_1_2(event: dict[str, Any]) -> dict[str, Any]:
    """Return a page-level event of 1.3.0 without what that version added."""
    event = copy.deepcopy(event) | {"$schema": "/mediawiki/page/prediction_classification_change/1.2.0"}
    prior = event.get("prior_state", {})
    for page in (event["page"], event.get("created_redirect_page", {}), prior.get("page", {})):
        page.pop("namespace_is_content", None)
    revisions = event["revision"], prior.get("revision", {})
    for person in (event.get("performer", {}), *(each.get("editor", {}) for each in revisions)):
        person.pop("wiki_id", None)
    return event


def test_version_1_3_admits_what_it_added_and_is_version_1_2_without(shared: Path) -> None:
    pair = PAIRS["/mediawiki/page/prediction_classification_change/1.2.0"]
    newer = jsonschema_rs.Draft7Validator(document_of_1_3(), validate_formats=True)
    theirs = their_validator(shared, pair.uri)
    event = pair.with_everything
    assert newer.is_valid(event)
    added = copy.deepcopy(event)
    for page in (added["page"], added["created_redirect_page"], added["prior_state"]["page"]):
        page["namespace_is_content"] = True
    for person in (
        added["performer"],
        added["revision"]["editor"],
        added["prior_state"]["revision"]["editor"],
    ):
        person["wiki_id"] = "mosswiki"
    assert newer.is_valid(added)
    assert not theirs.is_valid(added)
    assert theirs.is_valid(as_1_2(added))
    for place in ("page", "performer"):
        assert not newer.is_valid(event | {place: event[place] | {"namespace_is_content": "yes"}})
        assert not newer.is_valid(event | {place: event[place] | {"wiki_id": ""}})


@pytest.mark.parametrize(
    "wrong", [{"dt": "2026-11-01T10:00:00"}, {"dt": "soon"}, {"meta": {"stream": "s", "uri": "http://["}}]
)
def test_formats_are_asserted(
    wrong: dict[str, Any], pair: Pair, theirs: jsonschema_rs.Draft7Validator
) -> None:
    event = pair.events[0] | wrong
    assert not pair.validator.is_valid(event)
    assert not theirs.is_valid(event)
