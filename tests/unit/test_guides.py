"""Guides name commands, options, routes, settings, metrics and codes that there are, and lead somewhere."""

import re
import shlex
from pathlib import Path

import click
import pytest

from app.api.openapi import document
from app.cli import main
from app.settings import SETTINGS
from schemas.errors import RevstreamError
from tests.conftest import ROOT

GUIDES = sorted((ROOT / "docs").glob("*.md"))
README = (ROOT / "README.md").read_text()
IDS = [guide.name for guide in GUIDES]


def commands(text: str) -> list[list[str]]:
    """Return the words of all commands of ours, in blocks of code and between backticks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(revstream [^`]+)`", text)
    return [shlex.split(line, comments=True) for line in lines if line.startswith("revstream ")]


def codes() -> set[str]:
    kinds = [RevstreamError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {kind.code for kind in kinds}


@pytest.mark.parametrize("guide", GUIDES, ids=IDS)
def test_commands_and_their_options_are_those_that_there_are(guide: Path) -> None:
    for _, *words in commands(guide.read_text()):
        command: click.Command = main
        rest = list(words)
        while isinstance(command, click.Group):
            found = command.commands.get(rest.pop(0))
            assert found is not None, words
            command = found
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, words


@pytest.mark.parametrize("guide", GUIDES, ids=IDS)
def test_routes_are_those_that_there_are(guide: Path) -> None:
    paths = document()["paths"]
    named = re.findall(r"`(GET|POST) (/[^`?]*)[^`]*`", guide.read_text())
    assert [(method, path) for method, path in named if method.lower() not in paths.get(path, {})] == []


@pytest.mark.parametrize("guide", GUIDES, ids=IDS)
def test_names_between_backticks_are_settings_metrics_codes_or_columns(guide: Path) -> None:
    known = {setting.name for setting in SETTINGS} | codes() | set(re.findall(r"`(\w+)`", README))
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", guide.read_text()))
    assert named <= known
    assert set(re.findall(r"`(revstream_\w+)`", guide.read_text())) <= set(
        re.findall(r"`(revstream_\w+)`", README)
    )


@pytest.mark.parametrize("guide", GUIDES, ids=IDS)
def test_links_lead_to_what_is_there(guide: Path) -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", guide.read_text()):
        path, _, anchor = target.partition("#")
        assert (guide.parent / path).is_file(), target
        if anchor:
            assert path == "../README.md", target
            assert anchor in anchors, target


def test_each_guide_is_listed() -> None:
    listed = set(re.findall(r"\]\((\S+\.md)\)", (ROOT / "docs" / "README.md").read_text()))
    assert {guide.name for guide in GUIDES} - {"README.md"} <= listed
    assert "(docs/README.md)" in README
