"""Labels of reverted edits, out of dumps and of recorded page changes."""

import bz2
import gzip
import json
import random
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from batch.dump import read_dump
from batch.dump_revision import sha1_base36
from batch.label_events import EventCounts, event_labels
from batch.labels import RevertLabel, dump_labels, write_labels
from batch.sample_wiki import BUNDLED
from models.reverts import RevertRules
from schemas.errors import SourceError
from tests.input_events import page_change, revision_create, user

RULES = RevertRules()
HEAD = (
    '<mediawiki version="0.11"><siteinfo><dbname>mosswiki</dbname><namespaces><namespace key="0" />'
    '<namespace key="1">Talk</namespace></namespaces></siteinfo>'
)


def document(*pages: tuple[int, Iterable[str]]) -> bytes:
    """Return a dump from namespace and revisions of each page."""
    text = "".join(
        f"<page><title>P{number}</title><ns>{namespace}</ns><id>{number}</id>{''.join(revisions)}</page>"
        for number, (namespace, revisions) in enumerate(pages, start=1)
    )
    return f"{HEAD}{text}</mediawiki>".encode()


def revision(rev_id: int, text: str, editor: str, *, sha1: str | None = None, hour: int = 0) -> str:
    stated = sha1_base36(text.encode()) if sha1 is None else sha1
    return (
        f"<revision><id>{rev_id}</id><timestamp>2024-01-01T{hour:02}:00:00Z</timestamp><contributor>"
        f"<ip>{editor}</ip></contributor><text>{text}</text><sha1>{stated}</sha1></revision>"
    )


def event(rev_id: int, sha1: str | None, editor: str, *, page_id: int = 31, **fields: Any) -> dict[str, Any]:
    """Return an edit, as many hours after noon as its revision id says."""
    dt = f"2026-11-01T{rev_id % 24:02}:00:00Z"
    revision = {"rev_id": rev_id, "rev_dt": dt, "rev_parent_id": rev_id - 1, "rev_sha1": sha1}
    revision["editor"] = user(user_text=editor, user_id=sum(editor.encode()))
    whole = page_change(dt=dt, revision=revision | fields.pop("revision", {}), prior_state=None)
    whole["page"] = whole["page"] | {"page_id": page_id}
    return whole | fields


def write_events(path: Path, events: Iterable[Any]) -> Path:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in events]
    path.write_text("\n".join(lines) + "\n")
    return path


def reverted(labels: Iterable[RevertLabel]) -> dict[int, int | None]:
    return {label.rev_id: label.reverting_rev_id for label in labels if label.is_reverted}


def test_a_dump_and_its_stream_give_the_same_labels() -> None:
    from_dump = {label.rev_id: label for label in dump_labels(BUNDLED.dump, RULES)}
    from_events = {label.rev_id: label for label in event_labels(BUNDLED.events, RULES)}
    both = from_dump.keys() & from_events.keys()
    assert len(both) > 2_000
    assert all(from_dump[rev_id] == from_events[rev_id] for rev_id in both)
    # The stream has the pages that were deleted since, the dump the revisions that moves made.
    assert len(from_dump.keys() ^ from_events.keys()) < 20


def test_what_was_reverted_in_the_sample_is_what_was_vandalism_there() -> None:
    truth = [json.loads(line) for line in gzip.decompress(BUNDLED.truth.read_bytes()).splitlines()]
    kinds = {row["rev_id"]: row["edit_kind"] for row in truth}
    found = reverted(dump_labels(BUNDLED.dump, RULES))
    undone = [
        rev_id for rev_id, by in found.items() if kinds[rev_id] == "vandalism" and kinds[by or 0] == "revert"
    ]
    # The rest are ordinary edits that happen to restore a text.
    assert len(undone) > 150
    assert len(undone) > 0.98 * len(found)


@pytest.mark.parametrize(
    ("radius", "window_seconds", "expected"), [(15, 172800.0, 44), (3, 172800.0, 44), (1, 172800.0, 26)]
)
def test_a_real_history_has_as_many_reverted_edits_as_mwreverts_and_editquality_find(
    shared: Path, radius: int, window_seconds: float, expected: int
) -> None:
    rules = RevertRules(radius=radius, window_seconds=window_seconds)
    path = shared / "data" / "dumps" / "wikitrust_wiki_00023.xml"
    assert len(reverted(dump_labels(path, rules))) == expected
    everything = RevertRules(radius, None, counts_self_reverts=True, counts_restored=True)
    assert len(reverted(dump_labels(path, everything))) == {15: 51, 3: 51, 1: 29}[radius]


