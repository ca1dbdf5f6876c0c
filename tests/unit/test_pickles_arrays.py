"""numpy's arrays, scalars and types out of pickles, rebuilt without numpy's own unpickling."""

import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from models.pickles import Limits, read_pickle
from schemas.errors import ModelCorrupt, ModelRefused
from tests.pickle_parts import array, call, dtype, integer, name, raw_bytes, text

PROTOCOLS = range(6)

plain_types = st.one_of(
    some.boolean_dtypes(),
    some.integer_dtypes(endianness="?"),
    some.unsigned_integer_dtypes(endianness="?"),
    some.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    some.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    some.byte_string_dtypes(endianness="?", min_len=1, max_len=5),
    some.unicode_string_dtypes(endianness="?", min_len=1, max_len=5),
)
shapes = some.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
NODE = np.dtype(
    {
        "names": ["left_child", "threshold", "impurity", "missing"],
        "formats": ["<i8", "<f8", "<f4", "u1"],
        "offsets": [0, 8, 16, 20],
        "itemsize": 24,
    }
)


def assert_same(found: Any, made: Any) -> None:
    """Assert that an array came back whole, in C order and native bytes."""
    assert isinstance(found, np.ndarray)
    assert found.shape == made.shape
    assert found.dtype == made.dtype.newbyteorder("=")
    assert found.flags.c_contiguous
    assert found.dtype.isnative
    assert found.tobytes() == made.astype(made.dtype.newbyteorder("=")).tobytes()


@given(
    made=some.arrays(plain_types, shapes),
    protocol=st.sampled_from(PROTOCOLS),
    order=st.sampled_from("CF"),
)
def test_arrays_of_plain_types_come_back_as_they_were(made: Any, protocol: int, order: Any) -> None:
    made = np.array(made, order=order)
    assert_same(read_pickle(pickle.dumps(made, protocol)), made)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_parts_of_arrays_and_scalars_come_back_as_they_were(protocol: int) -> None:
    whole = np.arange(24.0).reshape(4, 6)
    for part in (whole[::2, 1::3], whole.T, whole[1], whole[:, 2], np.array(3.5), whole[:0]):
        assert_same(read_pickle(pickle.dumps(part, protocol)), part)
    for scalar in (
        np.float64(0.5),
        np.int32(-7),
        np.bool_(True),
        np.str_("äb"),
        np.bytes_(b"x"),
        np.complex64(1),
    ):
        found = read_pickle(pickle.dumps(scalar, protocol))
        assert (type(found), found) == (type(scalar), scalar)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("order", "CF")
def test_records_keep_their_fields_and_gaps(protocol: int, order: Any) -> None:
    made = np.zeros((2, 3), NODE, order=order)
    made["left_child"] = np.arange(6).reshape(2, 3)
    made["threshold"] = 0.5
    found = read_pickle(pickle.dumps(made, protocol))
    assert found.dtype == NODE
    assert found.dtype.itemsize == 24
    assert (found == made).all()


def test_records_of_the_other_byte_order_are_turned() -> None:
    made = np.array([(1, 0.5), (2, 0.25)], [("left", ">i4"), ("value", ">f8")])
    found = read_pickle(pickle.dumps(made))
    assert found.dtype.isnative
    assert found.tolist() == made.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_objects_hold_what_they_held(protocol: int) -> None:
    inner = np.arange(3)
    made = np.empty((2, 3), dtype=object)
    made[0] = [[1, 2], (3,), None]
    made[1, 0], made[1, 1], made[1, 2] = {"a": 1}, inner, np.array(7)
    for array_made in (made, np.asfortranarray(made), made.T):
        found = read_pickle(pickle.dumps(array_made, protocol))
        assert found.dtype == np.dtype(object)
        assert found.shape == array_made.shape
        upright = found if found.shape == (2, 3) else found.T
        assert upright[0].tolist() == [[1, 2], (3,), None]
        assert upright[1, 0] == {"a": 1}
        assert upright[1, 1].tolist() == [0, 1, 2]
        assert int(upright[1, 2]) == 7
    empty = np.empty((0, 5), dtype=object)
    assert read_pickle(pickle.dumps(empty, protocol)).shape == (0, 5)


def test_shared_arrays_and_types_are_shared() -> None:
    made = np.arange(3.0)
    first, second, kind, same = read_pickle(pickle.dumps([made, made, made.dtype, np.dtype("f8")], 3))
    assert first is second
    assert kind is same
    assert kind == np.dtype(np.float64)


def test_types_and_matrices_come_back() -> None:
    for made in (np.dtype(">f4"), np.dtype("U3"), np.dtype(object), NODE, np.dtype("b1")):
        assert read_pickle(pickle.dumps(made)) == made
    # Made without numpy's own matrix, which warns.
    data = pickle.dumps(np.eye(2), 3).replace(b"cnumpy\nndarray\n", b"cnumpy.matrixlib.defmatrix\nmatrix\n")
    assert read_pickle(data).tolist() == [[1, 0], [0, 1]]


def test_arrays_of_python_2_hold_their_bytes_as_a_str() -> None:
    for number in (1.0, struct.unpack("<d", b"abcdefgh")[0]):
        raw = struct.pack("<d", number)
        data = b"\x80\x02" + array((1,), dtype("f8"), b"U\x08" + raw) + b"."
        assert read_pickle(data).tolist() == [number]
    # As Python 2 wrote them: names of STRING opcodes, an escaped str, a state without a version.
    old = (
        b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntS'b'\ntRp2\n"
        b"((I2\ntcnumpy\ndtype\np3\n(S'i2'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        b"S'\\x01\\x00A\\x00'\ntb."
    )
    assert read_pickle(old).tolist() == [1, 65]


