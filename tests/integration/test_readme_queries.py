"""The queries over snapshots that README.md shows, run as they stand there and checked row by row."""

import csv
import gzip
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pytest

from batch.dump import read_dump
from batch.sample_wiki import BUNDLED
from batch.snapshot import open_snapshot
from schemas.prediction import Outcome, Score, ScoreKind
from schemas.snapshot_row import SnapshotRow
from tests.conftest import ROOT
from tests.rows import binary, model_id
from tests.snapshots import FAILURE, write_snapshot

CLASSES = ("Stub", "Start", "C", "B", "GA", "FA")
SNAPSHOT = Path("snapshots") / "snapshot=2026-11-01"
RECIPE = """
name = "samplewiki-quality"
model_version = "0.1.0"
label_column = "quality"
labels = ["Stub", "Start", "C", "B", "GA", "FA"]
features = {chars = "feature.wikitext.revision.chars", headings = "feature.wikitext.revision.headings"}
data = "Made up."
licence = "CC0-1.0"
owner = "the tests"
[estimator]
parameters = {n_estimators = 5}
[training]
folds = 2
repeats = 1
"""
WIKIS = '{"samplewiki": {"models": {"reverted": "enwiki-reverted", "articlequality": "samplewiki-quality"}}}'


class Block(NamedTuple):
    """One block of code in README.md."""

    language: str
    code: str


class Results(NamedTuple):
    """What the blocks gave.

    Attributes:
        rows: Of the snapshot, as revstream reads them.
        sql: Result of the last statement of each block of SQL.
        names: What the blocks of Python left.
        labels: The file of labels.
        members: Pages of the category.
    """

    rows: Sequence[SnapshotRow]
    sql: Sequence[Sequence[tuple[Any, ...]]]
    names: Mapping[str, Any]
    labels: Path
    members: frozenset[int]


def blocks() -> list[Block]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n### Queries\n")[2].partition("\n## ")[0]
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)]


def run(command: str, folder: Path) -> None:
    """Run a command of revstream as a shell would, with models of both kinds."""
    words = [sys.executable, "-m", "app", *command.split()[1:]]
    environment = os.environ | {"REVSTREAM_MODEL_FOLDERS": str(folder / "models"), "REVSTREAM_WIKIS": WIKIS}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def train_quality(folder: Path) -> None:
    random = np.random.default_rng(5)
    lines = ["chars\theadings\tquality"]
    for row in range(240):
        quality = row % len(CLASSES)
        chars = int(random.integers(1, 2_000)) + 1_000 * quality
        lines.append(f"{chars}\t{quality + int(random.integers(0, 2))}\t{CLASSES[quality]}")
    (folder / "quality.tsv").write_text("\n".join(lines) + "\n")
    (folder / "quality.toml").write_text(RECIPE)
    command = "revstream models train quality.toml --data quality.tsv --out models"
    words = [sys.executable, "-m", "app", *command.split()[1:]]
    subprocess.run(words, cwd=folder, capture_output=True, check=True)


def write_scores(folder: Path) -> None:
    """Write a snapshot of the sample's revisions with scores drawn at random, by the writer alone."""
    random = np.random.default_rng(7)
    rows = []
    for number, one in enumerate(read_dump(BUNDLED.dump)):
        assert one.rev_id is not None
        assert one.page.page_id is not None
        quality = dict(zip(CLASSES, random.dirichlet(np.ones(len(CLASSES))).tolist(), strict=True))
        best = max(quality, key=quality.__getitem__)
        reverted: Outcome = FAILURE if number % 50 == 9 else binary(float(random.beta(0.5, 2)))
        for name, outcome in (
            ("reverted", reverted),
            ("articlequality", Score(ScoreKind.MULTICLASS, (best,), quality)),
        ):
            rows.append(
                SnapshotRow(
                    "samplewiki",
                    one.page.page_id,
                    one.rev_id,
                    one.rev_parent_id,
                    one.rev_dt,
                    one.page.namespace_id,
                    None if number % 7 else bool(number % 3),
                    model_id(name),
                    outcome,
                    (),
                    None,
                    datetime.now(UTC),
                )
            )
    write_snapshot(folder / "snapshots", rows)


