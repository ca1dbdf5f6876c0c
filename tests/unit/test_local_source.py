"""Revisions out of a dump by their ids."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from agents.content import RevisionSource
from batch.index_builder import build_index
from batch.local_index import DumpIndex
from batch.local_source import DumpRevisionSource
from batch.users_beside import users_beside
from schemas.errors import (
    ContentTooLarge,
    ParentNotFound,
    RevisionDeleted,
    RevisionNotFound,
    SourceError,
)
from schemas.prediction import ScoreFailure
from schemas.revision import RevisionRequest, RevisionUser

HEAD = '<mediawiki version="0.11" xml:lang="en"><siteinfo><dbname>testwiki</dbname></siteinfo>'
ANN = "<contributor><username>Ann</username><id>3</id></contributor>"


def rev(
    rev_id: int,
    parent_id: int | None,
    text: str,
    *,
    contributor: str = ANN,
    comment: str = "<comment>c</comment>",
) -> str:
    """Return one revision element; ``text`` is the whole text element."""
    parent = "" if parent_id is None else f"<parentid>{parent_id}</parentid>"
    return (
        f"<revision><id>{rev_id}</id>{parent}<timestamp>2024-01-01T00:00:{rev_id:02}Z</timestamp>{contributor}"
        f"{comment}<model>wikitext</model><format>text/x-wiki</format>{text}<sha1 /></revision>"
    )


HIDDEN = '<text deleted="deleted" />'
PAGES = (
    "<page><title>Tea</title><ns>0</ns><id>1</id>"
    + rev(1, None, "<text>one</text>")
    + rev(2, 1, "<text>one two</text>", contributor="<contributor><ip>192.0.2.9</ip></contributor>")
    + rev(3, 2, HIDDEN)
    + rev(4, 3, "<text>four</text>")
    + rev(
        5,
        4,
        "<text />",
        contributor='<contributor deleted="deleted" />',
        comment='<comment deleted="deleted" />',
    )
    + rev(6, 99, "<text>six</text>")
    + rev(7, 5, f"<text>{'x' * 3000}</text>")
    + rev(8, 7, "<text>eight</text>")
    + rev(9, 8, '<text bytes="5" location="tt:9" id="9" />')
    + "</page>"
)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump with one revision of each trouble."""
    path = tmp_path / "test.xml"
    path.write_text(f"{HEAD}{PAGES}</mediawiki>")
    return path


@pytest.fixture
async def source(dump: Path, tmp_path: Path) -> DumpRevisionSource:
    """The source over it."""
    return DumpRevisionSource(dump, cache_dir=tmp_path / "cache", max_text_bytes=2000)


def asked(rev_id: int, parent_id: int | None = None, wiki_id: str = "testwiki") -> RevisionRequest:
    return RevisionRequest(wiki_id, rev_id, parent_id)


async def test_it_is_a_revision_source(source: DumpRevisionSource) -> None:
    typed: RevisionSource = source
    assert (await typed.get(asked(1))).text == "one"
    await typed.close()
    await typed.close()


