"""Environments of clients from PyPI: what is said where no registry answers, and that one is made once."""

from pathlib import Path

import pytest

from tests.client_environments import ClientUnobtainable, client_folder, make_client


def test_a_registry_out_of_reach_leaves_nothing_that_passes_for_an_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ClientUnobtainable, match="No matching distribution"):
        make_client("liftwing", tmp_path)
    assert not (tmp_path / "liftwing" / "installed").exists()


def test_an_environment_is_made_once_and_runs_its_client(capsys: pytest.CaptureFixture[str]) -> None:
    programs = client_folder("oresapi")
    capsys.readouterr()
    assert client_folder("oresapi") == programs
    assert capsys.readouterr().err == ""
    assert (programs / "oresapi").exists()
