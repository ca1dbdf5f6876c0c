"""Checks of what a worker takes hold of: data directory, stores, port, broker."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agents.embedded.log import FORMAT_VERSION as LOG_FORMAT
from agents.kafka_access import KafkaAccess
from app.api.server import bind
from app.findings import Finding, broken, ok, warning
from schemas.errors import RevstreamError

MIN_FREE_BYTES: Final = 1 << 30
CONNECT_SECONDS: Final = 3.0
LOGIN_SECONDS: Final = 10.0


def check_data_dir(data_dir: Path, min_free_bytes: int = MIN_FREE_BYTES) -> Finding:
    """Check that the data directory, or the nearest folder that exists above it, takes files.

    Args:
        data_dir: May be absent: the first start makes it.
        min_free_bytes: Below it the disk counts as full.
    """
    folder = next(path for path in (data_dir, *data_dir.absolute().parents) if path.exists())
    elsewhere = "Name another with --data-dir or REVSTREAM_DATA_DIR."
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"revstream")
            file.flush()
    except OSError as error:
        return broken("data directory", f"{folder} takes no file: {error.strerror or error}.", elsewhere)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < min_free_bytes:
        return broken(
            "data directory",
            f"The disk of {folder} is full: {free_bytes / (1 << 20):.0f} MiB free, "
            f"{min_free_bytes / (1 << 20):.0f} wanted.",
            f"Free some space. {elsewhere}",
        )
    return ok("data directory", f"{data_dir}, {free_bytes / (1 << 30):.1f} GiB free")


def check_lock(lock_path: Path) -> Finding:
    """Check that no other worker holds the data directory."""
    if is_locked(lock_path):
        return broken(
            "lock",
            f"Another worker holds {lock_path.parent}.",
            "Stop that worker (if it is the one you want, all is well), or use another --data-dir.",
        )
    return ok("lock", "free")


def is_locked(lock_path: Path) -> bool:
    """Tell whether a process holds this file locked. The file is not made."""
    try:
        file = os.open(lock_path, os.O_RDONLY)
    except OSError:
        return False
    try:
        # The lock is let go with the descriptor. A worker that starts in these microseconds would be refused.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def check_log(log_path: Path) -> Finding:
    """Check that the embedded log can be opened and has our format."""
    if not log_path.exists():
        return ok("embedded log", f"{log_path} is made at the first start")
    cure = "Move the data directory away and start anew, or restore it from a copy."
    try:
        with contextlib.closing(sqlite3.connect(f"{log_path.absolute().as_uri()}?mode=ro", uri=True)) as log:
            log.execute("PRAGMA query_only=ON")
            (found,) = log.execute("SELECT value FROM meta WHERE name='format'").fetchone() or (None,)
            (records,) = log.execute("SELECT count(*) FROM next_offset").fetchone()
    except sqlite3.Error as error:
        return broken("embedded log", f"{log_path} cannot be read: {error}.", cure)
    if found != str(LOG_FORMAT):
        return broken(
            "embedded log",
            f"{log_path} has format {found}, and this version reads {LOG_FORMAT}.",
            "Run the version that wrote it, or move the data directory away.",
        )
    return ok("embedded log", f"{log_path}, {records} partitions with records")


def check_stores(data_dir: Path) -> tuple[Finding, ...]:
    """Check that every RocksDB below the data directory opens. Call it only while no worker runs.

    Returns:
        One finding for each that does not open, or one that all do.
    """
    from rocksdict import AccessType, Options, Rdict  # noqa: PLC0415 - 30 ms that other checks do without

    stores = sorted(path.parent for path in data_dir.glob("**/CURRENT"))
    faults = []
    for store in stores:
        try:
            Rdict(str(store), Options(raw_mode=True), access_type=AccessType.read_only()).close()
        except Exception as error:  # rocksdict has no class of its own
            faults.append(
                broken(
                    "stores",
                    f"{store} does not open: {error}.",
                    "Correct its rights."
                    if "Permission denied" in str(error)
                    else f"rm -r {store}: the next start fills it again from the log.",
                )
            )
    return tuple(faults) or (ok("stores", f"{len(stores)} open" if stores else "none yet"),)


def check_port(host: str, port: int) -> Finding:
    """Check that the read API could listen on its address."""
    cure = "Stop what listens there, or choose another: --http-port 8091 (0 takes any), --http-host."
    try:
        with bind(host, port) as listener:
            taken = listener.getsockname()[1]
    except RevstreamError as error:
        return broken("port", error.message, cure)
    return ok("port", f"{host}:{taken} is free" if port else f"{host}, any free port")


def check_kafka(addresses: Sequence[str], timeout_seconds: float = CONNECT_SECONDS) -> tuple[Finding, ...]:
    """Check that each Kafka broker takes a connection.

    Args:
        addresses: ``host:port``.
        timeout_seconds: For each.

    Returns:
        One finding a broker. One of several that is down is a warning; all of them, broken.
    """
    reached, failed = [], []
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=timeout_seconds).close()
        except OSError as error:
            failed.append((address, error.strerror or error))
        else:
            reached.append(ok("broker", f"{address} takes connections"))
    level = warning if reached else broken
    return (
        *reached,
        *(
            level(
                "broker",
                f"{address} cannot be reached: {reason}.",
                "Start it (make kafka starts one here), or correct --broker.",
            )
            for address, reason in failed
        ),
    )


def check_kafka_login(
    access: KafkaAccess, addresses: Sequence[str], timeout_seconds: float = LOGIN_SECONDS
) -> Finding:
    """Check that the cluster lets us in: certificates, and name and password. None of these is shown.

    Args:
        access: How it is entered.
        addresses: ``host:port`` of its brokers.
        timeout_seconds: For all of it.
    """
    from agents.topics import KafkaTopicReader  # noqa: PLC0415 - for secured clusters only

    async def ask() -> str:
        reader = KafkaTopicReader(",".join(addresses), access=access)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await reader.identity()
        finally:
            await reader.close()

    who = f" as {access.username}" if access.sasl_mechanism else ""
    try:
        cluster_id = asyncio.run(ask())
    except (RevstreamError, TimeoutError) as error:
        said = error.message if isinstance(error, RevstreamError) else "no answer in time"
        return broken(
            "broker login",
            f"{access.security_protocol}{who} is not let in: {said}",
            "Compare kafka_security_protocol, kafka_sasl_mechanism, the user and the certificates with the "
            "brokers' listener.",
        )
    return ok("broker login", f"cluster {cluster_id} lets us in over {access.security_protocol}{who}")
