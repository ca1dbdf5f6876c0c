"""Whatever text goes into a page comes out as text, and nothing else comes out."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from app.api.html import element

# A browser takes a carriage return for a line end and NUL for a mark, and refuses halves of characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


class Parsed(HTMLParser):
    """What a browser makes of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, object]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(("begin", (tag, attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(("end", tag))

    def handle_data(self, data: str) -> None:
        kind, before = self.seen[-1]
        if kind == "text":
            self.seen[-1] = ("text", f"{before}{data}")
        else:
            self.seen.append(("text", data))

    def handle_comment(self, data: str) -> None:
        self.seen.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.seen.append(("declaration", decl))

    def unknown_decl(self, data: str) -> None:
        self.seen.append(("declaration", data))

    def handle_pi(self, data: str) -> None:
        self.seen.append(("instruction", data))


@given(inner=TEXTS, value=TEXTS)
def test_text_stays_text_within_an_element_and_its_attributes(inner: str, value: str) -> None:
    parsed = Parsed(element("p", element("b", inner), title=value))
    assert parsed.seen == [
        ("begin", ("p", [("title", value)])),
        ("begin", ("b", [])),
        *([("text", inner)] if inner else []),
        ("end", "b"),
        ("end", "p"),
    ]


@given(value=TEXTS)
def test_text_stays_text_within_an_element_that_holds_nothing(value: str) -> None:
    parsed = Parsed(element("input", type="text", value=value, required=True, checked=False))
    assert parsed.seen == [("begin", ("input", [("type", "text"), ("value", value), ("required", None)]))]
