"""A collector of traces on loopback: takes OTLP over HTTP, and keeps the spans."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span:
    """One span, as a test reads it."""

    def __init__(self, told: Any, resource: dict[str, Any]) -> None:
        self.name: str = told.name
        self.trace_id: str = told.trace_id.hex()
        self.span_id: str = told.span_id.hex()
        self.parent_id: str = told.parent_span_id.hex()
        self.kind: int = told.kind
        self.is_error: bool = told.status.code == 2
        self.began_ns: int = told.start_time_unix_nano
        self.ended_ns: int = told.end_time_unix_nano
        self.links: list[str] = [link.span_id.hex() for link in told.links]
        self.attributes = _attributes(told.attributes)
        self.resource = resource


class Collector:
    """What came so far.

    Attributes:
        status: That posts are answered with.
        bodies: All that came, uncompressed.
        spans: All that came.
    """

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        self.spans: list[Span] = []
        self.url = ""

    def take(self, body: bytes) -> None:
        """Keep the spans of one request."""
        self.bodies.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            about = _attributes(resource.resource.attributes)
            self.spans += [Span(span, about) for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str, **attributes: Any) -> list[Span]:
        """Return the spans of a name whose attributes are such; ``rev_id`` is ``revstream.rev_id``."""
        asked = {f"revstream.{key}": value for key, value in attributes.items()}.items()
        return [span for span in self.spans if span.name == name and asked <= span.attributes.items()]

    def children(self, of: Span) -> dict[str, Span]:
        """Return the spans right below one, by name."""
        found = [span for span in self.spans if span.parent_id == of.span_id]
        assert {span.trace_id for span in found} <= {of.trace_id}
        return {span.name: span for span in sorted(found, key=lambda span: span.began_ns)}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Take traces on a free port inside."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces" and collector.status == 200:
                collector.take(body)
            self.send_response(collector.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)