def test_hidden_texts_of_a_real_dump_match_nothing(shared: Path) -> None:
    path = shared / "data" / "dumps" / "refinery_Simplewiki.Sample.xml"
    hidden = {one.rev_id for one in read_dump(path) if one.is_text_hidden}
    assert hidden
    found = reverted(dump_labels(path, RULES))
    assert len(found) == 11
    assert not hidden & {reverting for reverting in found.values() if reverting}


def test_pages_of_other_namespaces_are_passed_over(tmp_path: Path) -> None:
    revisions = [revision(1, "a", "::1"), revision(2, "b", "::2"), revision(3, "a", "::1")]
    later = [one.replace("<id>", "<id>1") for one in revisions]
    path = tmp_path / "dump.xml"
    path.write_bytes(document((0, revisions), (1, later)))
    assert [label.rev_id for label in dump_labels(path, RULES)] == [1, 2, 3, 11, 12, 13]
    assert [label.rev_id for label in dump_labels(path, RULES, namespaces={1})] == [11, 12, 13]
    assert {label.wiki_id for label in dump_labels(path, RULES, wiki_id="otherwiki")} == {"otherwiki"}


def test_a_revert_never_reaches_over_into_another_page(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(
        document(
            (0, [revision(1, "a", "::1"), revision(2, "b", "::2")]),
            (0, [revision(3, "c", "::3"), revision(4, "a", "::1")]),
        )
    )
    assert reverted(dump_labels(path, RULES)) == {}


def test_the_text_can_stand_in_for_what_a_dump_states(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    wrong = [
        revision(number, text, f"::{number}", sha1=f"{number:031}")
        for number, text in enumerate("aba", start=1)
    ]
    path.write_bytes(document((0, wrong)))
    assert reverted(dump_labels(path, RULES)) == {}
    assert reverted(dump_labels(path, RULES, hashes_text=True)) == {2: 3}
    path.write_bytes(
        document((0, [re_text.replace("<sha1>", "<old>").replace("</sha1>", "</old>") for re_text in wrong]))
    )
    assert reverted(dump_labels(path, RULES)) == {2: 3}


def test_events_in_any_order_and_twice_give_the_same_labels(tmp_path: Path) -> None:
    events = [event(1, "a", "ann"), event(2, "b", "bob"), event(3, "a", "ann"), event(4, "c", "cem")]
    events += [event(rev_id, "z", "bob", page_id=32) for rev_id in (5, 6)]
    expected = list(event_labels(write_events(tmp_path / "in.jsonl", events), RULES))
    assert reverted(expected) == {2: 3}
    random.Random(1).shuffle(events)
    shuffled = write_events(tmp_path / "shuffled.jsonl", [*events, *events[:3]])
    assert list(event_labels(shuffled, RULES)) == expected


def test_the_state_before_the_first_event_can_be_reverted_to(tmp_path: Path) -> None:
    prior = {"revision": {"rev_id": 1, "rev_dt": "2026-10-31T09:00:00Z", "rev_sha1": "a"}}
    events = [event(2, "b", "bob", prior_state=prior), event(3, "a", "ann")]
    labels = list(event_labels(write_events(tmp_path / "in.jsonl", events), RULES))
    assert [label.rev_id for label in labels] == [2, 3]
    assert reverted(labels) == {2: 3}


def test_what_the_event_says_it_undid_counts_without_a_sha1(tmp_path: Path) -> None:
    told = {"is_exact": True, "rev_original_id": 1, "rev_reverted_oldest_id": 2, "rev_reverted_newest_id": 3}
    edits = [event(2, None, "bob"), event(3, None, "bob")]
    exact = event(4, None, "ann", revision={"revert": told})
    assert reverted(event_labels(write_events(tmp_path / "in.jsonl", [*edits, exact]), RULES)) == {2: 4, 3: 4}
    for other in (told | {"is_exact": False}, told | {"rev_reverted_oldest_id": "2"}):
        partial = event(4, None, "ann", revision={"revert": other})
        assert reverted(event_labels(write_events(tmp_path / "in.jsonl", [*edits, partial]), RULES)) == {}


def test_a_revision_hidden_later_matches_nothing_and_names_nobody(tmp_path: Path) -> None:
    events = [event(1, "a", "ann"), event(2, "b", "bob"), event(3, "a", "ann")]
    hide = event(1, None, "ann", page_change_kind="visibility_change", dt="2026-11-02T00:00:00Z")
    hide["revision"]["is_content_visible"] = False
    for order in ([*events, hide], [hide, *events]):
        assert reverted(event_labels(write_events(tmp_path / "in.jsonl", order), RULES)) == {}
    show = event(1, "a", "ann", page_change_kind="visibility_change", dt="2026-11-03T00:00:00Z")
    assert reverted(event_labels(write_events(tmp_path / "in.jsonl", [show, *events, hide]), RULES)) == {2: 3}


def test_moves_stand_between_but_get_no_label(tmp_path: Path) -> None:
    moved = event(3, "b", "cem", page_change_kind="move")
    events = [event(1, "a", "ann"), event(2, "b", "bob"), moved, event(4, "a", "ann")]
    labels = list(event_labels(write_events(tmp_path / "in.jsonl", events), RULES))
    assert [label.rev_id for label in labels] == [1, 2, 4]
    assert reverted(labels) == {2: 4}


def test_lines_that_are_no_page_change_are_counted_and_passed_over(tmp_path: Path) -> None:
    canary = page_change(meta={"domain": "canary", "stream": "mediawiki.page_change.v1"})
    other = revision_create(database="fernwiki")
    path = write_events(tmp_path / "in.jsonl", ["{broken", "", canary, event(1, "a", "ann"), other])
    counts = EventCounts()
    assert len(list(event_labels(path, RULES, wiki_id="mosswiki", counts=counts))) == 1
    assert (counts.events, counts.undecodable) == (2, 1)


def test_damaged_events_are_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(BUNDLED.events.read_bytes()[:20_000])
    with pytest.raises(SourceError, match=r"cut\.jsonl\.gz"):
        list(event_labels(path, RULES))


def test_the_file_is_a_table_that_names_its_columns_and_leaves_out_what_is_open(tmp_path: Path) -> None:
    out = tmp_path / "labels.tsv"
    revisions = [
        revision(1, "a", "::1"),
        revision(2, "b", "::2", hour=1),
        revision(3, "a", "::1", hour=2),
        revision(4, "c", "::2", hour=9),
    ]
    dump = tmp_path / "dump.xml"
    dump.write_bytes(document((0, revisions)))
    rules = RevertRules(window_seconds=7 * 3600.0)
    counts = write_labels(dump_labels(dump, rules), out, rules, label_column="undone")
    assert out.read_text() == (
        "rev_id\tundone\twiki_id\tpage_id\trev_dt\treverting_rev_id\n"
        "1\tFalse\tmosswiki\t1\t2024-01-01T00:00:00Z\t\n"
        "2\tTrue\tmosswiki\t1\t2024-01-01T01:00:00Z\t3\n"
        "3\tFalse\tmosswiki\t1\t2024-01-01T02:00:00Z\t\n"
    )
    assert (counts.rows, counts.reverted, counts.unsettled) == (3, 1, 1)
    assert counts.latest_dt == "2024-01-01T09:00:00Z"
    kept = write_labels(dump_labels(dump, rules), out, rules, keeps_unsettled=True)
    assert (kept.rows, kept.unsettled) == (4, 0)


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".zst"])
def test_writing_twice_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        out = tmp_path / name / f"labels.tsv{suffix}"
        write_labels(event_labels(BUNDLED.events, RULES), out, RULES)
        assert [path.name for path in out.parent.iterdir()] == [out.name]
        contents.append(out.read_bytes())
    assert contents[0] == contents[1]


def test_a_source_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    dump = tmp_path / "cut.xml.bz2"
    dump.write_bytes(bz2.compress(bz2.decompress(BUNDLED.dump.read_bytes())[:200_000]))
    with pytest.raises(SourceError, match="not a whole dump"):
        write_labels(dump_labels(dump, RULES), tmp_path / "labels.tsv", RULES)
    assert [path.name for path in tmp_path.iterdir()] == [dump.name]


def test_memory_does_not_grow_with_the_page(tmp_path: Path) -> None:
    def peak_bytes(revisions: int) -> int:
        path = tmp_path / f"{revisions}.xml"
        path.write_bytes(document((0, (revision(n, str(n % 7), "::1") for n in range(1, revisions)))))
        tracemalloc.start()
        write_labels(dump_labels(path, RULES), tmp_path / "labels.tsv", RULES)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert peak_bytes(12_000) < 1.1 * peak_bytes(4_000)
