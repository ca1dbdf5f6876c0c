"""How a cluster is entered, as the settings say it, and what they refuse."""

import pickle
from pathlib import Path

import pytest

from agents.kafka_access import KafkaAccess
from app.kafka_access import kafka_access
from app.settings import Settings, load_settings
from schemas.errors import SettingsError
from schemas.secret import Secret
from tests.certificates import Authority


def load(tmp_path: Path, **given: str) -> Settings:
    environ = {f"REVSTREAM_{name.upper()}": text for name, text in given.items()}
    return load_settings(environ=environ, cwd=tmp_path)


def refused(tmp_path: Path, setting: str, **given: str) -> str:
    with pytest.raises(SettingsError) as error:
        kafka_access(load(tmp_path, **given))
    assert error.value.fields["setting"] == setting
    return error.value.message


def test_without_settings_nobody_logs_in_and_the_client_is_named_like_the_application(tmp_path: Path) -> None:
    access = kafka_access(load(tmp_path, app_id="moss"))
    assert access.options() == {"client_id": "moss", "security_protocol": "PLAINTEXT"}
    assert access.credentials() is None


def test_a_login_without_tls_has_user_and_password(tmp_path: Path) -> None:
    given = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_username": "moss", "kafka_password": "stone"}
    access = kafka_access(load(tmp_path, **given, kafka_client_id="fern"))
    assert access.options() == {
        "client_id": "fern",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "moss",
        "sasl_plain_password": "stone",
    }


def test_tls_checks_the_name_and_the_certificate_of_brokers(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    access = kafka_access(load(tmp_path, kafka_security_protocol="SSL", kafka_ca_file=str(authority.file)))
    assert access.security_protocol == "SSL"
    assert access.ssl_context is not None
    assert access.ssl_context.check_hostname


def test_a_login_without_a_password_says_where_it_comes_from(tmp_path: Path) -> None:
    message = refused(tmp_path, "kafka_password", kafka_security_protocol="SASL_SSL", kafka_username="moss")
    assert "REVSTREAM_KAFKA_PASSWORD" in message


@pytest.mark.parametrize("name", ["kafka_username", "kafka_password", "kafka_ca_file"])
def test_what_the_protocol_does_not_use_is_refused(tmp_path: Path, name: str) -> None:
    assert "moss-stone" not in refused(tmp_path, name, **{name: "moss-stone"})


def test_a_file_that_is_absent_or_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "moss.pem").write_text("moss")
    for path in ("gone.pem", "moss.pem"):
        given = {"kafka_security_protocol": "SSL", "kafka_ca_file": str(tmp_path / path)}
        assert path in refused(tmp_path, "kafka_ca_file", **given)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, _ = authority.issue("client")
    _, key = authority.issue("other")
    given = {
        "kafka_security_protocol": "SSL",
        "kafka_client_cert_file": str(certificate),
        "kafka_client_key_file": str(key),
    }
    refused(tmp_path, "kafka_client_key_file", **given)
    del given["kafka_client_cert_file"]
    refused(tmp_path, "kafka_client_cert_file", **given)


def test_a_secret_shows_itself_nowhere(tmp_path: Path) -> None:
    secret = Secret("stone")
    settings = load(tmp_path, kafka_password="stone")
    access = KafkaAccess(password=secret)
    for shown in (secret, settings, access):
        assert "stone" not in repr(shown) + str(shown)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert not repr(Secret("")).count("*")


def test_a_secret_is_compared_by_its_bytes_and_an_empty_one_matches_nothing() -> None:
    assert Secret("stone").matches(b"stone")
    assert not Secret("stone").matches(b"stones")
    assert not Secret("").matches(b"")
    assert Secret("a") == Secret("a") != Secret("b")


def test_a_secret_has_no_flag(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from app.cli import main

    answer = CliRunner().invoke(main, ["worker", "--kafka-password=stone"])
    assert answer.exit_code == 2
    assert "No such option" in answer.output


def test_a_secret_in_the_file_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "revstream.toml").write_text("kafka_password = 17")
    with pytest.raises(SettingsError) as error:
        load(tmp_path)
    assert "17" not in error.value.message
