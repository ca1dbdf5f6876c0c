"""The path language of ``model_info``, its defaults, its errors, and the shape that MediaWiki reads."""

import json
from typing import Any

import numpy as np
import pytest

from models.manifest import Environment, ImportedFrom, Manifest
from models.statistics import (
    DEFAULT_FIELDS,
    METRICS,
    describe,
    describe_model,
    model_info,
    score_schema,
)
from models.statistics.formula import Formula, parse_formula
from models.statistics.paths import parse_path, parse_paths
from models.statistics.rounding import cut
from schemas.catalogue import ModelInfoDocument
from schemas.errors import InfoPathMalformed, InfoPathUnknown, ModelCorrupt, RequestInvalid
from schemas.prediction import ScoreKind


@pytest.fixture(scope="module")
def document() -> ModelInfoDocument:
    random = np.random.default_rng(7)
    true = random.random(2_000)
    actual = (random.random(2_000) >= true**3).astype(np.intp)
    described = describe(
        actual,
        np.column_stack([true, 1 - true]),
        (true < 0.5).astype(np.intp),
        (True, False),
        population_rates={True: 0.03, False: 0.97},
    )
    described["cross_validation"] = {"folds": 5, "roc_auc": {"mean": 0.91234}}
    return ModelInfoDocument(
        type="GradientBoosting",
        version="0.5.1",
        params={"n_estimators": 700, "labels": [True, False]},
        environment={"revscoring_version": "2.11.13", "python_version": "3.11.7"},
        statistics=json.loads(json.dumps(described, sort_keys=True)),
        score_schema=score_schema(ScoreKind.BINARY, ("false", "true")),
    )


def test_nothing_asked_gives_all_sections_with_the_default_fields(document: ModelInfoDocument) -> None:
    answer = model_info(document)
    assert list(answer) == ["type", "version", "params", "environment", "statistics", "score_schema"]
    assert list(answer["statistics"]) == list(DEFAULT_FIELDS)
    assert set(answer["statistics"]["recall"]) == {"micro", "macro", "labels"}
    assert set(answer["statistics"]["recall"]["labels"]) == {"true", "false"}
    assert answer == model_info(document, "||")


def test_several_paths_become_one_tree(document: ModelInfoDocument) -> None:
    answer = model_info(document, "version|statistics.f1|environment.python_version|statistics.counts.n")
    assert answer["version"] == "0.5.1"
    assert answer["environment"] == {"python_version": "3.11.7"}
    assert list(answer["statistics"]) == ["f1", "counts"]
    assert answer["statistics"]["counts"] == {"n": 2_000}


def test_the_extension_gets_one_entry_per_formula_in_order_and_null_where_none_fits(
    document: ModelInfoDocument,
) -> None:
    answer = model_info(
        document,
        'statistics.thresholds.true."maximum filter_rate @ recall >= 0.75"'
        '|statistics.thresholds.true."maximum recall @ precision >= 1.1"'
        '|statistics.thresholds.false."maximum recall @ precision >= 0.999"'
        '|statistics.thresholds.true."minimum recall @ precision >= 0.01"',
    )
    found = answer["statistics"]["thresholds"]
    assert list(found) == ["true", "false"]
    assert [entry and list(entry) for entry in found["true"]] == [
        ["threshold", *METRICS],
        None,
        ["threshold", *METRICS],
    ]
    assert found["true"][0]["recall"] >= 0.75
    assert len(found["false"]) == 1


def test_metrics_are_cut_to_three_digits_and_thresholds_of_formulas_are_not(
    document: ModelInfoDocument,
) -> None:
    table = document.statistics["thresholds"]["true"]
    values = [float(value) + 0.00012345 for value in table["thresholds"].split()]
    exact = {**table, "thresholds": " ".join(map(repr, values))}
    statistics = {**document.statistics, "thresholds": {"true": exact}}
    fine = ModelInfoDocument(type="", version="", statistics=statistics)
    path = 'statistics.thresholds.true."maximum recall @ precision >= 0.3"'
    (entry,) = model_info(fine, path)["statistics"]["thresholds"]["true"]
    assert entry["threshold"] in values
    assert all(round(entry[name] * 1000) == pytest.approx(entry[name] * 1000) for name in METRICS)
    rows = model_info(fine, "statistics.thresholds.true")["statistics"]["thresholds"]["true"]
    assert [row["threshold"] for row in rows] == [cut(value, 5) for value in values]
    assert list(rows[0]) == ["threshold", *METRICS]
    assert (rows[0]["recall"], rows[0]["match_rate"]) == (1, 1)


