"""Faust as it comes, on the same log: decode JSON, write one table row, send one output."""

import sys
from pathlib import Path

import faust


def create_app(data_dir: Path) -> faust.App:
    """Return an app with one agent, one RocksDB table and one output topic."""
    app = faust.App(
        "revstream",
        broker=f"embedded://{data_dir / 'log.db'}",
        store="rocksdb://",
        datadir=str(data_dir / "faust"),
        topic_partitions=4,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_recovery_delay=0.0,
        broker_commit_interval=0.2,
        web_enabled=False,
    )
    source = app.topic(
        "mediawiki.page_change.v1", key_type=bytes, key_serializer="raw", value_serializer="json"
    )
    output = app.topic("output", key_type=bytes, key_serializer="raw", value_serializer="json")
    latest = app.Table("latest", partitions=4, options={"block_cache_size": 64 << 20})

    async def score(stream: faust.StreamT[object]) -> None:
        async for key, change in stream.items():
            if "revision" not in change:
                continue
            row = {
                "rev_id": change["revision"]["rev_id"],
                "model": "revid",
                "version": "0.0.0",
                "probability": {"true": 0.24, "false": 0.76},
                "dt": change["dt"],
                "event_id": change["meta"]["id"],
            }
            latest[str(change["page"]["page_id"])] = row
            await output.send(key=key, value=row)

    app.agent(source, name="score")(score)
    return app


if __name__ == "__main__":
    create_app(Path(sys.argv[1])).Worker(loglevel="warning", quiet=True).execute_from_commandline()