def write_category(folder: Path, members: frozenset[int], others: frozenset[int]) -> None:
    """Write what MediaWiki's operators publish of a category, in the layout since 2025."""
    targets = "(7,14,'Physics'),(8,0,'Physics'),(9,14,'It\\'s not (7,14,\\'Physics\\')')"
    with gzip.open(folder / "linktarget.sql.gz", "wt") as file:
        file.write(
            "CREATE TABLE `linktarget` (\n  `lt_id` bigint(20) unsigned NOT NULL,\n"
            "  `lt_namespace` int(11) NOT NULL,\n  `lt_title` varbinary(255) NOT NULL\n);\n"
            f"INSERT INTO `linktarget` VALUES {targets};\n"
        )
    links = ",".join(
        f"({page_id},'K\\'EY','2025-01-01 00:00:00','','page',1,{target})"
        for pages, target in ((members, 7), (others, 8), (others, 9))
        for page_id in sorted(pages)
    )
    names = ("from", "sortkey", "timestamp", "sortkey_prefix", "type", "collation_id", "target_id")
    columns = ",\n".join(f"  `cl_{name}` varbinary(255) NOT NULL" for name in names)
    with gzip.open(folder / "categorylinks.sql.gz", "wt") as file:
        file.write(f"CREATE TABLE `categorylinks` (\n{columns}\n);\n")
        file.write(f"INSERT INTO `categorylinks` VALUES {links};\n")


@pytest.fixture(scope="module", params=["written", pytest.param("backfilled", marks=pytest.mark.slow)])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the README's blocks give, of a snapshot that the writer made, and of one of a real backfill."""
    folder = tmp_path_factory.mktemp("queries")
    (folder / "batch").symlink_to(ROOT / "batch")
    commands = [block.code.strip() for block in blocks() if block.language == "sh"]
    (folder / "models").mkdir()
    if request.param == "written":
        write_scores(folder)
        commands = [command for command in commands if not command.startswith("revstream backfill")]
    else:
        train_quality(folder)
    for command in commands:
        run(command, folder)
    rows = list(open_snapshot(folder / SNAPSHOT).rows())
    articles = sorted({row.page_id for row in rows if row.namespace_id == 0})
    members = frozenset(articles[::3])
    write_category(folder, members, frozenset(articles) - members)
    sql, names = [], dict[str, Any]()
    with pytest.MonkeyPatch.context() as patch, duckdb.connect() as database:
        patch.chdir(folder)
        for block in blocks():
            if block.language == "sql":
                sql.append(database.execute(block.code).fetchall())
            elif block.language == "python":
                exec(compile(block.code, "README.md", "exec"), names)
    return Results(rows, sql, names, folder / "labels.tsv", members)


def chances(results: Results, *, without_bots: bool = False) -> dict[int, tuple[SnapshotRow, float]]:
    return {
        row.rev_id: (row, row.outcome.probability["true"])
        for row in results.rows
        if row.model.model_name == "reverted"
        and isinstance(row.outcome, Score)
        and not (without_bots and row.is_bot)
    }


def test_the_share_of_damaging_edits_by_hour_is_right_in_both(results: Results) -> None:
    by_hour = defaultdict(list)
    for row, chance in chances(results, without_bots=True).values():
        by_hour[row.rev_dt.hour].append(chance > 0.5)
    expected = [(hour, len(found), np.mean(found)) for hour, found in sorted(by_hour.items())]
    assert len(expected) == 24
    assert results.sql[1] == pytest.approx(np.array(expected))
    assert list(results.names["by_hour"].itertuples(name=None)) == pytest.approx(np.array(expected))


