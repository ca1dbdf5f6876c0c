"""The generated wiki: the same each time, sound, and what its stream says of it."""

import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml
from click.testing import CliRunner

from batch.compression import open_unpacked
from batch.dump import read_dump
from batch.dump_revision import DumpRevision, sha1_base36
from batch.local_source import DumpRevisionSource
from batch.sample_site import EditTruth
from batch.sample_wiki import (
    BUNDLED,
    BUNDLED_SPEC,
    SampleFiles,
    SampleSpec,
    generate,
    generate_counted,
    main,
)
from batch.users_beside import users_beside
from schemas.decode import decode_event
from schemas.errors import ParentNotFound, RevisionDeleted, RevisionNotFound, SettingsError
from schemas.page_change import Canary, PageChange, PageChangeKind
from schemas.revision import RevisionRequest, RevisionUser

EDITING = {PageChangeKind.CREATE, PageChangeKind.EDIT, PageChangeKind.MOVE}


def lines(path: Path) -> Iterator[bytes]:
    """Give the lines of a packed file."""
    with open_unpacked(path) as stream:
        yield from stream


def plain(path: Path) -> bytes:
    """Return all of a packed file."""
    with open_unpacked(path) as stream:
        return stream.read()


def raw_events() -> list[dict[str, Any]]:
    """Return the bundled events as JSON."""
    return [msgspec.json.decode(line) for line in lines(BUNDLED.events)]


def changes() -> list[PageChange]:
    """Return the bundled events, decoded, without canaries."""
    decoded = [decode_event(line) for line in lines(BUNDLED.events)]
    return [event for event in decoded if isinstance(event, PageChange)]


@pytest.fixture(scope="module")
def revisions() -> dict[int, DumpRevision]:
    """The bundled revisions by id."""
    return {revision.rev_id: revision for revision in read_dump(BUNDLED.dump) if revision.rev_id is not None}


@pytest.fixture(scope="module")
def truth() -> dict[int, EditTruth]:
    """Why each bundled revision was made."""
    decoder = msgspec.json.Decoder(EditTruth)
    return {one.rev_id: one for one in map(decoder.decode, lines(BUNDLED.truth))}


def test_the_bundled_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    files = generate(BUNDLED_SPEC, tmp_path)
    # Unpacked, because another build of zlib or bzip2 may pack the same content otherwise.
    for name in SampleFiles.__struct_fields__:
        assert plain(getattr(files, name)) == plain(getattr(BUNDLED, name)), (
            f"{name} differs: run `python -m batch.sample_wiki --packing bz2 --out batch/sample`"
        )


def test_the_bundled_files_are_small() -> None:
    total = sum(path.stat().st_size for path in BUNDLED.dump.parent.iterdir() if path.is_file())
    assert total < 1_000_000


@pytest.mark.parametrize("packing", ["bz2", "gz", "zst", "plain"])
def test_the_same_spec_gives_the_same_bytes(tmp_path: Path, packing: Any) -> None:
    spec = SampleSpec(pages=20, revisions=120, seed=4, packing=packing)
    first, second = generate(spec, tmp_path / "a"), generate(spec, tmp_path / "b")
    for name in SampleFiles.__struct_fields__:
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes()


def test_another_seed_gives_another_wiki(tmp_path: Path) -> None:
    files = [generate(SampleSpec(pages=20, revisions=60, seed=seed), tmp_path / str(seed)) for seed in (1, 2)]
    assert plain(files[0].dump) != plain(files[1].dump)


@pytest.mark.parametrize(("pages", "revisions"), [(10, 10), (10, 400), (50, 60), (300, 1500)])
def test_a_wiki_of_any_size_has_what_was_asked(tmp_path: Path, pages: int, revisions: int) -> None:
    files, counts = generate_counted(SampleSpec(pages=pages, revisions=revisions, packing="zst"), tmp_path)
    # Moves leave a redirect, and so may take the last step beyond the number.
    assert revisions <= counts.revisions <= revisions + 1
    assert counts.pages >= pages
    found = list(read_dump(files.dump))
    assert len(found) == counts.dump_revisions
    assert sum(1 for _ in lines(files.events)) == counts.events
    assert sum(1 for _ in lines(files.truth)) == counts.revisions


def test_nothing_but_the_four_files_is_left_behind(tmp_path: Path) -> None:
    files = generate(SampleSpec(pages=10, revisions=30), tmp_path)
    assert set(tmp_path.iterdir()) == {files.dump, files.events, files.users, files.truth}


