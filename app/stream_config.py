"""How the Faust app of a worker is configured."""

from agents.assignor import AdvertisingAssignor
from agents.kafka_access import KafkaAccess
from app.logging import stdlib_config
from app.settings import Settings
from app.stream_app import PromptTables, QuietMonitor, StreamApp
from schemas.decode import MAX_EVENT_BYTES
from tables.predictions import PredictionTable


def stream_app(settings: Settings, access: KafkaAccess) -> StreamApp:
    """Return the app of a worker, with neither agents nor tables yet.

    Args:
        settings: Of the worker.
        access: How its Kafka cluster is entered; of no meaning on the embedded engine.
    """
    return StreamApp(
        settings.app_id,
        broker=settings.broker_url,
        broker_client_id=access.client_id,
        broker_credentials=access.credentials(),
        store="committed://",
        datadir=str(settings.data_dir / "worker"),
        Table=PredictionTable,
        TableManager=PromptTables,
        Monitor=QuietMonitor,
        processing_guarantee="at_least_once",
        broker_commit_interval=settings.commit_interval_seconds,
        broker_session_timeout=settings.broker_session_timeout_seconds,
        broker_heartbeat_interval=settings.broker_session_timeout_seconds / 5,
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        table_standby_replicas=settings.standby_replicas,
        PartitionAssignor=AdvertisingAssignor,
        stream_recovery_delay=0.0,
        # Events in flight when partitions are given back belong to their new owner.
        stream_wait_empty=False,
        stream_buffer_maxsize=512,
        broker_max_poll_records=500,
        web_enabled=False,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
        logging_config=stdlib_config(settings.log_level, settings.log_format),
        # The broker's limit decides, not ours.
        producer_max_request_size=MAX_EVENT_BYTES,
        # What leaves together is some events of a partition: there zstd saves a quarter more, and takes three
        # times as long.
        producer_compression_type=None if settings.is_embedded else "snappy",
    )
