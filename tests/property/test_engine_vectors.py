"""Means of word vectors, for any vectors and any counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy
from numpy.typing import NDArray

from models import resources
from models.engine.vectors import mean_of

FOUND = st.tuples(st.integers(1, 12), st.integers(1, 4)).flatmap(
    lambda shape: of_numpy.arrays(
        np.float32, shape, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    )
)


@pytest.mark.filterwarnings("ignore:overflow encountered")
@given(FOUND, st.data())
def test_a_mean_is_revscorings_to_the_last_bit(found: NDArray[np.float32], data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(1, 50), min_size=len(found), max_size=len(found)))
    datasource = resources.module("datasources").Datasource("found")
    theirs = resources.module("features.meta.aggregators").mean(datasource, vector=True)
    expected = theirs.process(np.repeat(found, times, axis=0))
    mean = mean_of(found, np.array(times, dtype=np.float64))
    assert mean is not None
    assert [value.hex() for value in mean] == [value.hex() for value in expected]