def test_an_impossible_wiki_is_refused(tmp_path: Path) -> None:
    for pages, revisions in ((9, 100), (100, 99)):
        with pytest.raises(SettingsError):
            generate(SampleSpec(pages=pages, revisions=revisions), tmp_path)


def test_the_command_writes_a_wiki_and_says_what_is_in_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["--pages", "12", "--revisions", "40", "--seed", "3", "--out", str(tmp_path)]
    )
    assert done.exit_code == 0
    said = msgspec.json.decode(done.output)
    assert said["counts"]["revisions"] == 40
    assert Path(said["files"]["dump"]).name == "sample.xml.zst"
    assert CliRunner().invoke(main, ["--pages", "1", "--out", str(tmp_path)]).exit_code == 2


def test_every_text_has_its_size_and_checksum(revisions: dict[int, DumpRevision]) -> None:
    for revision in revisions.values():
        if revision.text is None:
            assert revision.is_text_hidden
            assert revision.sha1 is None
        else:
            assert revision.sha1 == sha1_base36(revision.text.encode())
            assert revision.text_bytes == len(revision.text.encode())


def test_parents_are_the_revisions_above_and_time_never_goes_back(revisions: dict[int, DumpRevision]) -> None:
    above: dict[int | None, int | None] = {}
    for rev_id, revision in revisions.items():
        assert revision.rev_parent_id == above.get(revision.page.page_id)
        above[revision.page.page_id] = rev_id
    in_order = [revisions[rev_id].rev_dt for rev_id in sorted(revisions)]
    assert in_order == sorted(in_order)
    pages = [revision.page.page_id for revision in revisions.values()]
    assert pages == sorted(pages, key=lambda page_id: page_id or 0)


def test_the_wiki_has_pages_of_all_kinds_and_sizes(revisions: dict[int, DumpRevision]) -> None:
    by_page = {revision.page.page_id: revision for revision in revisions.values()}
    assert len(by_page) > 200
    namespaces = Counter(revision.page.namespace_id for revision in by_page.values())
    assert {0, 1, 2, 8, 10} <= set(namespaces)
    assert {revision.content_model for revision in revisions.values()} == {"wikitext", "json"}
    assert sum(revision.page.is_redirect for revision in by_page.values()) >= 4
    long_pages = {one.page.page_id for one in revisions.values() if 20_000 < len(one.text or "") < 62_000}
    assert len(long_pages) >= 3
    for revision in revisions.values():
        if revision.content_model == "json" and revision.text is not None:
            assert isinstance(msgspec.json.decode(revision.text), dict)


def test_text_comment_and_editor_are_hidden_in_some_revisions(revisions: dict[int, DumpRevision]) -> None:
    assert any(one.is_text_hidden and not one.is_user_hidden for one in revisions.values())
    assert any(one.is_user_hidden and not one.is_text_hidden for one in revisions.values())
    assert any(
        one.is_text_hidden and one.is_user_hidden and one.is_comment_hidden for one in revisions.values()
    )


def test_articles_have_what_features_look_for(revisions: dict[int, DumpRevision]) -> None:
    text = "\n".join(one.text for one in revisions.values() if one.page.namespace_id == 0 and one.text)
    for mark in (
        "{{Infobox ",
        "<ref>{{cite web|",
        "[[Category:",
        "\n== ",
        '{| class="wikitable"',
        "\n* [[",
        "#REDIRECT",
    ):
        assert text.count(mark) > 2, mark


def test_every_event_decodes_and_no_two_have_the_same_id() -> None:
    decoded = [decode_event(line) for line in lines(BUNDLED.events)]
    canaries = [event for event in decoded if isinstance(event, Canary)]
    events = changes()
    assert len(canaries) >= 3
    assert len({event.event_id for event in events}) == len(events)
    assert {event.page_change_kind for event in events} == set(PageChangeKind) - {PageChangeKind.OTHER}
    assert {event.wiki_id for event in events} == {"samplewiki"}
    assert {event.domain for event in events} == {"sample.example"}


def test_events_come_in_order_of_time() -> None:
    events = raw_events()
    for field in ("dt", ("meta", "dt")):
        times = [event["dt"] if field == "dt" else event["meta"]["dt"] for event in events]
        parsed = [datetime.fromisoformat(time) for time in times]
        assert parsed == sorted(parsed)


