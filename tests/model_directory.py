"""A web server over a folder of model files, laid out as Wikimedia publishes them, with listings."""

import contextlib
import functools
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

UPLOADED = "20220214192144"


class Directory:
    """What the server gives.

    Attributes:
        folder: Its files.
        url: Its address, with a slash at the end.
        redirects: Path to address.
        statuses: Path to a status that it answers instead.
        claims: Path to a length that it claims, and then closes early.
        asked: User-Agents and paths, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.redirects: dict[str, str] = {}
        self.statuses: dict[str, int] = {}
        self.claims: dict[str, int] = {}
        self.asked: list[tuple[str, str]] = []

    def publish(
        self,
        data: bytes,
        *,
        wiki_id: str = "aawiki",
        model_name: str = "damaging",
        uploaded: str = UPLOADED,
        file: str = "model.bin",
        sums: str = "model.bin.sha512",
    ) -> str:
        """Put a file there with its sha512; return its path on the server."""
        folder = self.folder / model_name / wiki_id / uploaded
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
        if sums:
            (folder / sums).write_text(f"{hashlib.sha512(data).hexdigest()}  {file}\n")
        return f"/{model_name}/{wiki_id}/{uploaded}/{file}"


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, published: Directory, *arguments: Any) -> None:
        self._published = published
        super().__init__(*arguments, directory=str(published.folder))

    def do_GET(self) -> None:
        self._published.asked.append((self.headers.get("user-agent", ""), self.path))
        if target := self._published.redirects.get(self.path):
            self._end(302, {"location": target})
        elif status := self._published.statuses.get(self.path):
            self._end(status, {})
        elif length := self._published.claims.get(self.path):
            self.send_response(200)
            self.send_header("content-length", str(length))
            self.end_headers()
            self.wfile.write(b"x" * 1000)
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass

    def _end(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, text in {**headers, "content-length": "0"}.items():
            self.send_header(name, text)
        self.end_headers()


@contextlib.contextmanager
def model_directory(folder: Path) -> Iterator[Directory]:
    """Serve a folder on a free port of this machine."""
    folder.mkdir(exist_ok=True)
    published = Directory(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, published)) as server:
        server.daemon_threads = True
        published.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield published
        finally:
            server.shutdown()
            thread.join()
