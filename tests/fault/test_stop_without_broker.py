"""Workers that are told to stop while their Kafka brokers are away."""

from pathlib import Path

import pytest

from tests.kafka_broker import KafkaBroker
from tests.programs import Program

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_a_worker_ends_that_is_told_to_while_no_broker_answers(kafka_jars: None, tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path / "broker")
    broker.start()
    with Program(
        tmp_path / "worker",
        "worker",
        f"--broker=kafka://{broker.bootstrap}",
        f"--data-dir={tmp_path / 'data'}",
        "--partitions=1",
        "--http-port=0",
        "--log-format=json",
        '--wikis={"enwiki":{"models":{"reverted":"enwiki-reverted"}}}',
        "--mediawiki-contact=tests@example.org",
    ) as worker:
        worker.until_answered("/readyz")
        broker.kill()
        # From here on a fetch is always between two attempts.
        worker.until(lambda: worker.stderr.count("Failed fetch messages") > 1)
        worker.stop()
        assert "Traceback" not in worker.stderr