def test_the_stream_and_the_dump_tell_the_same(revisions: dict[int, DumpRevision]) -> None:
    missing = 0
    for event in changes():
        if event.page_change_kind not in EDITING:
            continue
        told, found = event.revision, revisions.get(event.revision.rev_id)
        if found is None:
            missing += 1
            continue
        assert told.rev_dt == found.rev_dt
        assert told.rev_parent_id == found.rev_parent_id
        assert told.content_model == found.content_model
        assert told.is_minor_edit == found.is_minor_edit
        assert event.page.page_id == found.page.page_id
        if not found.is_text_hidden:
            assert (told.rev_sha1, told.rev_size) == (found.sha1, found.text_bytes)
        if not found.is_comment_hidden:
            assert told.comment == found.comment
        if found.user is not None:
            assert told.editor is not None
            assert (told.editor.user_id, told.editor.user_text) == (found.user.user_id, found.user.user_text)
    # Those of pages that were deleted later.
    assert 1 <= missing <= 20


def test_each_edit_tells_its_parent_as_it_was() -> None:
    current: dict[int, str] = {}
    for event in changes():
        if event.page_change_kind in {PageChangeKind.EDIT, PageChangeKind.MOVE}:
            assert event.prior_state is not None
            assert event.prior_state.rev_id == event.revision.rev_parent_id
            if event.prior_state.rev_sha1 is not None:
                assert event.prior_state.rev_sha1 == current[event.page.page_id]
        if event.revision.rev_sha1 is not None:
            current[event.page.page_id] = event.revision.rev_sha1


def test_a_move_saves_an_unchanged_revision_and_its_redirect_has_an_event_of_its_own() -> None:
    events = raw_events()
    moves = [number for number, event in enumerate(events) if event["page_change_kind"] == "move"]
    assert len(moves) >= 2
    for number in moves:
        move, following = events[number], events[number + 1]
        assert move["revision"]["rev_sha1"] == move["prior_state"]["revision"]["rev_sha1"]
        assert move["prior_state"]["page"]["page_title"] != move["page"]["page_title"]
        assert following["page_change_kind"] == "create"
        assert following["page"]["page_id"] == move["created_redirect_page"]["page_id"]
        assert following["page"]["redirect_page_link"]["page_title"] == move["page"]["page_title"]


def test_a_revert_restores_the_text_that_it_names(revisions: dict[int, DumpRevision]) -> None:
    reverts = [event["revision"] for event in raw_events() if "revert" in event["revision"]]
    assert len(reverts) > 50
    for revision in reverts:
        restored, original = revisions[revision["rev_id"]], revisions[revision["revert"]["rev_original_id"]]
        if restored.text is not None and original.text is not None:
            assert restored.text == original.text
        assert revision["revert"]["rev_reverted_newest_id"] == revision["rev_parent_id"]


def test_a_suppression_names_no_performer_and_shows_nothing() -> None:
    hidden = [event for event in changes() if event.page_change_kind is PageChangeKind.VISIBILITY_CHANGE]
    suppressed = [event for event in hidden if event.performer is None]
    assert suppressed
    assert len(suppressed) < len(hidden)
    for event in suppressed:
        told = event.revision
        assert (told.editor, told.comment, told.rev_sha1, told.rev_size) == (None, None, None, None)
        assert [told.is_content_visible, told.is_editor_visible, told.is_comment_visible] == [False] * 3
        assert event.prior_state is not None
        assert event.prior_state.is_content_visible


def test_vandals_are_mostly_new_or_unregistered_and_mostly_reverted(truth: dict[int, EditTruth]) -> None:
    edits = [event for event in changes() if event.page_change_kind is PageChangeKind.EDIT]
    share: dict[str, list[bool]] = {"vandalism": [], "ordinary": []}
    reverted: set[int] = set()
    for event in edits:
        editor, kind = event.revision.editor, truth[event.revision.rev_id].edit_kind
        if kind == "revert" and event.revision.rev_parent_id is not None:
            reverted.add(event.revision.rev_parent_id)
        if kind in share and editor is not None:
            # Counts may start at once, so age tells who is new.
            age = None if editor.registration_dt is None else event.dt - editor.registration_dt
            share[kind].append(age is None or age.days < 14)
    assert sum(share["vandalism"]) / len(share["vandalism"]) > 0.85
    assert sum(share["ordinary"]) / len(share["ordinary"]) < 0.4
    vandalism = {rev_id for rev_id, one in truth.items() if one.edit_kind == "vandalism"}
    assert len(vandalism & reverted) / len(vandalism) > 0.6


