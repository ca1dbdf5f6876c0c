from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agents.lines import LineSplitter
from agents.sse import ServerSentEvent, SseParser

# Few kinds of bytes, so that line ends, colons and field names meet often.
STREAMS = st.lists(
    st.sampled_from(
        [
            b"data: a",
            b"data",
            b":",
            b"id: 1",
            b"event: e",
            b"\n",
            b"\r",
            b"\r\n",
            b" ",
            b"\xef\xbb\xbf",
            b"\xff",
        ]
    )
    | st.binary(max_size=4)
).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(STREAMS, st.lists(st.integers(min_value=0)), st.integers(1, 12))
def test_where_chunks_begin_and_end_makes_no_difference_to_events(
    data: bytes, places: list[int], most_bytes: int
) -> None:
    whole = SseParser(most_bytes)
    expected = whole.feed(data)
    parser = SseParser(most_bytes)
    events: list[ServerSentEvent] = []
    for chunk in cut(data, places):
        events += parser.feed(chunk)
    assert events == expected
    assert parser.retry_seconds == whole.retry_seconds


@given(st.lists(st.text(alphabet=st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]))))
def test_what_is_written_as_events_is_read_back(texts: list[str]) -> None:
    stream = "".join(f"id: {number}\ndata: {text}\n\n" for number, text in enumerate(texts))
    events = SseParser().feed(stream.encode())
    assert [(event.last_event_id, event.data.decode()) for event in events] == [
        (str(number), text) for number, text in enumerate(texts)
    ]


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(min_value=0)), st.integers(1, 20))
def test_lines_are_cut_alike_whatever_the_chunks_and_their_places_are_true(
    parts: list[bytes], places: list[int], most_bytes: int
) -> None:
    data = b"\n".join(parts)
    splitter = LineSplitter(most_bytes)
    lines = [line for chunk in cut(data, places) for line in splitter.feed(chunk)]
    last = splitter.finish()
    lines += [last] if last else []
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert [line.size_bytes for line in lines] == [len(value) for value in expected]
    start = 0
    for number, (line, value) in enumerate(zip(lines, expected, strict=True), 1):
        assert line.number == number
        assert line.is_whole is (len(value) <= most_bytes)
        assert value.startswith(line.value)
        assert line.value == value or not line.is_whole
        assert data[start : line.end_offset].rstrip(b"\n") == value.rstrip(b"\n")
        start = line.end_offset
    assert start == len(data)
