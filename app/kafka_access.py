"""Turns the settings about Kafka into what its clients are made with."""

from pathlib import Path

from agents.kafka_access import KafkaAccess, tls_context
from app.settings import Settings
from schemas.errors import SettingsError


def kafka_access(settings: Settings) -> KafkaAccess:
    """Return how the configured cluster is entered. Files are read here; nothing is connected.

    Raises:
        SettingsError: A file cannot be used, something that the protocol needs is missing, or something is
            set that it would not use.
    """
    protocol = settings.kafka_security_protocol
    _check_login(settings, is_asked=protocol.startswith("SASL_"))
    tls_files = {
        "kafka_ca_file": settings.kafka_ca_file,
        "kafka_client_cert_file": settings.kafka_client_cert_file,
        "kafka_client_key_file": settings.kafka_client_key_file,
    }
    has_tls = protocol.endswith("SSL")
    if not has_tls:
        _refuse_unused({name: bool(path) for name, path in tls_files.items()}, protocol)
    elif settings.kafka_client_key_file and not settings.kafka_client_cert_file:
        raise SettingsError(
            "kafka_client_key_file is set and kafka_client_cert_file is not. Name the certificate as well.",
            setting="kafka_client_cert_file",
        )
    ca_file, cert_file, key_file = (
        str(Path(path).expanduser()) if path else "" for path in tls_files.values()
    )
    return KafkaAccess(
        client_id=settings.kafka_client_id or settings.app_id,
        ssl_context=tls_context(ca_file=ca_file, cert_file=cert_file, key_file=key_file) if has_tls else None,
        sasl_mechanism=settings.kafka_sasl_mechanism if protocol.startswith("SASL_") else None,
        username=settings.kafka_username,
        password=settings.kafka_password,
    )


def _check_login(settings: Settings, *, is_asked: bool) -> None:
    given = {
        "kafka_username": bool(settings.kafka_username),
        "kafka_password": bool(settings.kafka_password),
    }
    if not is_asked:
        _refuse_unused(given, settings.kafka_security_protocol)
        return
    missing = [name for name, is_given in given.items() if not is_given]
    if missing:
        raise SettingsError(
            f"kafka_security_protocol is {settings.kafka_security_protocol}, and {' and '.join(missing)} "
            "is not set. A password comes from the environment (REVSTREAM_KAFKA_PASSWORD) or the settings "
            "file.",
            setting=missing[0],
        )


def _refuse_unused(given: dict[str, bool], protocol: str) -> None:
    for name, is_given in given.items():
        if is_given:
            raise SettingsError(
                f"{name} is set, and kafka_security_protocol is {protocol}, which does not use it. Set "
                "kafka_security_protocol to what the brokers' listener speaks, or leave it out.",
                setting=name,
            )
