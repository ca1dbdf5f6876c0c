"""Where texts come from, by the settings."""

import bz2
from pathlib import Path

import pytest

from app.content import open_content
from app.settings import Settings, load_settings
from batch.sample_wiki import BUNDLED
from schemas.errors import ContentTooLarge, RevisionNotFound, SettingsError
from schemas.revision import RevisionRequest

DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
<siteinfo><sitename>Tiny</sitename><dbname>tinywiki</dbname><base>https://tiny.example/wiki/A</base>
<generator>by hand</generator><case>first-letter</case>
<namespaces><namespace key="0" case="first-letter" /></namespaces></siteinfo>
<page><title>A</title><ns>0</ns><id>1</id>
<revision><id>10</id><timestamp>2026-01-01T00:00:00Z</timestamp>
<contributor><username>Someone</username><id>5</id></contributor><origin>10</origin>
<model>wikitext</model><format>text/x-wiki</format>
<text bytes="11" sha1="x" xml:space="preserve">hello there</text><sha1>x</sha1></revision></page>
</mediawiki>
"""


def settings(tmp_path: Path, **flags: str) -> Settings:
    return load_settings(flags=flags, environ={}, cwd=tmp_path)


def write_dump(folder: Path) -> Path:
    path = folder / "tiny.xml.bz2"
    path.write_bytes(bz2.compress(DUMP.encode()))
    return path


async def test_a_dump_named_in_the_settings_gives_its_texts(tmp_path: Path) -> None:
    source = open_content(settings(tmp_path, content=str(write_dump(tmp_path))))
    try:
        revision = await source.get(RevisionRequest("tinywiki", 10))
        assert revision.text == "hello there"
        with pytest.raises(RevisionNotFound):
            await source.get(RevisionRequest("tinywiki", 11))
    finally:
        await source.close()
    assert [path.name for path in (tmp_path / ".revstream").iterdir()] == ["content-index"]


async def test_the_limit_of_the_settings_holds_for_a_dump(tmp_path: Path) -> None:
    source = open_content(settings(tmp_path, content=str(write_dump(tmp_path)), max_text_bytes="10"))
    try:
        with pytest.raises(ContentTooLarge):
            await source.get(RevisionRequest("tinywiki", 10))
    finally:
        await source.close()


def test_a_dump_that_does_not_exist_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.xml, and there is no such file"):
        open_content(settings(tmp_path, content="gone.xml"))


def test_a_wiki_is_not_asked_without_a_contact(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="mediawiki_contact"):
        open_content(settings(tmp_path, content="mediawiki"))


def test_a_contact_that_reaches_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="names no contact"):
        open_content(settings(tmp_path, content="mediawiki", mediawiki_contact="me"))


async def test_the_sample_has_its_dump_beside_it(tmp_path: Path) -> None:
    assert BUNDLED.dump.is_file()
    source = open_content(settings(tmp_path))
    try:
        with pytest.raises(RevisionNotFound, match="holds samplewiki, not enwiki"):
            await source.get(RevisionRequest("enwiki", 1))
    finally:
        await source.close()
