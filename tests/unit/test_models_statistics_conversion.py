"""Statistics inside pickled models of every release: read to the last bit, and answered as they were."""

import bz2
import functools
import importlib
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from models.pickles import Global, Instance, read_pickle
from models.statistics import (
    DEFAULT_FIELDS,
    METRICS,
    convert_statistics,
    model_info,
    roc_auc,
)
from models.statistics.document import StatisticsDocument
from models.statistics.sample import areas
from models.statistics.thresholds import ThresholdTable
from schemas.catalogue import ModelInfoDocument
from schemas.errors import ModelCorrupt

# Rows, rows of the first label, its areas, micro-average of recall, thresholds of the first label.
FIGURES: dict[str, tuple[int, int, float, float | None, float, int] | None] = {
    "articlequality__enwiki.nettrom_wp10.gradient_boosting.model": (
        32437,
        5487,
        0.975995,
        0.980458,
        0.741463,
        654,
    ),
    "articlequality__euwiki.wp10.gradient_boosting.model": (282, 50, 0.917788, 0.749675, 0.48227, 135),
    "articlequality__nlwiki.wp10.gradient_boosting.model": (1649, 330, 0.989086, 0.973296, 0.716178, 261),
    "articlequality__wikidatawiki.item_quality.rf.model": (5000, 322, 0.982523, 0.86926, 0.8642, 499),
    "draftquality__enwiki.draft_quality.gradient_boosting.model.bz2": (
        201261,
        175000,
        0.979491,
        0.999335,
        0.970708,
        1001,
    ),
    "editquality__arwiki.damaging.gradient_boosting.model": (18637, 340, 0.937833, 0.275652, 0.978493, 444),
    "editquality__arwiki.goodfaith.gradient_boosting.model": (18637, 18548, 0.978749, 0.995306, 0.993807, 63),
    "editquality__arwiki.reverted.rf.model": (3992, 134, 0.875569, 0.38791, 0.966182, 11),
    "editquality__dewiki.damaging.gradient_boosting.model": (18692, 561, 0.934201, 0.506522, 0.927677, 946),
    "editquality__dewiki.goodfaith.gradient_boosting.model": (
        18692,
        18330,
        0.980009,
        0.993834,
        0.985623,
        255,
    ),
    "editquality__dewiki.reverted.gradient_boosting.model": (19756, 793, 0.906167, 0.515725, 0.922175, 961),
    "editquality__enwiki.damaging.linear_svc.model": (11930, 485, 0.898574, None, 0.811484, 0),
    "editquality__eswiki.damaging.gradient_boosting.model": (19007, 2519, 0.922013, 0.645293, 0.782378, 998),
    "editquality__eswiki.goodfaith.gradient_boosting.model": (19007, 17193, 0.935819, 0.79348, 0.869536, 998),
    "editquality__eswikiquote.reverted.gradient_boosting.model": (
        11795,
        845,
        0.941186,
        0.617946,
        0.896054,
        951,
    ),
    "editquality__fawiki.damaging.gradient_boosting.model": (38879, 1178, 0.963843, 0.375572, 0.9364, 963),
    "editquality__ruwiki.goodfaith.gradient_boosting.model": (
        18406,
        17883,
        0.929063,
        0.997826,
        0.936516,
        886,
    ),
    "editquality__svwiki.damaging.gradient_boosting.model": (38073, 605, 0.976514, 0.724746, 0.976726, 864),
    "editquality__wikidatawiki.goodfaith.gradient_boosting.model": (
        16258,
        14155,
        0.971667,
        0.995789,
        0.943905,
        733,
    ),
    "ores__azwiki.reverted.RBF_svc.model": None,
    "ores__azwiki.reverted.bernoulli_nb.model": None,
    "ores__azwiki.reverted.gaussian_nb.model": None,
}
OF_2 = [name for name, found in FIGURES.items() if found and "linear_svc" not in name and ".rf." not in name]
OF_2.append("articlequality__wikidatawiki.item_quality.rf.model")
FORMULAS = (
    "maximum recall @ precision >= 0.9",
    "maximum filter_rate @ recall >= 0.75",
    "minimum match_rate @ recall >= 0.95",
    "maximum !precision @ fpr <= 0.01",
    "maximum f1 @ match_rate >= 2",
)


@functools.cache
def pickled(path: Path) -> Any:
    data = path.read_bytes()
    return read_pickle(bz2.decompress(data) if path.suffix == ".bz2" else data)


@pytest.fixture
def folder(shared: Path) -> Path:
    return shared / "data" / "models" / "revscoring"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Revscoring logs each average that it cannot make."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))


