"""A real broker that asks for TLS and a login, and what may enter it."""

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from agents.kafka import TopicSpec, declare_topics
from agents.kafka_access import KafkaAccess, tls_context
from agents.topics import KafkaTopicReader
from batch.sample_wiki import BUNDLED
from schemas.errors import BrokerUnavailable
from schemas.secret import Secret
from tests.certificates import Authority
from tests.input_events import encoded, page_change
from tests.kafka_broker import KafkaBroker
from tests.kafka_mirror import produce_events
from tests.programs import LIGHT_MODELS, Program

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

USER, PASSWORD = "moss", "a-word-that-no-log-tells"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_MODULES = "org.apache.kafka.common.security"


class Secured(Struct, frozen=True):
    """A broker with a listener each for nothing, for TLS with a login, and for certificates of clients."""

    broker: KafkaBroker
    login_address: str
    certificate_address: str
    ca_file: Path
    client_cert_file: Path
    client_key_file: Path

    def access(self, mechanism: str | None = None, password: str = PASSWORD) -> KafkaAccess:
        """Return what enters: by a login, or by a certificate where no mechanism is named."""
        if mechanism is None:
            files = {"cert_file": str(self.client_cert_file), "key_file": str(self.client_key_file)}
            return KafkaAccess(ssl_context=tls_context(ca_file=str(self.ca_file), **files))
        return KafkaAccess(
            ssl_context=tls_context(ca_file=str(self.ca_file)),
            sasl_mechanism=mechanism,
            username=USER,
            password=Secret(password),
        )


def free_port() -> int:
    # Below the ports that systems hand to clients.
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@pytest.fixture(scope="module")
def secured(kafka_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder)
    _, broker_pem = authority.issue("broker")
    client_cert_file, client_key_file = authority.issue("client")
    login, certificate = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    ours = f"SASL_SSL://{login},SSL://{certificate}"
    scram = f"{_MODULES}.scram.ScramLoginModule required;"
    properties = folder / "further.properties"
    properties.write_text(
        "\n".join(
            (
                "listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller_port}," + ours,
                "advertised.listeners=PLAINTEXT://127.0.0.1:${port}," + ours,
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,"
                "SSL:SSL",
                f"sasl.enabled.mechanisms={','.join(MECHANISMS)}",
                f"listener.name.sasl_ssl.plain.sasl.jaas.config={_MODULES}.plain.PlainLoginModule required "
                f'user_{USER}="{PASSWORD}";',
                f"listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}",
                f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}",
                "ssl.keystore.type=PEM",
                f"ssl.keystore.location={broker_pem}",
                "ssl.truststore.type=PEM",
                f"ssl.truststore.location={authority.file}",
                "listener.name.ssl.ssl.client.auth=required",
            )
        )
    )
    options = ["--properties", str(properties)]
    for mechanism in MECHANISMS[1:]:
        options += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
    broker = KafkaBroker(folder / "broker", *options)
    broker.start()
    yield Secured(broker, login, certificate, authority.file, client_cert_file, client_key_file)
    broker.stop()


@pytest.mark.parametrize("mechanism", [*MECHANISMS, None])
async def test_topics_are_declared_and_read_through_every_door(
    secured: Secured, mechanism: str | None
) -> None:
    address = secured.certificate_address if mechanism is None else secured.login_address
    access = secured.access(mechanism)
    topic = f"moss-{mechanism}"
    await declare_topics(address, [TopicSpec(topic)], partitions=2, access=access)
    reader = KafkaTopicReader(address, access=access)
    try:
        assert await reader.partitions(topic) == [0, 1]
        assert await reader.ends(topic) == {0: 0, 1: 0}
    finally:
        await reader.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_wrong_password_is_refused_and_not_told(
    secured: Secured, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    access = secured.access(mechanism, "another-word-altogether")
    with pytest.raises(BrokerUnavailable) as refused:
        await declare_topics(secured.login_address, [TopicSpec("moss")], partitions=1, access=access)
    assert "SASL_SSL" in refused.value.message
    assert "another-word-altogether" not in refused.value.message + caplog.text + repr(access)


async def test_a_broker_that_nobody_vouches_for_is_refused(secured: Secured, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    access = KafkaAccess(
        ssl_context=tls_context(ca_file=str(stranger.file)),
        sasl_mechanism="PLAIN",
        username=USER,
        password=Secret(PASSWORD),
    )
    with pytest.raises(BrokerUnavailable):
        await declare_topics(secured.login_address, [TopicSpec("moss")], partitions=1, access=access)


async def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(secured: Secured) -> None:
    access = KafkaAccess(ssl_context=tls_context(ca_file=str(secured.ca_file)))
    with pytest.raises(BrokerUnavailable):
        await declare_topics(secured.certificate_address, [TopicSpec("moss")], partitions=1, access=access)


@pytest.mark.parametrize("door", ["login", "certificate"])
async def test_worker_replica_and_doctor_enter_and_never_tell_the_password(
    secured: Secured, tmp_path: Path, door: str
) -> None:
    app_id = f"secured-{door}"
    environment = {"REVSTREAM_KAFKA_CA_FILE": str(secured.ca_file)}
    if door == "login":
        address = secured.login_address
        environment |= {
            "REVSTREAM_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "REVSTREAM_KAFKA_USERNAME": USER,
            "REVSTREAM_KAFKA_PASSWORD": PASSWORD,
        }
    else:
        address = secured.certificate_address
        environment |= {
            "REVSTREAM_KAFKA_SECURITY_PROTOCOL": "SSL",
            "REVSTREAM_KAFKA_CLIENT_CERT_FILE": str(secured.client_cert_file),
            "REVSTREAM_KAFKA_CLIENT_KEY_FILE": str(secured.client_key_file),
        }
    flags = [
        f"--app-id={app_id}",
        f"--broker=kafka://{address}",
        "--http-port=0",
        "--log-format=json",
        LIGHT_MODELS,
    ]
    work = [*flags, "--partitions=4", f"--content={BUNDLED.dump}", "--log-level=debug"]
    line, rev_id = encoded(page_change(wiki_id="samplewiki")), 5002
    talk = []
    with (
        Program(tmp_path / "worker", "worker", *work, environment=environment) as worker,
        Program(tmp_path / "replica", "serve", *flags, environment=environment) as replica,
    ):
        worker.until_answered("/readyz")
        await produce_events(secured.broker.bootstrap, [line])
        worker.until_answered(f"/scores/samplewiki/{rev_id}")
        assert replica.until_answered(f"/scores/samplewiki/{rev_id}").document["rev_id"] == rev_id
        talk += [worker.get("/metrics").body.decode(), replica.get("/metrics").body.decode()]
        with Program(tmp_path / "doctor", "doctor", *work, environment=environment) as doctor:
            doctor.process.wait(60)
            assert "lets us in over" in doctor.stdout
        assert replica.stop() == worker.stop() == 0
        talk += [text for each in (worker, replica, doctor) for text in (each.stdout, each.stderr)]
    assert all(PASSWORD not in text for text in talk)
