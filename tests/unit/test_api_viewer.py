"""The description of the API for people."""

import re
from pathlib import Path

from app.api.openapi import document
from tests.rows import catalogue
from tests.served import served


async def test_the_page_shows_every_route_and_schema_and_needs_no_other_host(tmp_path: Path) -> None:
    async with served(tmp_path, catalogue({"enwiki": ("damaging",)})) as running:
        status, body, response = await running.ask("/docs")
    assert (status, response.content_type) == (200, "text/html")
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    shown, whole = body.decode(), document()
    for path, operations in whole["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in shown
    for name in whole["components"]["schemas"]:
        assert f'id="schema-{name}"' in shown
    assert "<script" not in shown
    assert not re.search(r'(?:src|href)="(?!/|#)', shown)
    anchors = set(re.findall(r'href="#([^"]+)"', shown))
    assert anchors <= set(re.findall(r'id="([^"]+)"', shown))


async def test_the_page_comes_packed_to_those_who_take_it_so_and_is_the_same(tmp_path: Path) -> None:
    async with served(tmp_path, catalogue({"enwiki": ("damaging",)})) as running:
        bodies, encodings = set(), []
        for accepted in ("gzip, br", "identity", "gzip;q=0", "br, gzip; q=0.5"):
            _, body, response = await running.ask("/docs", headers={"accept-encoding": accepted})
            bodies.add(body)
            encodings.append(response.headers.get("content-encoding"))
            assert response.headers["vary"] == "accept-encoding"
    assert encodings == ["gzip", None, None, "gzip"]
    assert len(bodies) == 1
