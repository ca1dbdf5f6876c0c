"""Revisions whose parents lie on other pages, in backfills that are interrupted and in those that are not."""

import asyncio
from pathlib import Path

import pytest

from batch.backfill.backfill import begin, run, score_parts, score_strays
from batch.backfill.plan import Plan
from batch.backfill.planning import Wish
from batch.backfill.run import PartFiles, Progress
from batch.backfill.strays import Stray, find_strays
from batch.snapshot import open_snapshot
from batch.snapshot_draft import SnapshotDraft
from tests.backfill_runs import MODELS, SCRATCH, backfill, means, outcomes
from tests.dump_documents import document, revision

EXPECTED = {11: "", 21: "", 22: "", 23: "parent_not_found", 24: "", 31: "", 32: "", 33: ""}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SCRATCH, str(tmp_path))


def page_of(page_id: int, *revisions: str) -> str:
    return f"<page><title>Page {page_id}</title><ns>0</ns><id>{page_id}</id>{''.join(revisions)}</page>\n"


def wanted(folder: Path, *, sample: float = 1.0) -> Wish:
    """Return a wish for two dumps, in each of which pages lack what others have."""
    first = [
        page_of(1, revision(11, "a")),
        page_of(
            2, revision(21, "b", 11), revision(22, "c", 31), revision(23, "d", 999), revision(24, "e", 23)
        ),
    ]
    second = [page_of(3, revision(31, "f"), revision(32, "g", 21), revision(33, "h", 32))]
    for name, pages in (("testwiki-1.xml", first), ("testwiki-2.xml", second)):
        (folder / name).write_text(document(pages))
    return Wish(snapshot="one", sources=(str(folder / "testwiki-1.xml"), str(folder / "testwiki-2.xml")))


def begun(draft: SnapshotDraft, wish: Wish) -> tuple[Plan, PartFiles]:
    return begin(draft, wish, MODELS), PartFiles(draft.path, draft.chunk_path)


def test_parents_are_found_on_other_pages_and_in_other_files_before_and_behind(tmp_path: Path) -> None:
    progress = Progress()
    found = backfill(tmp_path / "out", wanted(tmp_path), progress=progress)
    assert outcomes(found.path) == EXPECTED
    # Each revision has one row, and was read once by what is told.
    snapshot = open_snapshot(found.path)
    assert len(list(snapshot.rows())) == len(EXPECTED)
    assert snapshot.manifest.doubled == ()
    assert snapshot.manifest.origin.plan["revisions_read"] == len(EXPECTED)
    assert progress.revisions == len(EXPECTED) + 3


def test_what_is_missing_everywhere_is_no_reason_to_read_again(tmp_path: Path) -> None:
    wish = wanted(tmp_path)
    with SnapshotDraft(tmp_path / "out", "one") as draft:
        plan, files = begun(draft, wish)
        asyncio.run(score_parts(plan, plan.parts, files, means(), Progress()))
        assert find_strays(plan, draft.path) == [
            Stray(part=0, chunk=0, rev_id=21, parent_part=0, rev_parent_id=11),
            Stray(part=0, chunk=0, rev_id=22, parent_part=1, rev_parent_id=31),
            Stray(part=1, chunk=0, rev_id=32, parent_part=0, rev_parent_id=21),
        ]


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_run_that_dies_after_its_strays_scores_none_again_and_loses_none(
    tmp_path: Path, *, is_noted: bool
) -> None:
    wish, again = wanted(tmp_path), Progress()
    with SnapshotDraft(tmp_path / "out", "one") as draft:
        plan, files = begun(draft, wish)
        asyncio.run(score_parts(plan, plan.parts, files, means(), Progress()))
        asyncio.run(score_strays(plan, files, means(), Progress()))
        if not is_noted:
            for path in draft.path.glob("plan-part-00000[23].json"):
                path.unlink()
    with SnapshotDraft(tmp_path / "out", "one") as draft:
        plan = begin(draft, wish, MODELS)
        found = asyncio.run(run(plan, draft, means(), again))
    assert again.revisions == 0
    assert outcomes(found.path) == EXPECTED
    assert len(list(open_snapshot(found.path).rows())) == len(EXPECTED)
