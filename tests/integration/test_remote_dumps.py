"""Dumps on servers: HTTP with and without ranges, and S3."""

import bz2
import functools
import http.client
import http.server
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stamina

from batch.dump_inputs import list_inputs, look_for_inputs, read_range, split_input
from batch.user_facts import UserFacts
from batch.user_facts_file import build_user_facts
from schemas.errors import SourceError
from tests.dump_documents import document, multistream, page
from tests.packings import pack_7z
from tests.s3_server import program, s3_server

PAGES = [page(number, texts=[f"text {number}.{each} " * 20 for each in range(3)]) for number in range(1, 41)]
MULTISTREAM = "testwiki-20260101-pages-articles-multistream.xml.bz2"
INDEX = "testwiki-20260101-pages-articles-multistream-index.txt.bz2"


class _Files(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, whole or a range of bytes, as file servers give them."""

    cuts_after_bytes: int | None = None

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        asked = self.headers.get("Range")
        if path.is_dir() or asked is None or not path.exists():
            super().do_GET()
            return
        data = path.read_bytes()
        begin, _, end = asked.removeprefix("bytes=").partition("-")
        piece = data[int(begin) : int(end) + 1 if end else None]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{int(begin) + len(piece) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        self.wfile.write(piece if self.cuts_after_bytes is None else piece[: self.cuts_after_bytes])

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def http_server(folder: Path, handler: type[_Files] = _Files) -> Iterator[str]:
    """Serve a folder and yield its address."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one wiki's dumps, and an archive."""
    found = tmp_path / "dumps"
    found.mkdir()
    (found / MULTISTREAM).write_bytes(multistream(PAGES, index=found / INDEX))
    pack_7z(document(PAGES).encode(), tmp_path).rename(found / "other.xml.7z")
    (found / "testwiki-20260101-user_groups.sql.bz2").write_bytes(
        bz2.compress(b"INSERT INTO `user_groups` (`ug_user`,`ug_group`) VALUES (3,'bot');")
    )
    return found


def put(host: str, path: str, body: bytes) -> None:
    """Store an object as it is: moto damages what comes in signed chunks."""
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("PUT", path, body)
    assert connection.getresponse().status == 200
    connection.close()


def rev_ids(sources: list[str], target_bytes: int) -> tuple[int, list[int | None]]:
    """Return how many pieces sources are read in, and what they hold."""
    pieces = [each for one in list_inputs(sources) for each in split_input(one, target_bytes)]
    return len(pieces), [one.rev_id for each in pieces for one in read_range(each)]


WHOLE = [10 * number + each for number in range(1, 41) for each in range(1, 4)]


def test_a_folder_of_a_server_is_read_in_pieces(folder: Path) -> None:
    with http_server(folder) as address:
        listing = look_for_inputs([address])
        assert [one.name for one in listing.inputs] == ["other.xml.7z", MULTISTREAM]
        assert [one.wiki_id for one in listing.inputs] == [None, "testwiki"]
        count, found = rev_ids([address + MULTISTREAM], 500)
        assert count > 3
        assert found == WHOLE
        assert rev_ids([f"{address}*.7z"], 500) == (1, WHOLE)


def test_tables_of_users_come_from_a_server(folder: Path, tmp_path: Path) -> None:
    with http_server(folder) as address:
        build_user_facts(tmp_path / "facts", [f"{address}testwiki-20260101-user_groups.sql.bz2"])
    facts = UserFacts(tmp_path / "facts")
    assert facts.user(3, "Ann").groups == ("bot",)
    facts.close()


def test_a_server_that_gives_less_than_it_has_is_an_error(folder: Path) -> None:
    class Cut(_Files):
        cuts_after_bytes = 700

    with (
        stamina.set_testing(True, attempts=2),
        http_server(folder, Cut) as address,
        pytest.raises(SourceError, match="cannot"),
    ):
        rev_ids([address + MULTISTREAM], 1 << 20)


def test_a_server_that_fails_now_and_then_is_asked_again(folder: Path) -> None:
    class Moody(_Files):
        moods = itertools.cycle([700, None])

        def do_GET(self) -> None:
            self.cuts_after_bytes = next(self.moods)
            super().do_GET()

    with stamina.set_testing(True, attempts=5), http_server(folder, Moody) as address:
        assert rev_ids([address + MULTISTREAM], 500)[1] == WHOLE


def test_what_a_server_does_not_have_is_named(folder: Path) -> None:
    with http_server(folder) as address, pytest.raises(SourceError, match=r"cannot open .*absent.xml"):
        list_inputs([f"{address}absent.xml"])
    with pytest.raises(SourceError, match="check the address"):
        list_inputs([f"{address}absent.xml"])


@pytest.mark.skipif(program() is None, reason="moto's server is not installed")
def test_dumps_are_read_from_s3(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with s3_server(tmp_path) as endpoint:
        host = endpoint.removeprefix("http://")
        options = f"?endpoint_override={host}&scheme=http&region=us-east-1"
        put(host, "/dumps", b"")
        for file in folder.iterdir():
            put(host, f"/dumps/test/{file.name}", file.read_bytes())
        count, found = rev_ids([f"s3://dumps/test/{MULTISTREAM}{options}"], 500)
        assert count > 3
        assert found == WHOLE
        assert rev_ids([f"s3://dumps/test/*.7z{options}"], 500) == (1, WHOLE)
        assert len(list_inputs([f"s3://dumps/test{options}"])) == 2
        with pytest.raises(SourceError, match="cannot open"):
            list_inputs([f"s3://dumps/absent.xml{options}"])