async def test_a_revision_comes_with_its_parent_and_editor(source: DumpRevisionSource) -> None:
    found = await source.get(asked(2, 1))
    assert (found.page_id, found.page_title, found.namespace_id) == (1, "Tea", 0)
    assert (found.text, found.parent_text, found.rev_parent_id) == ("one two", "one", 1)
    assert found.rev_dt == datetime(2024, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert found.parent_dt == datetime(2024, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert found.parent_user == RevisionUser(3, "Ann", is_known=False)
    assert found.comment == "c"
    await source.close()


async def test_a_first_revision_has_no_parent_text(source: DumpRevisionSource) -> None:
    found = await source.get(asked(1))
    assert (found.rev_parent_id, found.parent_text, found.parent_dt) == (None, None, None)
    assert found.parent_user is None
    await source.close()


async def test_missing_hidden_and_too_large_are_told_apart(source: DumpRevisionSource) -> None:
    expected = {
        50: RevisionNotFound,
        3: RevisionDeleted,
        4: ParentNotFound,
        6: ParentNotFound,
        7: ContentTooLarge,
        8: ContentTooLarge,
        9: RevisionNotFound,
    }
    for rev_id, kind in expected.items():
        with pytest.raises(kind) as caught:
            await source.get(asked(rev_id))
        assert type(caught.value) is kind
        assert caught.value.fields["rev_id"] == rev_id
        assert not caught.value.retryable
    await source.close()


async def test_a_revision_whose_parent_is_missing_is_given_to_those_who_can_do_without(
    source: DumpRevisionSource,
) -> None:
    found = await source.get(replace(asked(4), may_lack_parent=True))
    assert (found.rev_parent_id, found.parent_text, found.parent_dt, found.parent_user) == (
        3,
        None,
        None,
        None,
    )
    assert found.text
    with pytest.raises(ParentNotFound) as caught:
        await source.get(asked(4))
    assert found.parent_failure == ScoreFailure(ParentNotFound.code, caught.value.message)
    assert (await source.get(replace(asked(2), may_lack_parent=True))).parent_failure is None
    with pytest.raises(RevisionDeleted):
        await source.get(replace(asked(3), may_lack_parent=True))
    await source.close()


async def test_another_wiki_is_not_found_in_this_dump(source: DumpRevisionSource) -> None:
    with pytest.raises(RevisionNotFound, match="testwiki"):
        await source.get(asked(1, wiki_id="otherwiki"))
    await source.close()


async def test_a_hidden_editor_is_none_and_a_hidden_comment_empty(source: DumpRevisionSource) -> None:
    found = await source.get(asked(5))
    assert found.user is None
    assert found.comment == ""
    assert found.text == ""
    await source.close()


async def test_without_a_users_file_only_accounts_are_unknown(source: DumpRevisionSource) -> None:
    assert (await source.get(asked(1))).user == RevisionUser(3, "Ann", is_known=False)
    assert (await source.get(asked(2))).user == RevisionUser(None, "192.0.2.9", is_known=True)
    await source.close()


async def test_the_users_file_beside_the_dump_tells_groups_and_registration(
    dump: Path, tmp_path: Path
) -> None:
    line = (
        '{"user_id":3,"user_text":"Ann","groups":["user","bot"],"registration_dt":"2020-05-01T00:00:00Z"}\n'
    )
    users = tmp_path / "test.users.jsonl"
    users.write_text(line)
    assert users_beside(dump) == users
    source = DumpRevisionSource(dump, cache_dir=tmp_path / "cache")
    expected = RevisionUser(3, "Ann", ("bot", "user"), datetime(2020, 5, 1, tzinfo=UTC))
    assert (await source.get(asked(1))).user == expected
    await source.close()


async def test_a_broken_users_file_names_its_line(dump: Path, tmp_path: Path) -> None:
    (tmp_path / "test.users.jsonl").write_text('{"user_id":3,"user_text":"Ann"}\n{"user_id":"x"}\n')
    source = DumpRevisionSource(dump, cache_dir=tmp_path / "cache")
    with pytest.raises(SourceError, match="line 2"):
        await source.get(asked(1))
    await source.close()


async def test_before_0_7_the_revision_above_is_the_parent(tmp_path: Path) -> None:
    dump = tmp_path / "old.xml"
    pages = (
        "<page><title>A</title><id>1</id>" + rev(1, None, "<text>a</text>") + rev(4, None, "<text>b</text>")
    )
    pages += "</page><page><title>B</title><id>2</id>" + rev(3, None, "<text>c</text>") + "</page>"
    dump.write_text(f'<mediawiki version="0.3" xml:lang="en">{pages}</mediawiki>')
    source = DumpRevisionSource(dump, cache_dir=tmp_path / "cache", wiki_id="oldwiki")
    assert (await source.get(asked(4, wiki_id="oldwiki"))).parent_text == "a"
    assert (await source.get(asked(3, wiki_id="oldwiki"))).parent_text is None
    await source.close()


async def test_a_dump_without_a_name_asks_for_it(tmp_path: Path) -> None:
    dump = tmp_path / "old.xml"
    dump.write_text(f"<mediawiki>{PAGES}</mediawiki>")
    source = DumpRevisionSource(dump, cache_dir=tmp_path / "cache")
    with pytest.raises(SourceError, match="does not name its wiki"):
        await source.get(asked(1))
    await source.close()


async def test_a_large_revision_is_unpacked_off_the_loop_and_equal(tmp_path: Path) -> None:
    dump = tmp_path / "large.xml"
    text = "".join(f"word{number} " for number in range(300_000))
    pages = f"<page><title>A</title><id>1</id>{rev(1, None, f'<text>{text}</text>')}</page>"
    dump.write_text(f"{HEAD}{pages}</mediawiki>")
    source = DumpRevisionSource(dump, cache_dir=tmp_path / "cache")
    found = await asyncio.gather(*(source.get(asked(1)) for _ in range(4)))
    assert all(one.text == text for one in found)
    await source.close()


def test_an_index_is_built_once_and_again_when_the_dump_changes(dump: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = build_index(dump, None, cache, max_text_bytes=2000)
    built_ns = first.stat().st_mtime_ns
    assert build_index(dump, None, cache, max_text_bytes=2000) == first
    assert first.stat().st_mtime_ns == built_ns
    dump.write_text(dump.read_text().replace("one two", "one too"))
    os.utime(dump, (1, 1))
    second = build_index(dump, None, cache, max_text_bytes=2000)
    assert second != first
    assert not first.exists()
    assert DumpIndex(second).revision_count == 9


def test_a_broken_dump_leaves_no_index(dump: Path, tmp_path: Path) -> None:
    dump.write_text(dump.read_text().removesuffix("</mediawiki>"))
    with pytest.raises(SourceError):
        build_index(dump, None, tmp_path / "cache", max_text_bytes=2000)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_what_a_killed_build_left_is_overwritten(dump: Path, tmp_path: Path) -> None:
    index = build_index(dump, None, tmp_path / "cache", max_text_bytes=2000)
    index.unlink()
    index.with_suffix(".partial").write_bytes(b"half an index")
    assert build_index(dump, None, tmp_path / "cache", max_text_bytes=2000) == index
    assert not index.with_suffix(".partial").exists()


def test_processes_that_build_at_once_all_get_the_same_whole_index(dump: Path, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as threads:
        built = list(
            threads.map(lambda _: build_index(dump, None, tmp_path / "cache", max_text_bytes=2000), range(6))
        )
    assert len(set(built)) == 1
    index = DumpIndex(built[0])
    assert index.revision_count == 9
    index.close()
