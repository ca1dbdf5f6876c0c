"""The listening sockets of processes that answer on one address."""

import socket

from app.api.server import bind


class Listeners:
    """One listening socket for each process, all on one address: the system spreads connections evenly.

    The supervisor holds them as well. So what a process had not accepted yet when it died is not lost: it
    waits for the next one, which is there a moment later.

    Args:
        host: Name or address.
        port: 0 takes a free one.
        count: How many.

    Raises:
        PortInUse: Another server listens there.
        SettingsError: The address cannot be listened on.
    """

    def __init__(self, host: str, port: int, count: int) -> None:
        self._host = host
        # Who shares an address does not see that others have it, so ask for it alone first.
        with bind(host, port) as alone:
            self.port: int = alone.getsockname()[1]
        self._sockets: list[socket.socket | None] = [self._new() for _ in range(count)]

    def _new(self) -> socket.socket:
        return bind(self._host, self.port, is_shared=True)

    def take(self, number: int) -> socket.socket:
        """Return the socket of a process, and close the others. In that process."""
        taken = self._sockets[number]
        if taken is None:
            raise RuntimeError("the supervisor opens the socket before the process starts")
        self._sockets[number] = None
        self.close()
        return taken

    def open(self, number: int) -> None:
        """Have connections come for a process again."""
        if self._sockets[number] is None:
            self._sockets[number] = self._new()

    def shut(self, number: int) -> None:
        """Have no connection wait for a process that will be away."""
        listener, self._sockets[number] = self._sockets[number], None
        if listener is not None:
            listener.close()

    def close(self) -> None:
        """Close all."""
        for number in range(len(self._sockets)):
            self.shut(number)
