"""The bench of the engine: what it calls worse, what it calls different, and what it measures on."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from models.engine.extractor import Extractor
from models.scoring import score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.errors import FeatureError
from schemas.prediction import ModelId, Score, ScoredModel, ScoreFailure, ScoreKind
from schemas.revision import Revision
from tests.bench import identity
from tests.bench.engine_compare import differing, ratios, regressions
from tests.bench.engine_corpora import NoUnpacker, item_history, of_size, unpacked
from tests.bench.engine_imported import beside_solver, loaded
from tests.bench.engine_phases import PhaseClock, phases, sampled_stacks
from tests.bench.engine_processes import require_scores
from tests.bench.engine_table import table
from tests.bench.engine_ways import Answer, Tally, compare_outcomes
from tests.dictionaries import make_up_dictionaries
from tests.histories import edited

ROW = {"times_n1": 60.0, "times_n2": 30.0, "ours_cpu_ms": 2.0, "n1_cpu_ms": 120.0, "values_different": 0}
ONLINE = {"1_kb": {"never_seen": ROW, "parent_held": {**ROW, "times_n1": 75.0}}}
COMMITTED: dict[str, Any] = {"is_quick": False, "backfill_aawiki": ROW, "online": ONLINE}


@pytest.fixture(autouse=True)
def _made_up_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    make_up_dictionaries(monkeypatch)


def now(**changes: float) -> dict[str, Any]:
    return {**COMMITTED, "backfill_aawiki": {**ROW, **changes}}


def test_ratios_are_found_at_any_depth_by_their_path() -> None:
    assert dict(ratios(COMMITTED)) == {
        "backfill_aawiki.times_n1": 60.0,
        "backfill_aawiki.times_n2": 30.0,
        "online.1_kb.never_seen.times_n1": 60.0,
        "online.1_kb.never_seen.times_n2": 30.0,
        "online.1_kb.parent_held.times_n1": 75.0,
        "online.1_kb.parent_held.times_n2": 30.0,
    }


def test_a_ratio_a_tenth_worse_passes_and_one_worse_than_that_is_named() -> None:
    assert regressions(now(times_n1=54.0), COMMITTED) == []
    assert regressions(now(times_n1=53.9), COMMITTED) == [
        "backfill_aawiki.times_n1 is 53.9, where the report has 60"
    ]


def test_better_ratios_and_slower_machines_pass() -> None:
    assert regressions(now(times_n1=90.0, ours_cpu_ms=9.0, n1_cpu_ms=540.0), COMMITTED) == []


def test_a_difference_fails_however_fast() -> None:
    found = regressions(now(times_n1=900.0, values_different=1), COMMITTED)
    assert found == ["backfill_aawiki.values_different is 1, and must be 0"]
    assert list(differing(now(probabilities_different=2))) == [
        "backfill_aawiki.probabilities_different is 2, and must be 0"
    ]


def test_a_run_of_some_rows_is_compared_in_these() -> None:
    assert regressions({"backfill_aawiki": {**ROW, "times_n2": 3.0}}, COMMITTED) == [
        "backfill_aawiki.times_n2 is 3, where the report has 30"
    ]


@pytest.mark.parametrize("unlike", [{**COMMITTED, "is_quick": True}, {"memory": {"peak_rss_mb": 3}}])
def test_runs_that_say_nothing_of_each_other_are_refused(unlike: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"compare alike|no ratio in common"):
        regressions(unlike, COMMITTED)


def test_a_tally_tells_a_bit_and_a_type_apart() -> None:
    tally = Tally()
    theirs = Answer([[1, 0.1, 0.0]], [{"true": 0.25}], 0)
    tally.compare(Answer([[1, 0.1, 0.0]], [{"true": 0.25}], 0), theirs, [["a", "b", "c"]])
    assert tally.figures()["values_different"] == 0
    tally.compare(Answer([[True, 0.1, -0.0]], [{"true": 0.25000000000000006}], 0), theirs, [["a", "b", "c"]])
    assert tally.figures() == {
        "values_compared": 6,
        "values_different": 2,
        "probabilities_compared": 2,
        "probabilities_different": 1,
        "different_features": {"a": 1, "c": 1},
    }


def test_an_error_must_be_told_in_the_same_words() -> None:
    tally = Tally()
    compare_outcomes(tally, FeatureError("one"), FeatureError("one"), ["a"])
    assert tally.different_values == 0
    compare_outcomes(tally, FeatureError("one"), FeatureError("two"), ["a"])
    compare_outcomes(tally, [1], FeatureError("two"), ["a"])
    assert tally.different_values == 2


def test_the_table_names_every_row_and_what_is_left_out() -> None:
    text = table({**COMMITTED, "backfill_wikitrust": {"left_out": "no such dump"}})
    lines = text.splitlines()
    assert lines[2].split()[:6] == ["backfill_aawiki", "120", "2", "60", "n1,", "30"]
    assert lines[3].startswith("online 1_kb never_seen")
    assert lines[-1] == "left out of backfill_wikitrust: no such dump"


def test_time_within_a_phase_counts_for_the_inner_one_alone() -> None:
    clock = PhaseClock()
    inner = clock.wrapped(lambda: _spin(0.02), "inner")

    def outer() -> None:
        _spin(0.01)
        inner()

    clock.wrapped(outer, "outer")()
    assert 0.02 <= clock.seconds["inner"] < 0.03
    assert 0.01 <= clock.seconds["outer"] < 0.02


def test_the_phases_of_the_engine_are_told_and_it_is_left_as_it_was(history: Iterator[Revision]) -> None:
    scorer = ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")
    extractor = Extractor()
    revisions = list(history)
    before = score_revision([scorer], revisions[0], extractor, with_features=True)
    programs = [planned.plan._program for planned in extractor._plans.values()]
    figures = phases([scorer], lambda: iter(revisions), extractor)
    assert figures["revisions"] == len(revisions)
    told = figures["cpu_ms_per_revision"]
    wanted = {"read", "tokens", "blocks", "matches", "change", "features", "predict"}
    assert wanted <= told.keys()
    assert sum(told.values()) == pytest.approx(figures["total_cpu_ms_per_revision"], abs=0.01)
    assert [planned.plan._program for planned in extractor._plans.values()] == programs
    assert score_revision([scorer], revisions[0], Extractor(), with_features=True) == before


def test_sampled_stacks_are_folded_from_the_outermost_call(tmp_path: Path) -> None:
    with sampled_stacks(tmp_path / "stacks.txt"):
        _spin(0.1)
    lines = (tmp_path / "stacks.txt").read_text().splitlines()
    stack, _, count = max(lines, key=len).rpartition(" ")
    assert int(count) > 0
    assert any(line.rpartition(" ")[0].endswith("test_bench_engine._spin") for line in lines)
    assert ";" in stack


def test_a_page_is_cut_at_a_line() -> None:
    assert of_size(["one\ntwo", "three\nfour"], 5) == "one\ntwo"


def test_items_change_and_come_back(shared: Path) -> None:
    first = item_history(shared, 1)
    assert first[0].parent_text is None
    assert first[-1].text == first[0].text
    assert len(json.loads(first[1].text)["claims"]) == len(json.loads(first[0].text)["claims"]) - 1
    assert all(after.parent_text == before.text for before, after in pairwise(first))


def test_a_packing_that_nothing_here_opens_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.engine_corpora.find_spec", lambda _name: None)
    monkeypatch.setattr("tests.bench.engine_corpora.shutil.which", lambda _name: None)
    with pytest.raises(NoUnpacker, match="py7zr, 7zz or 7z"):
        unpacked(Path("dump.xml.7z"))


def test_a_model_is_measured_beside_the_solver_on_the_same_revisions() -> None:
    features = loaded(PACKAGED_MODELS, "enwiki-reverted")
    figures = beside_solver(features, list(edited(["A page.\n\nOf two lines."], edits=5)), sample=3)
    assert (figures["revisions"], figures["revisions_sampled"]) == (6, 3)
    assert figures["values_compared"] == 2 * 3 * len(features.specs)
    assert figures["values_different"] == 0
    assert figures["times_dump_order"] > 0


@pytest.fixture
def history() -> Iterator[Revision]:
    return edited(["One page.\n", "Another page.\n", "A third page.\n"], edits=2)


def test_sampling_takes_whole_pages(history: Iterator[Revision]) -> None:
    assert [revision.page_id for revision in identity.sampled(history, 2)] == [1, 1, 1, 3, 3, 3]


def test_failures_are_not_measured() -> None:
    model = ModelId("damaging", "1", "0" * 128)
    require_scores([ScoredModel(model, Score(ScoreKind.BINARY, ("true",), {"true": 1.0, "false": 0.0}))])
    with pytest.raises(ValueError, match="damaging was not scored"):
        require_scores([ScoredModel(model, ScoreFailure("feature_error", "no feature"))])


def test_lists_of_different_packages_are_gone_over_apart() -> None:
    features = loaded(PACKAGED_MODELS, "enwiki-reverted")
    names = ("articlequality.feature_lists.ptwiki.wp10", "draftquality.feature_lists.ptwiki.draft_quality")
    more = ("editquality.feature_lists.wikidatawiki.damaging", "nlwiki-damaging", "enwiki-reverted")
    found = identity.grouped(dict.fromkeys((*names, *more), features))
    assert {name: len(group) for name, group in found.items()} == {
        "articlequality": 1,
        "draftquality": 1,
        "editquality, wikidatawiki": 1,
        "imported": 2,
    }


def test_identity_finds_an_engine_that_is_wrong(
    history: Iterator[Revision], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    features = loaded(PACKAGED_MODELS, "enwiki-reverted")
    revisions = list(history)
    compared, different = identity.go_over(revisions, [features], "made up")
    assert compared == len(revisions) * len(features.specs)
    assert different == []
    right = Extractor.extract

    def wrong(self: Extractor, sets: Any, revision: Revision) -> dict[Any, Any]:
        outcomes = right(self, sets, revision)
        values = outcomes[features]
        assert isinstance(values, list)
        return {features: [*values[:-1], -1]}

    monkeypatch.setattr(Extractor, "extract", wrong)
    compared, different = identity.go_over(revisions, [features], "made up")
    assert len(different) == len(revisions)
    assert "-1 for" in capsys.readouterr().err


def _spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