def test_pages_are_ranked_by_risk_in_both(results: Results) -> None:
    by_page = defaultdict(list)
    for row, chance in chances(results).values():
        if row.namespace_id == 0:
            by_page[row.page_id].append((chance, row.rev_id))
    ranked = sorted(
        (
            (page_id, len(found), sum(one for one, _ in found), max(found)[1])
            for page_id, found in by_page.items()
            if len(found) >= 5
        ),
        key=lambda page: (-page[2] / page[1], page[0]),
    )[:10]
    asked = results.sql[2]
    assert [(page_id, edits, worst) for page_id, edits, _, _, worst in asked] == [
        (page_id, edits, worst) for page_id, edits, _, worst in ranked
    ]
    for (_, edits, total, risk, _), (_, _, expected, _) in zip(asked, ranked, strict=True):
        assert (total, risk) == pytest.approx((expected, expected / edits))
    top = results.names["top"]
    assert list(top.index) == [page[0] for page in ranked]
    assert list(top["expected_reverts"]) == pytest.approx([page[2] for page in ranked])


def test_the_quality_of_a_category_is_that_of_its_pages_in_each_week_in_both(results: Results) -> None:
    assert set(results.names["members"]) == results.members
    histories = defaultdict(list)
    for row in results.rows:
        if row.model.model_name == "articlequality" and isinstance(row.outcome, Score):
            shares = row.outcome.probability
            histories[row.page_id].append(
                (row.rev_dt, sum(CLASSES.index(one) * shares[one] for one in shares))
            )
    expected = []
    for number in range(13):
        week = datetime(2025, 1, 6, tzinfo=UTC) + timedelta(weeks=number)
        known = [
            max(saved)[1]
            for page_id in results.members
            if (saved := [one for one in histories[page_id] if one[0] <= week])
        ]
        expected.append((week, len(known), np.mean(known)))
    assert expected[0][1] < expected[-1][1]
    pandas_rows = [
        (week.to_pydatetime(), *values) for week, *values in results.names["by_week"].itertuples(name=None)
    ]
    for found in (results.sql[3], pandas_rows):
        assert [(week, pages) for week, pages, _ in found] == [(week, pages) for week, pages, _ in expected]
        assert [one[2] for one in found] == pytest.approx([one[2] for one in expected])


def test_predicted_and_real_reverts_are_counted_for_each_tenth(results: Results) -> None:
    with results.labels.open(newline="") as file:
        labels = {
            int(one["rev_id"]): one["reverted"] == "True" for one in csv.DictReader(file, delimiter="\t")
        }
    assert any(labels.values())
    both = [(chance, labels[rev_id]) for rev_id, (_, chance) in chances(results).items() if rev_id in labels]
    assert sum(row[1] for row in results.sql[4]) == len(both)
    assert sum(row[1] * row[3] for row in results.sql[4]) == pytest.approx(sum(label for _, label in both))
    for said, edits, predicted, _ in results.sql[4]:
        found = [chance for chance, _ in both if abs(chance - said) < 0.05]
        assert edits == len(found)
        assert predicted == pytest.approx(np.mean(found))


def test_ten_of_each_tenth_are_drawn_for_labelling(results: Results) -> None:
    known = chances(results, without_bots=True)
    tenths = Counter(min(9, int(chance * 10)) for _, chance in known.values())
    drawn = results.sql[5]
    assert all(known[rev_id][1] == chance for rev_id, _, chance in drawn)
    assert Counter(min(9, int(chance * 10)) for _, _, chance in drawn) == {
        tenth: min(10, count) for tenth, count in tenths.items()
    }


def test_failures_are_counted_by_code(results: Results) -> None:
    codes = Counter(
        (row.model.model_name, row.outcome.code) for row in results.rows if not isinstance(row.outcome, Score)
    )
    assert codes
    assert {(model, code): count for model, code, count in results.sql[6]} == codes
