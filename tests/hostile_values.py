"""Pickles that misuse states, arrays and the constructors of plain values, or are of other picklers."""

import io
from collections.abc import Iterator

import numpy as np

from tests.hostile_case import FORM, NAME, hostile
from tests.pickle_parts import array, call, dtype, integer, name, raw_bytes, stack_name, text

# States and shells.


@hostile(NAME, "a state set in what is no object")
def _state_of_a_class() -> bytes:
    feature = name("revscoring.features.feature", "Feature")
    return b"\x80\x02" + feature + b"}" + text("process") + name("builtins", "str") + b"sb."


@hostile(NAME, "a state set in what is no object")
def _state_of_plain_values() -> Iterator[bytes]:
    for value in (b"]", b"}", b"N", b"K\x01", text("x"), array((1,), dtype("u1"), raw_bytes(b"a"))):
        yield b"\x80\x02" + value + b"}" + text("__class__") + b"Nsb."


@hostile(NAME, "a call of numpy.ndarray")
def _array_of_a_declared_shape() -> bytes:
    return call(name("numpy", "ndarray"), integer(1 << 40) + b"\x85") + b"."


@hostile(FORM, "is announced")
def _arrays_larger_than_their_bytes() -> Iterator[bytes]:
    for shape in ((1 << 30,), (1 << 30, 1 << 30), (1 << 20,) * 20, (2,), (0,), (), (1, 0)):
        yield b"\x80\x03" + array(shape, dtype("f8"), raw_bytes(b"x" * 9)) + b"."


@hostile(FORM, "a dimension that is none")
def _arrays_of_impossible_shapes() -> Iterator[bytes]:
    for shape in ((-1,), (-8, -1), (1 << 31,), (0, 1 << 62)):
        yield b"\x80\x03" + array(shape, dtype("u1"), raw_bytes(b"")) + b"."


@hostile(FORM, "array")
def _arrays_of_impossible_states() -> Iterator[bytes]:
    yield b"\x80\x03" + array((1,) * 33, dtype("u1"), raw_bytes(b"x")) + b"."
    yield b"\x80\x03" + array((0,) + ((1 << 30),) * 31, dtype("u1"), raw_bytes(b"")) + b"."
    yield b"\x80\x03" + array((1,), b"N", raw_bytes(b"x")) + b"."
    yield b"\x80\x03" + array((1,), text("f8"), raw_bytes(b"x" * 8)) + b"."
    yield b"\x80\x03" + array((1,), dtype("O", "|"), raw_bytes(b"x" * 8)) + b"."
    yield b"\x80\x03" + array((2,), dtype("O", "|"), b"]") + b"."
    yield b"\x80\x03" + array((1,), dtype("u1", "|"), b"]K\x01a") + b"."
    yield b"\x80\x03" + array((1,), dtype("b1", "|"), raw_bytes(b"\x02")) + b"."
    yield b"\x80\x03" + array((1,), dtype("U1", "<", 4), raw_bytes(b"\xff\xff\xff\xff")) + b"."
    whole = array((1,), dtype("u1", "|"), raw_bytes(b"x"))[:-1]
    yield b"\x80\x03" + whole + b"0."  # the state dropped
    yield b"\x80\x03" + whole[: whole.index(b"(K\x01(")] + b"."
    yield b"\x80\x03" + whole[: whole.index(b"(K\x01(")] + b"Nb."


@hostile(NAME, "numpy")
def _types_beyond_numbers() -> Iterator[bytes]:
    for spec in (
        "M8",
        "m8",
        "f16",
        "g",
        "V",
        "O16",
        "object",
        "f8,f8",
        "(2,)f8",
        "|V8",
        "i3",
        "U9999999",
        "",
    ):
        yield b"\x80\x03" + dtype(spec) + b"."
    yield b"\x80\x03" + dtype("V8", "|", 8) + b"."


@hostile(FORM, "numpy type")
def _types_of_impossible_sizes() -> Iterator[bytes]:
    yield b"\x80\x03" + dtype("U999999", "<", 4 * 999_999) + b"."
    yield b"\x80\x03" + dtype("S0", "|", 0) + b"."
    yield b"\x80\x03" + dtype("f8", "<", 1 << 40) + b"."
    yield b"\x80\x03" + dtype("f8", "?") + b"."


@hostile(NAME, "a numpy scalar of no plain type")
def _scalar_that_is_an_object() -> bytes:
    scalar = name("numpy.core.multiarray", "scalar")
    return b"\x80\x03" + call(scalar, dtype("O", "|"), call(name("builtins", "set"))) + b"."


@hostile(NAME, "an array of objects within another")
def _arrays_within_arrays_that_free_themselves_deeply() -> bytes:
    inner = array((0,), dtype("O", "|"), b"]")
    kind = dtype("O", "|")
    deep = inner
    for _ in range(1000):
        deep = array((1,), kind, b"]" + deep + b"a")
    return b"\x80\x03" + deep + b"."


@hostile(FORM, "before it has its state")
def _array_that_holds_itself() -> bytes:
    whole = array((1,), dtype("O", "|"), b"]h\x63a")
    at = whole.index(b"(K\x01(")
    return b"\x80\x03" + whole[:at] + b"q\x63" + whole[at:] + b"."


@hostile(FORM, "stands in place of a class")
def _constructors_that_call_themselves() -> Iterator[bytes]:
    new_object = name("copyreg", "__newobj__")
    yield b"\x80\x02" + new_object + b"(" + (new_object + b"q\x00") + b"h\x00" * 100_000 + b"tR."
    rebuild = name("copyreg", "_reconstructor")
    yield b"\x80\x02" + call(rebuild, rebuild, name("builtins", "object"), b"N") + b"."


@hostile(NAME, "numpy.core.multiarray.frombuffer")
def _frombuffer() -> bytes:
    return call(name("numpy.core.multiarray", "frombuffer"), raw_bytes(b"x" * 8)) + b"."


# Other picklers.


@hostile(NAME, "joblib")
def _joblib() -> Iterator[bytes]:
    wrapper = "NumpyArrayWrapper"
    for module in ("joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle"):
        yield b"\x80\x03" + name(module, wrapper) + b")\x81}b" + b"\x93NUMPY\x01\x00v\x00."
    import joblib

    stream = io.BytesIO()
    joblib.dump({"a": np.arange(8.0)}, stream)
    yield stream.getvalue()


@hostile(NAME, "torch")
def _torch() -> Iterator[bytes]:
    yield b"\x80\x02" + call(name("torch._utils", "_rebuild_tensor_v2"), b"N") + b"."
    yield b"\x80\x02" + name("torch", "FloatStorage") + b"."


@hostile(NAME, "dill")
def _dill() -> bytes:
    return b"\x80\x04" + stack_name("dill._dill", "_create_function") + b"."


@hostile(NAME, "cloudpickle")
def _cloudpickle() -> bytes:
    return b"\x80\x05" + stack_name("cloudpickle.cloudpickle", "_builtin_type") + text("CodeType") + b"\x85R."


@hostile(NAME, "pandas")
def _pandas() -> bytes:
    return b"\x80\x04" + stack_name("pandas.core.frame", "DataFrame") + b"."