def info_of(statistics: dict[str, Any]) -> ModelInfoDocument:
    return ModelInfoDocument(type="Made", version="1.0.0", statistics=through_json(statistics))


def revive(value: Any) -> Any:
    """Make the real objects that revscoring pickled, of the classes of its statistics alone."""
    if isinstance(value, dict):
        return {key: revive(item) for key, item in value.items()}
    if not isinstance(value, Instance) or not value.kind.module.startswith("revscoring.scoring."):
        return value
    with warnings.catch_warnings():
        # It imports pkg_resources, which setuptools deprecates.
        warnings.simplefilter("ignore")
        made = getattr(importlib.import_module(value.kind.module), value.kind.name)
    revived = made.__new__(made)
    if isinstance(revived, list):
        revived.extend((threshold, revive(matrix)) for threshold, matrix in value.items)
    state = value.state[1] if isinstance(value.state, tuple) else value.state
    for name, item in state.items():
        setattr(revived, name, revive(item))
    return revived


@pytest.mark.parametrize("name", FIGURES)
def test_the_published_files_give_their_figures(folder: Path, name: str) -> None:
    statistics = through_json(convert_statistics(pickled(folder / name)))
    if (expected := FIGURES[name]) is None:
        assert statistics == {}
        return
    label = next(iter(convert_statistics(pickled(folder / name))["counts"]["labels"]))
    pr_auc = statistics.get("pr_auc", {"labels": {label: None}})["labels"][label]
    table = statistics.get("thresholds", {}).get(label, {"thresholds": ""})
    assert (
        statistics["counts"]["n"],
        statistics["counts"]["labels"][label],
        statistics["roc_auc"]["labels"][label],
        pr_auc,
        statistics["recall"]["micro"],
        len(table["thresholds"].split()),
    ) == pytest.approx(expected, abs=5e-7)


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", OF_2)
def test_answers_equal_what_revscoring_says_of_its_own_objects(folder: Path, name: str) -> None:
    found = pickled(folder / name).state["info"]
    document, theirs = info_of(convert_statistics(found)), revive(found)
    labels = document.statistics["counts"]["labels"]
    paths = [
        "statistics",
        "statistics.rates|statistics.counts.predictions",
        f"statistics.thresholds.{next(iter(labels))}",
        *(f'statistics."{formula}"' for formula in FORMULAS),
        "|".join(f'statistics.thresholds.{label}."{formula}"' for label in labels for formula in FORMULAS),
    ]
    for path in paths:
        expected = theirs.format(path.split("|"), formatting="json")
        assert through_json(model_info(document, path)) == through_json(expected), path


@pytest.mark.parametrize("name", OF_2)
def test_the_counts_within_the_tables_give_back_the_recorded_areas(folder: Path, name: str) -> None:
    statistics = through_json(convert_statistics(pickled(folder / name)))
    tables = StatisticsDocument.read(statistics).tables
    assert all("." not in table.hits + table.false_alarms for table in tables.values())
    assert areas(tables) == {"roc_auc": statistics["roc_auc"], "pr_auc": statistics["pr_auc"]}


def test_a_model_of_1_0_is_answered_in_both_shapes(folder: Path) -> None:
    document = info_of(convert_statistics(pickled(folder / "editquality__arwiki.reverted.rf.model")))
    answer = model_info(document)["statistics"]
    assert list(answer) == [*DEFAULT_FIELDS, "test_stats"]
    assert answer["test_stats"]["filter_rate_at_recall(min_recall=0.75)"] == {
        "threshold": 0.1,
        "recall": 0.806,
        "filter_rate": 0.872,
    }
    assert answer["test_stats"]["precision"] == answer["precision"]["labels"]["true"] == 0.491
    assert answer["test_stats"]["roc"] == {"auc": answer["roc_auc"]["labels"]["true"]}
    path = 'statistics.thresholds.true."maximum filter_rate @ recall >= 0.75"'
    (entry,) = model_info(document, path)["statistics"]["thresholds"]["true"]
    # What 1.0 computed itself for the same question.
    assert (entry["threshold"], entry["recall"], entry["filter_rate"]) == (0.1, 0.806, 0.872)


def test_a_model_of_0_7_keeps_the_accuracy_that_it_stated(folder: Path) -> None:
    found = convert_statistics(pickled(folder / "editquality__enwiki.damaging.linear_svc.model"))
    # That release computed it on values that it forgot to scale, so it differs from its own table.
    assert found["stats"]["accuracy"] == pytest.approx(0.8763621)
    assert found["accuracy"]["labels"]["true"] == (403 + 9278) / 11930
    assert found["counts"]["predictions"]["false"] == {"true": 2167, "false": 9278}


