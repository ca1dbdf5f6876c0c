"""Ports on loopback: a free one, and whether a broker serves on one."""

import random
import socket
import struct

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nothing listens on now.

    It lies below the ports that systems hand to clients: there, a client that retries while the broker
    restarts can be given the broker's own port and connect to itself.
    """
    while True:
        port = random.randrange(15_000, 32_000)  # noqa: S311 - spread, not secrecy
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Tell whether a server can listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def answers(port: int) -> bool:
    """Ask for the cluster's metadata, and tell whether it lists a broker that takes requests.

    The listener opens before the controller lets the broker serve; until then the list is empty.
    """
    # api key 3 (Metadata), version 4, correlation id, client id; no topics, none to be created.
    request = struct.pack("!hhih9si?", 3, 4, 1, 9, b"broker.py", 0, False)
    try:
        with socket.create_connection((HOST, port), timeout=2) as link:
            link.sendall(struct.pack("!i", len(request)) + request)
            # size, correlation id, throttle time, number of brokers
            head = link.recv(16, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(head) == 16 and bool(struct.unpack("!iiii", head)[3] > 0)
