"""Settings: which source wins, what is refused, and what is derived."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import SETTINGS, Settings, WikiSettings, load_settings
from schemas.errors import SettingsError


def load(tmp_path: Path, toml: str = "", environ: dict[str, str] | None = None, **flags: str) -> Settings:
    if toml:
        (tmp_path / "revstream.toml").write_text(toml)
    return load_settings(flags=flags, environ=environ or {}, cwd=tmp_path)


def test_nothing_given_is_the_defaults_with_absolute_paths(tmp_path: Path) -> None:
    assert load(tmp_path) == msgspec.structs.replace(Settings(), data_dir=tmp_path / ".revstream")


def test_each_source_is_stronger_than_the_one_before(tmp_path: Path) -> None:
    toml = "http_port = 1001\npartitions = 2\nwindow_events = 3"
    environ = {"REVSTREAM_HTTP_PORT": "1002", "REVSTREAM_PARTITIONS": "5"}
    settings = load(tmp_path, toml, environ, http_port="1003")
    assert (settings.http_port, settings.partitions, settings.window_events) == (1003, 5, 3)


def test_the_file_is_found_through_the_environment_and_the_flag_is_stronger(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("http_port = 1")
    (tmp_path / "b.toml").write_text("http_port = 2")
    (tmp_path / "revstream.toml").write_text("http_port = 3")
    environ = {"REVSTREAM_CONFIG": "a.toml"}
    assert load_settings(environ=environ, cwd=tmp_path).http_port == 1
    assert load_settings(environ=environ, cwd=tmp_path, config=Path("b.toml")).http_port == 2


def test_a_named_file_that_is_absent_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml cannot be read: No such file"):
        load_settings(environ={"REVSTREAM_CONFIG": "gone.toml"}, cwd=tmp_path)


def test_a_broken_file_is_an_error_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"revstream\.toml cannot be read: .*line 2"):
        load(tmp_path, "http_port = 1\nhttp_host = x\n")


def test_an_unknown_key_of_the_file_is_refused_with_its_neighbour(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"revstream\.toml: unknown setting http_prt. Did you mean http_port"
    ):
        load(tmp_path, "http_prt = 1")


def test_an_unknown_variable_is_refused_with_its_neighbour(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"REVSTREAM_DATADIR\. Did you mean REVSTREAM_DATA_DIR"):
        load(tmp_path, environ={"REVSTREAM_DATADIR": "x"})


def test_variables_that_are_not_ours_or_not_settings_are_left_alone(tmp_path: Path) -> None:
    environ = {"REVSTREAM_SHARED": "x", "OTHER_PORT": "x", "PATH": "x"}
    assert load(tmp_path, environ=environ) == load(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("http_port", "abc", "Expected `int`"),
        ("http_port", "65536", "<= 65535"),
        ("http_port", "-1", ">= 0"),
        ("partitions", "0", ">= 1"),
        ("pace_events_per_second", "nan", "Expected `float`"),
        ("pace_events_per_second", "inf", "Expected `float`"),
        ("commit_interval_seconds", "0", "> 0"),
        ("log_level", "loud", "one of debug, info, warning, error"),
        ("broker", "redis://localhost", "kafka://HOST:PORT"),
        ("broker", "kafka://localhost", "kafka://HOST:PORT"),
        ("app_id", "a b", "regex"),
        ("data_dir", "", "path"),
        ("model_folders", "[1]", "path"),
        ("wikis", "{", "no JSON"),
        ("wikis", "{}", "length >= 1"),
        ("wikis", '{"enwiki": {"models": {}}}', "length >= 1"),
        ("wikis", '{"enwiki": {"model": {"a": "b"}}}', "unknown field `model`"),
        ("wikis", '{"en wiki": {"models": {"a": "b"}}}', "regex"),
        ("mediawiki_user_agent", "a\r\nHost: b", "regex"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_names_its_source(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    row = next(setting for setting in SETTINGS if setting.name == name)
    with pytest.raises(SettingsError) as from_environment:
        load(tmp_path, environ={row.variable: text})
    assert row.variable in str(from_environment.value)
    assert reason in str(from_environment.value)
    assert from_environment.value.fields["setting"] == name
    with pytest.raises(SettingsError, match=f"^{row.flag}"):
        load_settings(flags={name: text}, environ={}, cwd=tmp_path)


def test_the_file_does_not_take_text_for_a_number(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Expected `int`, got `str` - at `\$\.http_port`"):
        load(tmp_path, 'http_port = "8090"')


def test_the_wikis_of_the_file_replace_the_default_as_a_whole(tmp_path: Path) -> None:
    settings = load(
        tmp_path, '[wikis.frwiki]\ndomain = "fr.wikipedia.org"\n[wikis.frwiki.models]\nreverted = "x"'
    )
    assert settings.wikis == {"frwiki": WikiSettings({"reverted": "x"}, "fr.wikipedia.org")}


@pytest.mark.parametrize("text", ["a,b", " a , b ", '["a", "b"]'])
def test_a_list_is_names_with_commas_or_json(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, environ={"REVSTREAM_MODEL_FOLDERS": text})
    assert settings.model_folders == (tmp_path / "a", tmp_path / "b")


def test_the_embedded_log_lies_in_the_data_directory_unless_named(tmp_path: Path) -> None:
    assert load(tmp_path, data_dir="d").broker_url == f"embedded://{tmp_path}/d/log.db"
    assert load(tmp_path, broker="embedded://x/y.db").broker_url == f"embedded://{tmp_path}/x/y.db"
    assert load(tmp_path, broker="embedded:///x/y.db").log_path == Path("/x/y.db")


def test_each_kafka_broker_gets_its_scheme(tmp_path: Path) -> None:
    settings = load(tmp_path, broker="kafka://a:1,b:2")
    assert not settings.is_embedded
    assert settings.broker_url == "kafka://a:1;kafka://b:2"
    assert settings.kafka_addresses == ("a:1", "b:2")


@pytest.mark.parametrize(
    ("flags", "kind", "asks"),
    [
        ({}, "sample", False),
        ({"source": "eventstreams"}, "mediawiki", True),
        ({"source": "eventstreams", "content": "dump.xml"}, "dump.xml", True),
        ({"source": "https://example.org/v2/stream/x", "content": "dump.xml"}, "dump.xml", True),
        ({"source": "x.jsonl"}, "mediawiki", True),
        ({"source": "x.jsonl", "content": "dump.xml"}, "dump.xml", False),
        ({"broker": "kafka://a:1"}, "mediawiki", True),
        ({"broker": "kafka://a:1", "source": "eventstreams", "content": "dump.xml"}, "dump.xml", False),
    ],
)
def test_content_follows_the_source_unless_named(
    tmp_path: Path, flags: dict[str, str], kind: str, asks: bool
) -> None:
    settings = load_settings(flags=flags, environ={}, cwd=tmp_path)
    assert (settings.content_kind, settings.asks_wikimedia) == (kind, asks)


def test_wikimedia_is_not_asked_without_a_contact(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--mediawiki-contact"):
        load(tmp_path, mediawiki_contact=" ").user_agent  # noqa: B018 - the property raises


def test_the_user_agent_names_version_and_contact(tmp_path: Path) -> None:
    agent = load(tmp_path, mediawiki_contact="me@example.org").user_agent
    assert agent.startswith("revstream/0.")
    assert agent.endswith("(me@example.org)")
    own = load(tmp_path, mediawiki_user_agent="mine (me@example.org)")
    assert own.user_agent == "mine (me@example.org)"


def test_every_setting_has_help_and_every_default_can_be_written_as_it_is_shown(tmp_path: Path) -> None:
    assert [row.name for row in SETTINGS] == list(Settings.__struct_fields__)
    for row in SETTINGS:
        assert row.help.endswith(".")
        if row.default and "table" not in row.kind:
            environ = {row.variable: row.default}
            assert getattr(load(tmp_path, environ=environ), row.name) == getattr(load(tmp_path), row.name)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4))
def test_a_file_of_anything_gives_settings_or_a_settings_error(table: dict[str, str]) -> None:
    environ = {f"REVSTREAM_{name}": text for name, text in table.items()}
    if not environ:
        return
    with pytest.raises(SettingsError):
        load_settings(environ=environ, cwd=Path("/nowhere"))
