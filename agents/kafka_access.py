"""How a Kafka cluster lets us in: TLS, SASL, and the name that its logs and quotas know us by."""

import ssl
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from schemas.errors import SettingsError
from schemas.secret import Secret

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

DEFAULT_CLIENT_ID = "revstream"


class KafkaAccess(Struct, frozen=True, kw_only=True):
    """What every client of one cluster is made with.

    Attributes:
        client_id: How brokers name the process in logs and quotas.
        ssl_context: Of the connections; None for connections without TLS.
        sasl_mechanism: ``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``; None where nobody logs in.
        username: To log in with.
        password: To log in with.
    """

    client_id: str = DEFAULT_CLIENT_ID
    ssl_context: ssl.SSLContext | None = None
    sasl_mechanism: str | None = None
    username: str = ""
    password: Secret = Secret()

    @property
    def security_protocol(self) -> str:
        """Return the protocol as Kafka names it."""
        sasl, tls = self.sasl_mechanism is not None, self.ssl_context is not None
        if sasl:
            return "SASL_SSL" if tls else "SASL_PLAINTEXT"
        return "SSL" if tls else "PLAINTEXT"

    def options(self) -> dict[str, Any]:
        """Return the arguments of a client of aiokafka's. They hold the password: log nothing of them."""
        options: dict[str, Any] = {"client_id": self.client_id, "security_protocol": self.security_protocol}
        if self.ssl_context is not None:
            options["ssl_context"] = self.ssl_context
        if self.sasl_mechanism is not None:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password.reveal()
        return options

    def credentials(self) -> "CredentialsT | None":
        """Return the same as Faust's transport takes it; None for a cluster that asks nothing."""
        from faust.auth import SASLCredentials, SSLCredentials  # noqa: PLC0415 - replicas run without Faust

        if self.sasl_mechanism is not None:
            return SASLCredentials(
                username=self.username,
                password=self.password.reveal(),
                ssl_context=self.ssl_context,
                mechanism=self.sasl_mechanism,
            )
        return None if self.ssl_context is None else SSLCredentials(self.ssl_context)


NO_SECURITY = KafkaAccess()
"""A cluster that lets everybody in, unencrypted."""


def tls_context(*, ca_file: str = "", cert_file: str = "", key_file: str = "") -> ssl.SSLContext:
    """Return what TLS connections are made with. Brokers' names and certificates are always checked.

    Args:
        ca_file: Certificates, as PEM, of whoever signs the brokers'; the system's where empty.
        cert_file: Our own certificate with its chain, as PEM; empty where brokers ask for none.
        key_file: Its key, as PEM and without a passphrase; in ``cert_file`` as well where empty.

    Raises:
        SettingsError: A file cannot be read or is not what it should be. The field ``setting`` names it.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise _unusable("kafka_ca_file", ca_file, error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert_file:
        try:
            # An empty passphrase: OpenSSL would ask for one at the terminal, and wait there.
            context.load_cert_chain(cert_file, key_file or None, password="")
        except (OSError, ssl.SSLError) as error:
            name = "kafka_client_key_file" if key_file else "kafka_client_cert_file"
            raise _unusable(name, f"{key_file or cert_file} for {cert_file}", error) from error
    return context


def _unusable(setting: str, path: str, error: Exception) -> SettingsError:
    reason = getattr(error, "strerror", None) or error
    return SettingsError(
        f"{setting} is {path}, and it cannot be used: {reason}. Name a PEM file that this user may read; a "
        "key must belong to its certificate and have no passphrase.",
        setting=setting,
    )