def test_a_formula_over_all_labels_gives_their_thresholds_with_averages(document: ModelInfoDocument) -> None:
    formula = "maximum recall @ precision >= 0.6"
    over_all = model_info(document, f'statistics."{formula}"')["statistics"][formula]
    for label in ("true", "false"):
        path = f'statistics.thresholds.{label}."{formula}"'
        (entry,) = model_info(document, path)["statistics"]["thresholds"][label]
        assert over_all["labels"][label] == cut(entry and entry["threshold"])


def test_labels_are_tried_as_text_then_boolean_then_number(document: ModelInfoDocument) -> None:
    by_name = model_info(document, "statistics.thresholds.true")["statistics"]["thresholds"]["true"]
    by_number = model_info(document, "statistics.thresholds.1")["statistics"]["thresholds"]["1"]
    assert by_name == by_number


@pytest.mark.parametrize(
    ("paths", "key"),
    [
        ("foo", "foo"),
        ("version|statistics.foo", "foo"),
        ("statistics.labels", "labels"),
        ("statistics.default_fields", "default_fields"),
        ("statistics.thresholds.maybe", "maybe"),
        ("statistics.thresholds.2", "2"),
        ("statistics.counts.labels.maybe", "maybe"),
        ("statistics.rates.world", "world"),
        ("environment.cpu", "cpu"),
        ('statistics.thresholds.true."maximum joy @ precision >= 0.9"', "joy"),
        ('statistics.thresholds.true."maximum recall @ !joy >= 0.9"', "!joy"),
        ('statistics."maximum joy @ recall >= 0.9"', "joy"),
        ('statistics.thresholds.true."maximum recall @ precision >= 0.1".joy', "joy"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_in_ores_words(
    document: ModelInfoDocument, paths: str, key: str
) -> None:
    with pytest.raises(InfoPathUnknown) as caught:
        model_info(document, paths)
    assert caught.value.message == f"Model information could not be retrieved for {key!r}"
    assert isinstance(caught.value, RequestInvalid)


@pytest.mark.parametrize(
    "paths",
    [
        "statistics.thresholds.true.nonsense",
        'statistics.thresholds.true."maximum recall at precision >= 0.9"',
        'statistics.thresholds.true."maximum recall @ precision > 0.9"',
        'statistics.thresholds.true."maximum  recall @ precision >= 0.9"',
        'statistics.thresholds.true."maximum recall @ precision >= x"',
        'statistics.thresholds.true."maximum recall @ precision >= 0.9',
        "statistics..recall",
        ".",
    ],
)
def test_what_cannot_be_read_is_told_apart_from_what_is_unknown(
    document: ModelInfoDocument, paths: str
) -> None:
    with pytest.raises(InfoPathMalformed):
        model_info(document, paths)


def test_paths_below_what_ores_shows_whole_are_disregarded(document: ModelInfoDocument) -> None:
    whole = model_info(document, "statistics.recall|params|version")
    assert whole == model_info(document, "statistics.recall.labels.true|params.seed|version.major")


def test_what_is_known_under_its_own_name_is_answered_when_asked(document: ModelInfoDocument) -> None:
    assert model_info(document, "statistics.cross_validation.roc_auc") == {
        "statistics": {"cross_validation": {"roc_auc": {"mean": 0.912}}}
    }


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("", []),
        ("a.b.c", ["a", "b", "c"]),
        ('a."b.c".d', ["a", "b.c", "d"]),
        ("a.'b'.c", ["a", "b", "c"]),
        ('a."maximum x @ y >= 0.9"', ["a", "maximum x @ y >= 0.9"]),
        ("a.'say \"b.c\"'", ["a", 'say "b.c']),
        ('"a.b.c"', ["a.b.c"]),
    ],
)
def test_paths_are_split_at_dots_outside_quotes(path: str, segments: list[str]) -> None:
    assert parse_path(path) == segments


def test_the_order_of_asking_is_kept_and_repetition_is_not() -> None:
    assert parse_paths("b.y|a|b.x|b.y") == {"b": {"y": {}, "x": {}}, "a": {}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("maximum recall @ precision >= 0.9", Formula(True, "recall", "precision", True, 0.9)),
        ("  Minimum !F1 @ FPR <= .05 ", Formula(False, "!f1", "fpr", False, 0.05)),
        ("minimum recall @ precision >= -1", Formula(False, "recall", "precision", True, -1.0)),
        ("maximum recall @ precision >= 0.9 please", Formula(True, "recall", "precision", True, 0.9)),
    ],
)
def test_formulas_are_read_as_ores_reads_them(text: str, expected: Formula) -> None:
    assert parse_formula(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0625, 0.062), (0.0005, 0.0), (0.0015, 0.002), (1, 1.0), (None, None), (float("nan"), None)],
)
def test_numbers_are_cut_with_halves_to_even(value: float | None, expected: float | None) -> None:
    assert cut(value) == expected


