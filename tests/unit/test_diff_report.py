"""The report on what differs between two snapshots, and the command that writes it."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from app import diff_report
from app.cli import main
from app.diff_report import JSON, PAGE, diff_json, write_diff_report
from app.diff_text import as_lines, percent
from batch.snapshot_diff import diff_snapshots
from batch.snapshot_difference import Difference
from models.drawing import can_draw
from schemas.prediction import Outcome
from tests.diff_snapshots import snapshot_of
from tests.rows import binary
from tests.snapshots import FAILURE, snapshot_row, write_snapshot


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    first: dict[int, Outcome] = {rev_id: binary(rev_id / 101) for rev_id in range(1, 101)}
    second: dict[int, Outcome] = {rev_id: binary((rev_id + 8) / 115) for rev_id in range(3, 104)} | {
        9: FAILURE
    }
    return (
        snapshot_of(tmp_path, "2026-10-01", first, model_version="1.0.0"),
        snapshot_of(tmp_path, "2026-11-01", second, model_version="1.1.0"),
    )


def test_the_terminal_shows_counts_flips_shifts_and_the_largest_changes(sides: tuple[Path, Path]) -> None:
    lines = list(as_lines(diff_snapshots(*sides)))
    assert lines[:4] == ["A  2026-10-01", "B  2026-11-01", "", "damaging of enwiki, 1.0.0 → 1.1.0"]
    assert "  revisions    98 in both, 2 in A alone, 3 in B alone" in lines
    assert any(line.endswith("scored → parent_not_found: 1") for line in lines)
    assert any(line.startswith("  flips        false → true: 1, ") for line in lines)
    (head,) = (line for line in lines if line.split()[:1] == ["label"])
    assert head.split()[-2:] == [">0.9", "B"]
    assert any(line.split()[:2] == ["3", "1"] for line in lines)
    assert max(map(len, lines)) < 120


def test_equal_snapshots_are_told_in_a_line(sides: tuple[Path, Path]) -> None:
    assert list(as_lines(diff_snapshots(sides[0], sides[0])))[-1] == "  no difference"


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50 %"),
        (0.12345, "12.35 %"),
        (1e-9, "<0.01 %"),
        (1 - 1e-9, ">99.99 %"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_the_json_holds_the_whole_difference(sides: tuple[Path, Path]) -> None:
    difference = diff_snapshots(*sides)
    assert msgspec.json.decode(diff_json(difference), type=Difference) == difference


@pytest.mark.skipif(not can_draw(), reason="needs matplotlib, the extra `report`")
def test_pictures_are_written_the_same_each_time_and_old_ones_go(
    sides: tuple[Path, Path], tmp_path: Path
) -> None:
    difference = diff_snapshots(*sides)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "plot.xxwiki.gone.flips.png").touch()
    (tmp_path / "one" / "of mine.png").touch()
    written = [write_diff_report(difference, tmp_path / folder) for folder in ("one", "two")]
    names = {JSON, PAGE, "plot.enwiki.damaging.distribution.png", "plot.enwiki.damaging.flips.png"}
    assert {path.name for path in written[0]} == names
    assert {path.name for path in (tmp_path / "one").iterdir()} == {*names, "of mine.png"}
    for one, two in zip(*written, strict=True):
        assert one.read_bytes() == two.read_bytes()
        assert one.suffix != ".png" or one.read_bytes().startswith(b"\x89PNG\r\n")


def test_without_matplotlib_there_are_no_pictures(
    sides: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diff_report, "can_draw", lambda: False)
    written = write_diff_report(diff_snapshots(*sides), tmp_path / "report")
    assert [path.name for path in written] == [JSON, PAGE]


def test_a_model_that_always_says_the_same_has_no_matrix(tmp_path: Path) -> None:
    rows = [
        [
            snapshot_row(rev_id, binary(0.3), model_name="damaging", model_version=version)
            for rev_id in range(1, 3)
        ]
        for version in ("1", "2")
    ]
    paths = [write_snapshot(tmp_path, side, name=name) for name, side in zip("ab", rows, strict=True)]
    report = write_diff_report(diff_snapshots(*paths), tmp_path / "report")
    assert "plot.enwiki.damaging.flips.png" not in {path.name for path in report}


def test_the_command_prints_lines_or_json_and_writes_the_report(
    sides: tuple[Path, Path], tmp_path: Path
) -> None:
    names = [str(side) for side in sides]
    shown = CliRunner().invoke(main, ["snapshot", "diff", *names, "--out", str(tmp_path / "report")])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("A  2026-10-01\nB  2026-11-01\n")
    assert "comparing damaging of enwiki" in shown.stderr
    assert (tmp_path / "report" / PAGE).is_file()
    assert ("matplotlib" in shown.stderr) != can_draw()
    as_json = CliRunner().invoke(
        main, ["snapshot", "diff", *names, "--json", "--threshold", "0.25", "--largest", "3"]
    )
    told = msgspec.json.decode(as_json.stdout, type=Difference)
    assert told.models[0].labels[0].first is not None
    assert list(told.models[0].labels[0].first.above) == [0.25]
    assert len(told.models[0].largest) == 3


def test_the_command_fails_by_name(sides: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    failed = CliRunner().invoke(main, ["snapshot", "diff", str(sides[0]), str(tmp_path / "empty")])
    assert failed.exit_code == 1
    assert failed.stderr.startswith("revstream: snapshot_unusable: ")
    asked = CliRunner().invoke(main, ["snapshot", "diff", str(sides[0]), str(tmp_path / "none")])
    assert asked.exit_code == 2