def statistic(name: str, **given: float) -> Instance:
    module = f"revscoring.scorer_models.test_statistics.{name}"
    return Instance(Global(module, name), state={"kwargs": given, **given})


def test_curves_of_1_0_become_the_table_that_their_sample_gives() -> None:
    random = np.random.default_rng(3)
    scores = np.round(random.random(400), 2)
    sought = random.random(400) < scores**2
    table = {
        bool(one): {
            bool(other): int(((sought == one) & ((scores >= 0.5) == other)).sum()) for other in (True, False)
        }
        for one in (True, False)
    }
    fprs, tprs, roc_thresholds = metrics.roc_curve(sought, scores)
    precisions, recalls, thresholds = metrics.precision_recall_curve(sought, scores)
    converted = convert_statistics(
        {
            statistic("table"): table,
            statistic("roc"): {
                "auc": np.float64(metrics.auc(fprs, tprs)),
                "fprs": fprs,
                "tprs": tprs,
                "thresholds": np.where(np.isfinite(roc_thresholds), roc_thresholds, 2.0),
            },
            statistic("precision_recall"): {
                "auc": np.float64(0.7),
                "precisions": precisions,
                "recalls": recalls,
                "thresholds": thresholds,
            },
        }
    )
    expected = ThresholdTable.of_scores(scores, sought, None, None)
    assert StatisticsDocument.read(converted).tables == {"true": expected}
    assert converted["roc_auc"]["labels"]["false"] == pytest.approx(roc_auc(~sought, 1 - scores))
    assert converted["pr_auc"] == {"micro": None, "macro": None, "labels": {"true": 0.7, "false": None}}
    assert converted["test_stats"]["precision_recall"] == {"auc": 0.7}
    assert set(converted["curves"]["roc"]) == {"fprs", "tprs", "thresholds"}


def test_many_labels_of_1_3_are_read_by_label() -> None:
    converted = convert_statistics(
        {
            statistic("table"): {"A": {"A": 3, "B": 1}, "B": {"B": 5}, "C": {"A": 1}},
            statistic("roc"): {
                label: {"auc": area, "fprs": [0.0, 1.0], "tprs": [0.0, 1.0]}
                for label, area in (("A", 0.5), ("B", 0.9), ("C", 0.7))
            },
            statistic("recall_at_precision", min_precision=0.9): {"A": {"threshold": None, "recall": None}},
            "cross-validation": {"n": 10},
        }
    )
    assert converted["labels"] == ["A", "B", "C"]
    assert converted["counts"]["predictions"]["C"] == {"A": 1, "B": 0, "C": 0}
    assert converted["roc_auc"]["labels"] == {"A": 0.5, "B": 0.9, "C": 0.7}
    assert converted["roc_auc"]["micro"] == pytest.approx((4 * 0.5 + 5 * 0.9 + 0.7) / 10)
    assert converted["recall"]["labels"] == {"A": 0.75, "B": 1.0, "C": 0.0}
    assert "thresholds" not in converted
    assert "curves" not in model_info(info_of(converted))["statistics"]
    answer = model_info(
        info_of(converted),
        'statistics.test_stats."recall_at_precision(min_precision=0.9)".A'
        "|statistics.curves.roc.B.tprs|statistics.test_stats.cross-validation.n",
    )["statistics"]
    assert answer["test_stats"] == {
        "recall_at_precision(min_precision=0.9)": {"A": {"threshold": None, "recall": None}},
        "cross-validation": {"n": 10},
    }
    assert answer["curves"] == {"roc": {"B": {"tprs": [0.0, 1.0]}}}


def classification(matrices: list[dict[str, Any]], *, slots: bool, rate: float | None = None) -> Instance:
    package = "revscoring.scoring.statistics.classification"
    rows = []
    for place, cells in enumerate(matrices):
        state: Any = {"population_rate": rate, **cells}
        kind = Global(f"{package}.scaled_prediction_statistics", "ScaledPredictionStatistics")
        rows.append((0.1 * place, Instance(kind, state=(None, state) if slots else state)))
    kind = Global(f"{package}.scaled_threshold_statistics", "ScaledThresholdStatistics")
    table = Instance(kind, state={"trues": 3}, items=rows)
    counts = {"n": 7, "labels": {True: 3, False: 4}, "predictions": {}}
    return Instance(
        Global(f"{package}.classification", "Classification"),
        state={
            "_data": {"counts": Instance(Global(f"{package}.counts", "Counts"), state={"_data": counts})},
            "labels": [True, False],
            "label_thresholds": {True: table},
        },
    )


