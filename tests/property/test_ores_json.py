"""JSON of ORES's face is what Python writes, sorted and indented, byte for byte."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from app.api.ores_json import ores_json

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(min_value=1e-7, max_value=1e-3),
    st.floats(min_value=1e14, max_value=1e18),
    st.integers(-(2**63), 2**63 - 1),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda below: st.lists(below, max_size=5) | st.dictionaries(TEXTS, below, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
@example({"a": [1e-05, 1.234e-05, 0.0001, -1e16, 1e-7], ': 1e5,\n"': "1e-5", "b": ": 0.00001", "": {}})
@example({"a": "\x7f", "b": "\x00"})
def test_documents_are_written_as_python_writes_them(document: dict[str, Any]) -> None:
    pretty = json.dumps(document, sort_keys=True, indent=2).encode()
    assert ores_json(document, is_compact=False) == pretty
    assert ores_json(document, is_compact=True) == json.dumps(document, sort_keys=True).encode()
