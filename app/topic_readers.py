"""Which topics the tables' changelogs are, and what reads them: of the configured log."""

from msgspec.structs import replace

from agents.embedded.topics import EmbeddedTopicReader
from agents.topics import KafkaTopicReader
from app.kafka_access import kafka_access
from app.settings import Settings
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables.changelog import TopicReader


def topic_reader(settings: Settings, *, patience_seconds: float = 0.0) -> TopicReader:
    """Return a reader of the configured broker's topics. Connects to nothing yet.

    Args:
        settings: Of the process.
        patience_seconds: See `agents.topics.KafkaTopicReader`.

    Raises:
        SettingsError: The settings about Kafka contradict each other, or name a file that cannot be used.
    """
    if settings.is_embedded:
        return EmbeddedTopicReader(settings.log_path)
    access = kafka_access(settings)
    if not settings.kafka_client_id:
        access = replace(access, client_id=f"{settings.app_id}-serve")
    return KafkaTopicReader(
        ",".join(settings.kafka_addresses), access=access, patience_seconds=patience_seconds
    )


def changelog_topics(app_id: str) -> dict[str, str]:
    """Return table name to changelog topic, as a worker of that name writes them."""
    return {table: f"{app_id}-{table}-changelog" for table in (REVISIONS_TABLE, PAGES_TABLE)}