def test_a_model_without_statistics_has_no_such_section() -> None:
    document = ModelInfoDocument(type="Langid", version="1")
    assert "statistics" not in model_info(document)
    with pytest.raises(InfoPathUnknown):
        model_info(document, "statistics.recall")


def test_statistics_of_another_shape_are_answered_as_they_are() -> None:
    older = {"f1": {"labels": {"true": 0.123456}}, "thresholds": {"true": [{"threshold": 0.5}]}}
    document = ModelInfoDocument(type="", version="", statistics=older)
    assert model_info(document)["statistics"] == {"f1": {"labels": {"true": 0.123}}}
    assert model_info(document, "statistics.thresholds.true") == {
        "statistics": {"thresholds": {"true": [{"threshold": 0.5}]}}
    }


@pytest.mark.parametrize("change", [{"labels": "true"}, {"thresholds": {"true": [1]}}, {"labels": [[1]]}])
def test_broken_statistics_are_told(document: ModelInfoDocument, change: dict[str, Any]) -> None:
    broken = ModelInfoDocument(type="", version="", statistics={**document.statistics, **change})
    with pytest.raises(ModelCorrupt, match="statistics of a model"):
        model_info(broken, "statistics")


def test_an_artefact_of_our_own_describes_itself() -> None:
    manifest = Manifest(
        name="enwiki-reverted",
        model_name="reverted",
        model_version="0.1.0",
        kind=ScoreKind.MULTILABEL,
        labels=("a", "b"),
        scorer="revscoring",
        estimator={"kind": "gradient_boosting", "parameters": {"n_estimators": 10}},
        environment=Environment({"python": "3.11.7", "scikit-learn": "1.9.1"}),
        licence="Apache-2.0",
        owner="us",
    )
    answer = model_info(describe_model(manifest))
    assert answer["type"] == "GradientBoosting"
    assert answer["version"] == "0.1.0"
    assert answer["params"] == {"n_estimators": 10, "labels": ["a", "b"]}
    assert answer["environment"] == {"python_version": "3.11.7", "scikit-learn_version": "1.9.1"}
    assert answer["score_schema"]["properties"]["prediction"]["type"] == "array"
    assert set(answer["score_schema"]["properties"]["probability"]["properties"]) == {"a", "b"}


def test_an_imported_artefact_says_what_its_file_said() -> None:
    manifest = Manifest(
        name="nlwiki-articlequality",
        model_name="articlequality",
        model_version="0.8.0",
        kind=ScoreKind.MULTICLASS,
        labels=("E", "D"),
        scorer="revscoring",
        estimator={"kind": "gradient_boosting", "parameters": {"n_estimators": 10}},
        environment=Environment({"python": "3.8.5"}),
        imported=ImportedFrom(
            file="nlwiki.wp10.gradient_boosting.model",
            sha512="0" * 128,
            compression="none",
            kind="revscoring.scoring.models.gradient_boosting.GradientBoosting",
            release="revscoring 2",
            parameters={"scale": True, "label_weights": None},
            environment={"platform": "Linux", "python_version": "3.8.5"},
        ),
        licence="MIT",
        owner="them",
    )
    answer = model_info(describe_model(manifest), "type|params|environment|score_schema")
    assert answer["type"] == "GradientBoosting"
    assert answer["params"] == {"scale": True, "label_weights": None}
    assert answer["environment"] == {"platform": "Linux", "python_version": "3.8.5"}
    assert answer["score_schema"]["properties"]["prediction"]["type"] == "string"
