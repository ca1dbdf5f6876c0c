from itertools import groupby

import pytest

from models.engine.runs import longest_run


@pytest.mark.parametrize(
    "text", ["a", "ab", "aab", "abb", "abbbb", "aAa", "\n\n\nx", "a\u0130\u0130i\u0307", "xx yyy zz"]
)
@pytest.mark.parametrize("times", [1, 400])
def test_the_longest_run_is_that_of_the_lowered_text(text: str, times: int) -> None:
    for written in (text * times, "q" + text * times, text * times + "qq", text[0] * times):
        assert longest_run(written) == max(len(list(run)) for _, run in groupby(written.lower()))