def test_the_tables_of_2_0_0_are_read_without_slots_and_with_their_last_row_twice() -> None:
    cells = [
        {"tp": 3, "fp": 4, "tn": 0, "fn": 0},
        {"tp": 1, "fp": 0, "tn": 4, "fn": 2},
        {"tp": 0, "fp": 0, "tn": 4, "fn": 3},
    ]
    for slots in (False, True):
        converted = convert_statistics(classification(cells, slots=slots))
        table = converted["thresholds"]["true"]
        assert (table["hits"], table["false_alarms"]) == ("3 1 0", "4 0 0")
        assert (table["positives"], table["negatives"], table["weight"]) == (3, 4, 3.0)


def test_a_table_whose_counts_cannot_be_told_keeps_what_was_scaled() -> None:
    cells = [
        {"tp": 0.7123, "fp": 6.2877, "tn": 0.0, "fn": 0.0},
        {"tp": 0.2, "fp": 0.0, "tn": 6.2877, "fn": 0.5123},
    ]
    converted = convert_statistics(classification(cells, slots=True, rate=0.1))
    thresholds = StatisticsDocument.read(converted).tables["true"].read()
    assert thresholds.confusion.hits.tolist() == [0.7123, 0.2]
    assert thresholds.confusion.misses.tolist() == pytest.approx([0.0, 0.5123])
    assert thresholds.confusion.metric("precision").tolist() == pytest.approx([0.7123 / 7, 1.0])


def test_what_was_never_tested_has_no_statistics() -> None:
    untested = Instance(Global("m", "Classification"), state={"_data": {}, "labels": ["A"], "fitted": False})
    model = Instance(Global("m", "Model"), state={"info": None, "stats": None, "test_stats": None})
    nothing: dict[Any, Any] = {}
    for found in (None, nothing, untested, model, Instance(Global("m", "Model"))):
        assert convert_statistics(found) == {}


def within(levels: int) -> Any:
    value: Any = 1.0
    for _ in range(levels):
        value = {"a": value}
    return value


def holding_itself() -> Instance:
    model = Instance(Global("m", "Model"))
    model.state = {"info": model}
    return model


def doubled(times: int) -> Any:
    value: Any = [1.0] * 1_000
    for _ in range(times):
        value = [value] * 1_000
    return value


@pytest.mark.parametrize(
    "found",
    [
        {"table": {"A": {"A": -1}}},
        {"table": {"A": {"A": "many"}}},
        {"table": {Instance(Global("m", "x")): {"A": 1}}},
        {"accuracy": within(40)},
        {"accuracy": doubled(3)},
        holding_itself(),
        classification([], slots=True),
        classification([{"tp": 1}], slots=True),
        classification([{"tp": "x", "fp": 1, "tn": 1, "fn": 1}], slots=True),
        Instance(Global("m", "C"), state={"_data": {"counts": {"n": "x", "labels": {"A": 1}}}}),
        Instance(Global("m", "C"), state={"_data": {"counts": {"labels": {"A": 1}}}, "labels": ["A"]}),
        Instance(
            Global("m", "C"), state={"_data": {"counts": {"n": 1, "labels": {"A": 1}}}, "labels": ["B"]}
        ),
    ],
)
def test_statistics_of_no_release_are_refused(found: Any) -> None:
    with pytest.raises(ModelCorrupt, match="statistics inside the model cannot be read"):
        convert_statistics(found)


@pytest.mark.parametrize("shared_rows", [2_000, 0])
def test_a_small_file_cannot_ask_for_endless_work(shared_rows: int) -> None:
    labels = [f"label {number}" for number in range(900 if shared_rows else 5_000)]
    cell = Instance(
        Global("m", "S"), state=(None, {"tp": 1, "fp": 0, "tn": 0, "fn": 0, "population_rate": None})
    )
    table = Instance(Global("m", "T"), items=[(0.5, cell)] * shared_rows)
    counts = {"n": 1, "labels": dict.fromkeys(labels, 1), "predictions": {}}
    found = Instance(
        Global("m", "C"),
        state={
            "_data": {"counts": counts},
            "labels": labels,
            "label_thresholds": dict.fromkeys(labels, table) if shared_rows else {},
        },
    )
    with pytest.raises(ModelCorrupt, match=r"5000 labels|tables are longer"):
        convert_statistics(found)


def test_every_metric_is_there_for_the_files_of_2(folder: Path) -> None:
    found = convert_statistics(pickled(folder / OF_2[0]))
    assert set(found) == {"labels", "counts", "rates", *METRICS, "roc_auc", "pr_auc", "thresholds"}