def test_arrays_of_numpy_2_come_back() -> None:
    for protocol in (3, 5):
        data = pickle.dumps(np.asfortranarray(np.eye(2, 3)), protocol)
        renamed = data.replace(b"cnumpy.core.", b"cnumpy._core.")
        renamed = renamed.replace(b"\x8c\x12numpy.core.numeric", b"\x8c\x13numpy._core.numeric")
        renamed = renamed[:2] + renamed[11:] if protocol == 5 else renamed
        assert renamed != data
        assert read_pickle(renamed).tolist() == np.eye(2, 3).tolist()


def test_arrays_in_native_order_are_views_of_the_files_bytes() -> None:
    found = read_pickle(pickle.dumps(np.arange(10.0), 3))
    assert not found.flags.writeable
    assert not found.flags.owndata


def test_random_states_stay_instances() -> None:
    found = read_pickle(pickle.dumps(np.random.RandomState(7)))
    assert found.kind.name == "__randomstate_ctor"
    assert found.state["state"]["key"].shape == (624,)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (np.array(["2016-01-01"], "M8[D]"), "numpy type 'M8'"),
        (np.zeros(1, np.longdouble), "numpy type 'f16'"),
        (np.zeros(1, "V8"), "numpy type of raw bytes"),
        (np.zeros(1, [("a", "i4", (2,))]), "arrays within arrays|numpy record|numpy type"),
        (np.zeros(1, [("a", "O")]), "a field of type"),
        (np.zeros(1, [("a", [("b", "i4")])]), "a field of type"),
        (
            np.array([np.array([None], dtype=object), None], dtype=object),
            "an array of objects within another",
        ),
    ],
)
def test_arrays_of_other_types_are_refused_by_name(made: Any, said: str) -> None:
    with pytest.raises(ModelRefused, match=said):
        read_pickle(pickle.dumps(made))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (array((3,), dtype("f8"), raw_bytes(b"x" * 23)), "3 items of 8 bytes is announced, with 23"),
        (array((-1,), dtype("f8"), raw_bytes(b"")), "a dimension that is none"),
        (array((1,), dtype("b1", "|"), raw_bytes(b"\x02")), "truth values holds others"),
        (array((1,), dtype("U1", "<", 4), raw_bytes(b"\0\0\x11\0")), "characters that are none"),
        (array((1,), dtype("U1", ">", 4), raw_bytes(b"\0\x11\0\0")), "characters that are none"),
        (array((1,), dtype("u1", "|"), text("ä")), "the bytes of an array are none"),
        (array((1,), dtype("f8", "<", 4), raw_bytes(b"x" * 8)), "said to be of 4 bytes"),
        (dtype("f8") + b"Nb", "state"),
        (
            call(name("numpy.core.numeric", "_frombuffer"), b"C\x01a", dtype("u1"), b"K\x01\x85", text("K")),
            "order",
        ),
        (call(name("numpy.core.multiarray", "scalar"), dtype("f8"), raw_bytes(b"abc")), "is announced"),
    ],
)
def test_arrays_that_contradict_themselves_are_corrupt(data: bytes, said: str) -> None:
    with pytest.raises((ModelCorrupt, ModelRefused), match=said):
        read_pickle(b"\x80\x03" + data + b".")


def record(*, names: bytes, fields: bytes, size: int = 16) -> bytes:
    """A type of records."""
    state = b"(K\x03" + text("|") + b"N" + names + fields + integer(size) + integer(1) + b"K\x10t"
    return call(name("numpy", "dtype"), text("V16"), b"K\x00", b"K\x01") + state + b"b"


def field(title: str, kind: bytes, offset: int) -> bytes:
    """One of its fields."""
    return text(title) + kind + integer(offset) + b"\x86"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (record(names=text("a") + b"\x85", fields=b"}" + field("b", dtype("f8"), 0) + b"s"), "not those"),
        (record(names=text("a") + b"\x85", fields=b"}" + field("a", dtype("f8"), 9) + b"s"), "lies outside"),
        (record(names=text("a") + b"\x85", fields=b"}" + field("a", dtype("f8"), -1) + b"s"), "lies outside"),
        (record(names=text("a") + b"\x85", fields=b"}" + text("a") + b"Ns"), "no type or no place"),
        (record(names=b"K\x01\x85", fields=b"}K\x01Ns"), "not those"),
        (record(names=text("a") + b"\x85", fields=b"}", size=8), "is said to be of 8"),
        (record(names=b"(" + b"".join(text(f"f{n}") for n in range(65)) + b"t", fields=b"}"), "65 fields"),
    ],
)
def test_records_that_contradict_themselves_are_corrupt(kind: bytes, said: str) -> None:
    with pytest.raises(ModelCorrupt, match=said):
        read_pickle(b"\x80\x03" + kind + b".")


def test_copies_of_arrays_are_paid_for() -> None:
    big = pickle.dumps(np.arange(1000, dtype=">f8"), 3)
    assert read_pickle(big).tolist() == list(range(1000))
    with pytest.raises(ModelCorrupt, match="far more memory"):
        read_pickle(big, limits=Limits(memory_bytes=4000, memory_per_byte=0))
