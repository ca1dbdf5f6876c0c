"""The test report of a model: figures, card and curves."""

import json
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from models import report
from models.drawing import can_draw
from models.manifest import Manifest, TrainingData
from models.report import CARD, PRECISION_RECALL, REPORT, ROC, Curves, curves, write_report
from models.statistics import describe
from schemas.errors import SourceError
from schemas.prediction import ScoreKind

ROWS = 600


def manifest(labels: int = 2, **more: object) -> Manifest:
    """Return the manifest of a model that tells labels apart with some chance."""
    random = np.random.default_rng(labels)
    actual = random.integers(0, labels, ROWS)
    raw = random.random((ROWS, labels)) + 0.8 * (actual[:, None] == np.arange(labels))
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    values = (False, True) if labels == 2 else tuple("ABCDEFGHIJKLM"[:labels])
    return Manifest(
        name="small",
        model_name="small",
        model_version="1.0.0",
        kind=ScoreKind.BINARY if labels == 2 else ScoreKind.MULTICLASS,
        labels=tuple(str(value).lower() if labels == 2 else str(value) for value in values),
        scorer="revscoring",
        training=TrainingData("labels.tsv", "00", "Made up.", ROWS, {}, "small"),
        statistics={**describe(actual, probabilities, probabilities.argmax(axis=1), values), **more},
        card={"What": "A model for tests.", "Limits": "It knows nothing."},
        licence="Apache-2.0",
        owner="the tests",
        sha512="ab" * 64,
    )


def areas(drawn: Curves) -> list[float]:
    return [float(np.trapz(curve.up, curve.across)) for curve in drawn.roc]


def test_a_model_of_two_labels_has_the_curves_of_true() -> None:
    drawn = curves(manifest())
    assert [curve.label for curve in drawn.roc] == ["true"]
    (roc,), (precision_recall,) = drawn.roc, drawn.precision_recall
    assert (roc.across[0], roc.up[0]) == (0, 0)
    assert (roc.across[-1], roc.up[-1]) == (1, 1)
    assert precision_recall.across[-1] == 1
    for curve in (roc, precision_recall):
        assert list(curve.across) == sorted(curve.across)
        assert len(curve.across) == len(curve.up) <= 201
        assert all(0 <= value <= 1 for value in curve.up)


def test_the_area_under_the_points_is_the_area_that_is_told() -> None:
    for labels in (2, 4):
        drawn = curves(manifest(labels))
        assert len(drawn.roc) == (1 if labels == 2 else labels)
        for curve, area in zip(drawn.roc, areas(drawn), strict=True):
            assert curve.area == pytest.approx(area, abs=0.01)
            assert area > 0.6


def test_the_report_tells_figures_folds_and_curves(tmp_path: Path) -> None:
    folds = {"folds": 2, "repeats": 1, "roc_auc": {"mean": 0.9, "std": 0.1}}
    written = write_report(manifest(cross_validation=folds), tmp_path / "report")
    document = json.loads((tmp_path / "report" / REPORT).read_text())
    assert (document["name"], document["sha512"]) == ("small", "ab" * 64)
    assert document["cross_validation"] == folds
    assert document["tuning"] is None
    assert document["training"]["rows"] == ROWS
    assert document["statistics"]["counts"]["n"] == ROWS
    assert len(document["curves"]["roc"]) == 1
    assert {path.name for path in written} >= {REPORT, CARD}


def test_the_card_holds_the_words_and_a_row_for_each_label(tmp_path: Path) -> None:
    write_report(manifest(3), tmp_path)
    card = (tmp_path / CARD).read_text()
    assert card.startswith("# small 1.0.0\n\n## What\n\nA model for tests.\n")
    assert [line.split(" | ")[0] for line in card.splitlines() if line.startswith("| ")] == [
        "| label",
        "| A",
        "| B",
        "| C",
    ]
    assert "Licence: Apache-2.0. Owner: the tests." in card


def test_a_model_without_statistics_has_a_report_without_figures(tmp_path: Path) -> None:
    written = write_report(replace(manifest(), statistics={}), tmp_path)
    assert {path.name for path in written} == {REPORT, CARD}
    assert "None are known." in (tmp_path / CARD).read_text()


def test_without_matplotlib_there_are_no_curves_and_no_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "can_draw", lambda: False)
    (tmp_path / ROC).write_bytes(b"of an earlier training")
    assert [path.name for path in write_report(manifest(), tmp_path)] == [REPORT, CARD]
    assert not (tmp_path / ROC).exists()
    assert ROC not in (tmp_path / CARD).read_text()


@pytest.mark.skipif(not can_draw(), reason="needs matplotlib, the extra `report`")
@pytest.mark.parametrize("labels", [2, 12])
def test_curves_are_drawn_and_the_card_shows_them(tmp_path: Path, labels: int) -> None:
    for folder in ("one", "two"):
        write_report(manifest(labels), tmp_path / folder)
    for name in (ROC, PRECISION_RECALL):
        one, two = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two"))
        assert one.startswith(b"\x89PNG\r\n")
        assert len(one) > 5_000
        assert one == two
        assert f"]({name})" in (tmp_path / "one" / CARD).read_text()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(SourceError, match="taken"):
        write_report(manifest(), tmp_path / "taken")