def test_the_users_file_knows_every_account_of_the_dump(revisions: dict[int, DumpRevision]) -> None:
    decoder = msgspec.json.Decoder(RevisionUser)
    users = {user.user_text: user for user in map(decoder.decode, lines(BUNDLED.users))}
    assert users_beside(BUNDLED.dump) == BUNDLED.users
    for revision in revisions.values():
        if revision.user is not None and revision.user.user_id is not None:
            user = users[revision.user.user_text]
            assert user.user_id == revision.user.user_id
            assert user.registration_dt is not None
            assert user.registration_dt < revision.rev_dt
    groups = Counter(group for user in users.values() for group in user.groups)
    assert {"bot", "sysop", "rollbacker", "autopatrolled", "autoconfirmed", "user"} <= set(groups)


async def test_the_local_source_gives_every_revision_of_the_stream_or_says_why_not(
    tmp_path: Path, revisions: dict[int, DumpRevision]
) -> None:
    source = DumpRevisionSource(BUNDLED.dump, cache_dir=tmp_path)
    outcomes: Counter[str] = Counter()
    for event in changes():
        if event.page_change_kind not in EDITING:
            continue
        request = RevisionRequest(event.wiki_id, event.revision.rev_id, event.revision.rev_parent_id)
        try:
            found = await source.get(request)
        except (RevisionNotFound, RevisionDeleted, ParentNotFound) as error:
            outcomes[error.code] += 1
            continue
        outcomes["found"] += 1
        assert found.text == revisions[found.rev_id].text
        assert found.rev_parent_id == event.revision.rev_parent_id
        parent = None if found.rev_parent_id is None else revisions[found.rev_parent_id]
        assert found.parent_text == (None if parent is None else parent.text)
        assert found.user is None or found.user.is_known
    await source.close()
    assert outcomes["found"] > 2000
    assert all(
        1 <= outcomes[error.code] <= 20 for error in (RevisionNotFound, RevisionDeleted, ParentNotFound)
    )


def test_the_dump_has_its_elements_in_the_order_of_the_schema() -> None:
    order = ["id", "parentid", "timestamp", "contributor", "minor", "comment", "origin", "model", "format"]
    order += ["text", "content", "sha1"]
    needed = {"id", "timestamp", "contributor", "origin", "model", "format", "text", "sha1"}
    with open_unpacked(BUNDLED.dump) as stream:
        root = ET.parse(stream).getroot()
    space = "{http://www.mediawiki.org/xml/export-0.11/}"
    assert root.tag == f"{space}mediawiki"
    pages = root.findall(f"{space}page")
    assert len({page.findtext(f"{space}id") for page in pages}) == len(pages)
    for page in pages:
        head = [child.tag.removeprefix(space) for child in page if child.tag != f"{space}revision"]
        assert head in (["title", "ns", "id"], ["title", "ns", "id", "redirect"])
        for revision in page.findall(f"{space}revision"):
            names = [child.tag.removeprefix(space) for child in revision]
            assert names == sorted(names, key=order.index)
            assert needed <= set(names)


def test_the_dump_is_valid_where_a_validator_is_installed(shared: Path, tmp_path: Path) -> None:
    if shutil.which("xmllint") is None:
        pytest.skip("xmllint is not installed")
    attributes = tmp_path / "xml.xsd"
    attributes.write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'targetNamespace="http://www.w3.org/XML/1998/namespace"><xs:attribute name="lang" type="xs:string"/>'
        '<xs:attribute name="space" type="xs:string"/></xs:schema>'
    )
    schema = (shared / "schemas" / "export-xsd" / "export-0.11.xsd").read_text()
    (tmp_path / "export.xsd").write_text(schema.replace("http://www.w3.org/2001/xml.xsd", "xml.xsd"))
    (tmp_path / "sample.xml").write_bytes(plain(BUNDLED.dump))
    command = ["xmllint", "--noout", "--huge", "--nonet", "--schema", "export.xsd", "sample.xml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_events_meet_the_schema_that_they_name(shared: Path) -> None:
    folder = shared / "schemas" / "jsonschema" / "mediawiki" / "page" / "change"
    validator = jsonschema_rs.validator_for(yaml.safe_load((folder / "1.3.0.yaml").read_text()))
    named = Counter[str]()
    for event in raw_events():
        named[event["$schema"]] += 1
        if event["$schema"] == "/mediawiki/page/change/1.4.0":
            # The one thing that 1.4.0 adds here.
            del event["revision"]["revert"]
        validator.validate(event)
    assert set(named) == {"/mediawiki/page/change/1.3.0", "/mediawiki/page/change/1.4.0"}
