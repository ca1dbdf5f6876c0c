"""Labelled revision ids, and what Wikilabels exports."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.training.labelled_revisions import LabelledRevisions, read_labelled_revisions
from schemas.errors import SourceError


def read(
    path: Path, content: str | list[dict[str, Any]], field: str = "damaging", **more: Any
) -> dict[int, str]:
    """Return label by revision id."""
    found = read_all(path, content, field, **more)
    return {
        rev_id: found.labels[label]
        for (_, rev_id), label in zip(found.keys, found.actual.tolist(), strict=True)
    }


def read_all(
    path: Path, content: str | list[dict[str, Any]], field: str = "damaging", **more: Any
) -> LabelledRevisions:
    text = content if isinstance(content, str) else "\n".join(map(json.dumps, content))
    (path / "labels").write_text(text)
    return read_labelled_revisions(path / "labels", label_column=field, wiki_id="enwiki", **more)


def test_tables_with_and_without_a_header_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "rev_id\tpage_id\tdamaging\n5\t1\tTrue\n7\t2\tFalse\n") == {5: "true", 7: "false"}
    classes = {"labels": ("Stub", "FA")}
    assert read(tmp_path, "300969045\tFA\n402547065\tStub\n", "wp10", **classes) == {
        300969045: "FA",
        402547065: "Stub",
    }


def test_the_published_quality_labels_are_read(shared: Path) -> None:
    path = shared / "data" / "labelled" / "articlequality" / "enwiki.rev_wp10.nettrom_30k.tsv.bz2"
    found = read_labelled_revisions(
        path, label_column="wp10", wiki_id="enwiki", labels=("Stub", "Start", "C", "B", "GA", "FA")
    )
    assert len(found.keys) > 29_000
    assert found.keys[0] == ("enwiki", 300969045)
    assert found.labels[found.actual[0]] == "FA"


def test_a_row_may_name_its_wiki(tmp_path: Path) -> None:
    found = read_all(tmp_path, "rev_id\tdamaging\twiki_id\n5\tTrue\truwiki\n5\tFalse\t\n")
    assert found.keys == (("ruwiki", 5), ("enwiki", 5))


def test_rows_without_a_label_are_passed_over_and_counted(tmp_path: Path) -> None:
    found = read_all(tmp_path, "rev_id\tdamaging\n5\tTrue\n7\t\n")
    assert found.keys == (("enwiki", 5),)
    assert found.unlabelled == 1


def test_a_revision_twice_counts_once_unless_its_labels_differ(tmp_path: Path) -> None:
    assert read(tmp_path, "rev_id\tdamaging\n5\tTrue\n5\ttrue\n") == {5: "true"}
    with pytest.raises(SourceError, match=r"line 4 .*revision 5 the label 'false', and line 2 'true'"):
        read(tmp_path, "rev_id\tdamaging\n5\tTrue\n6\tTrue\n5\tFalse\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no row with a damaging"),
        ("rev_id\tdamaging\n5\t\n", "holds no row with a damaging"),
        (
            "rev\tdamaging\n5\tTrue\n",
            "lacks the columns rev_id and damaging; its first row names rev, damaging",
        ),
        ("rev_id\tdamaging\nx\tTrue\n", "line 2"),
        ("rev_id\tdamaging\n0\tTrue\n", "line 2 .*no revision id"),
        ("rev_id\tdamaging\n5\tperhaps\n", "line 2 .*'perhaps' is none of its labels false, true"),
        ('{"damaging": true}\n', "line 1 .*no revision id"),
    ],
)
def test_what_is_no_labelled_revision_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(tmp_path, text)


def test_labels_without_any_wiki_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("5\tTrue\n")
    with pytest.raises(SourceError, match="names no wiki"):
        read_labelled_revisions(tmp_path / "labels", label_column="damaging")


REVIEWED: dict[str, Any] = {"autolabel": {"needs_review": True}, "auto_labeled": False}
TRUSTED: dict[str, Any] = {"autolabel": {"needs_review": False, "review_reason": "trusted user"}}


@pytest.mark.parametrize(
    ("row", "damaging", "goodfaith"),
    [
        ({"damaging": True, "goodfaith": True, **REVIEWED}, "true", "true"),
        ({"damaging": False, **REVIEWED}, "false", "true"),
        ({"damaging": "True", **REVIEWED}, "true", "false"),
        ({"goodfaith": False, **REVIEWED}, "true", "false"),
        ({"goodfaith": True, **REVIEWED}, "false", "true"),
        (TRUSTED, "false", "true"),
        ({"needs_review": "False"}, "false", "true"),
        (REVIEWED, None, None),
        ({"damaging": None, "goodfaith": None, **REVIEWED}, None, None),
    ],
)
def test_what_a_person_left_open_is_filled_as_editquality_fills_it(
    tmp_path: Path, row: dict[str, Any], damaging: str | None, goodfaith: str | None
) -> None:
    other = {"rev_id": 1, "damaging": True, "goodfaith": False}
    for field, expected in (("damaging", damaging), ("goodfaith", goodfaith)):
        assert read(tmp_path, [{"rev_id": 9, **row}, other], field).get(9) == expected


def test_the_label_of_a_person_stands_before_that_of_a_rule(tmp_path: Path) -> None:
    human, trusted = {"rev_id": 9, "damaging": True, **REVIEWED}, {"rev_id": 9, **TRUSTED}
    assert read(tmp_path, [human, trusted]) == {9: "true"}
    assert read(tmp_path, [trusted, human]) == {9: "true"}
    merged = {"rev_id": 9, "damaging": False, "goodfaith": True, "auto_labeled": True}
    assert read(tmp_path, [merged, human]) == {9: "true"}


def task(rev_id: int, *labels: dict[str, Any]) -> dict[str, Any]:
    """Return a task as Wikilabels' server gives it."""
    return {"id": rev_id + 1_000, "campaign_id": 4, "data": {"rev_id": rev_id}, "labels": list(labels)}


def given(timestamp: float, **data: Any) -> dict[str, Any]:
    return {"data": data, "timestamp": timestamp, "user_id": 7}


def test_of_several_labels_a_person_a_sure_one_and_the_earliest_comes_first(tmp_path: Path) -> None:
    tasks = [
        task(1, given(2, damaging=False), given(1, damaging=True)),
        task(2, given(1, damaging=True, automated=True), given(2, damaging=False)),
        task(3, given(1, damaging=True, unsure=True), given(2, damaging=False)),
        task(4),
        task(5, given(1, goodfaith=False)),
    ]
    expected = {1: "true", 2: "false", 3: "false", 5: "true"}
    assert read(tmp_path, tasks) == expected
    assert read(tmp_path, [{"id": 4, "wiki": "enwiki", "tasks": tasks}]) == expected
