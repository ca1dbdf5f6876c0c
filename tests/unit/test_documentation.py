"""Whatever a user can set, call, ask, watch or meet as an error is in README.md."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app import reference
from app.api.openapi import document
from app.cli import main
from app.settings import SETTINGS
from schemas.errors import RevstreamError

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def verbs(group: click.Group, prefix: str = "revstream") -> Iterator[str]:
    for name, verb in group.commands.items():
        if isinstance(verb, click.Group):
            yield from verbs(verb, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


def error_codes(kind: type[RevstreamError] = RevstreamError) -> Iterator[str]:
    yield kind.code
    for child in kind.__subclasses__():
        yield from error_codes(child)


def test_the_generated_tables_of_the_readme_are_up_to_date() -> None:
    assert reference.current(README) == README, "run: python -m app.reference"


@pytest.mark.parametrize("name", [row.name for row in SETTINGS])
def test_every_setting_is_in_the_readme(name: str) -> None:
    assert f"| `{name}` |" in README


@pytest.mark.parametrize("command", sorted(verbs(main)))
def test_every_command_is_in_the_readme_and_says_what_it_does(command: str) -> None:
    assert re.search(rf"^\| `{command}( [^`]*)?` \| \w.*\. \|$", README, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(document()["paths"]))
def test_every_endpoint_is_in_the_readme(path: str) -> None:
    for method in document()["paths"][path]:
        assert f"| `{method.upper()} {path}` |" in README


@pytest.mark.parametrize("code", sorted(set(error_codes())))
def test_every_error_code_is_in_the_readme(code: str) -> None:
    assert f"| `{code}` |" in README


def test_every_metric_in_the_code_is_in_the_readme() -> None:
    # From the source and not from a registry: a metric that only one kind of process has counts as well.
    # All are the first argument of a call.
    found = set()
    for package in ("agents", "app", "batch", "models", "tables"):
        for path in (ROOT / package).rglob("*.py"):
            found |= set(re.findall(r'\(\s*"(revstream_[a-z0-9_]+)",', path.read_text(encoding="utf-8")))
    assert found
    assert {name for name in found if not re.search(rf"`{name}(_total)?`", README)} == set()


def test_no_make_target_is_named_that_does_not_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    sources = [README, *(path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py"))]
    named = {target for text in sources for target in re.findall(r"[`\"(]make ([a-z]+)[`\".) ]", text)}
    assert named <= targets


def test_links_inside_the_repository_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_licence_is_the_one_that_the_package_states() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_check_of_a_clean_clone_can_be_started() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
