"""numpy's arrays, scalars and types, rebuilt from what pickles say of them.

numpy pickles a type as ``dtype("f8", False, True)`` and then a state tuple, an array as an empty one and then
``(1, shape, dtype, is_fortran, bytes)``; both are whole only once the state is set, hence ``Shell``. Only
plain kinds are rebuilt, and nothing of the kind is taken from numpy's own unpickling, which trusts the bytes.
Arrays come out C-contiguous in the machine's byte order; where the file has them so, they are read-only views
of its bytes. Structured types keep their names, with any gaps.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.pickles.faults import Malformed, Unwanted, quoted
from models.pickles.limits import Budget

Array = NDArray[Any]
Type = np.dtype[Any]
TypeState = tuple[str, Any, Any, int]  # byte order, names, fields, bytes of an item

_TYPE = re.compile(r"(?:([biufcSUVa])([0-9]{1,6})|O[48]?)")
_TYPES = frozenset(
    {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"}
)  # fmt: skip
_FIELD_KINDS = "iuf"
_FIELDS = 64
_FIELD_BYTES = 512
_ITEM_BYTES = 1 << 16
_DIMENSIONS = 32
_MAX_CODE_POINT = 0x10FFFF
_OBJECT = np.dtype(object)


class Shell:
    """An array or a type whose state has not been set yet.

    Args:
        build: Makes the value of the state.
    """

    __slots__ = ("build", "is_built", "value")

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self.build = build
        self.value: Any = None
        self.is_built = False

    def set_state(self, state: Any) -> Any:
        """Build the value, once, and return it."""
        if self.is_built:
            raise Malformed("the state of an array or of its type is set twice")
        self.value = self.build(state)
        self.is_built = True
        return self.value


def type_shell(spec: Any, budget: Budget) -> Shell:
    """Return a type that is still to get its byte order, and its fields where it has any.

    Raises:
        Unwanted: It is of no plain kind: a date, a long double, a type of a library.
    """
    if not isinstance(spec, str) or not (match := _TYPE.fullmatch(spec)):
        raise Unwanted(f"a numpy type {quoted(spec)}")
    kind, size = match[1], match[2]
    if kind in {"b", "i", "u", "f", "c"} and spec not in _TYPES:
        raise Unwanted(f"a numpy type {quoted(spec)}")
    if kind == "V":
        return Shell(lambda state: _structured(int(size), _type_state(state), budget))
    plain = _OBJECT if kind is None else np.dtype(f"S{size}" if kind == "a" else spec)
    return Shell(lambda state: _plain(plain, _type_state(state)))


def array_from_state(state: Any, budget: Budget) -> Array:
    """Rebuild an array from the state that numpy sets.

    Args:
        state: ``(version, shape, dtype, is_fortran, bytes or list)``; before numpy 1.0 without the version.
        budget: Pays for what is copied.
    """
    if not isinstance(state, tuple) or len(state) not in {4, 5}:
        raise Malformed("the state of an array is no tuple of 4 or 5")
    shape, dtype, is_fortran, raw = state[-4:]
    if not isinstance(is_fortran, bool | int):
        raise Malformed("the order of an array is neither C nor Fortran")
    return array(raw, dtype, shape, "F" if is_fortran else "C", budget)


def array(raw: Any, dtype: Any, shape: Any, order: str, budget: Budget) -> Array:
    """Rebuild an array.

    Args:
        raw: Its bytes; for objects the list of them.
        dtype: Built already.
        shape: Whose product times the size of an item must be the length of the bytes.
        order: ``C`` or ``F``.
        budget: Pays for what is copied.
    """
    if not isinstance(dtype, np.dtype):
        raise Malformed("an array is made of a type that is none")
    _check_shape(shape)
    count = math.prod(shape)
    if dtype == _OBJECT:
        # Lists are in C order whatever the order of the array was.
        flat, order = _objects(raw, count, budget), "C"
    else:
        flat = _numbers(raw, dtype, count, budget)
    is_fortran = order == "F"
    if is_fortran:
        # Charged before the copy that puts the items into C order; a vector is in both orders at once.
        budget.spend(flat.nbytes)
    try:
        return np.asarray(flat.reshape(shape, order="F" if is_fortran else "C"), order="C")
    except ValueError as error:
        raise Malformed(f"an array cannot have its shape ({error})") from None


def scalar(dtype: Any, raw: Any, budget: Budget) -> Any:
    """Rebuild one number, truth value or text of numpy."""
    if not isinstance(dtype, np.dtype) or dtype.kind in "OV":
        raise Unwanted("a numpy scalar of no plain type")
    budget.spend(dtype.itemsize)
    return _numbers(raw, dtype, 1, budget)[0]


def _type_state(state: Any) -> TypeState:
    # (version, byte order, base, names, fields, item size, alignment[, flags[, metadata]])
    if not isinstance(state, tuple) or not 7 <= len(state) <= 9:
        raise Malformed("the state of a numpy type is no tuple of 7 to 9")
    _, order, base, names, fields, item_bytes, _ = state[:7]
    if not isinstance(order, str) or order not in {"<", ">", "|"} or type(item_bytes) is not int:
        raise Malformed("the state of a numpy type names no byte order or no size")
    if base is not None:
        raise Unwanted("a numpy type of arrays within arrays")
    return order, names, fields, item_bytes


def _plain(dtype: Type, state: TypeState) -> Type:
    order, names, fields, item_bytes = state
    if names is not None or fields is not None:
        raise Malformed(f"the numpy type {dtype.str} has fields")
    if item_bytes not in {-1, dtype.itemsize}:
        raise Malformed(f"the numpy type {dtype.str} is said to be of {item_bytes} bytes")
    if not 0 < dtype.itemsize <= _ITEM_BYTES:
        raise Malformed(f"a numpy type of {dtype.itemsize} bytes; we read 1 to {_ITEM_BYTES}")
    if order == "<":
        return dtype.newbyteorder("<")
    return dtype.newbyteorder(">") if order == ">" else dtype


def _structured(size_bytes: int, state: TypeState, budget: Budget) -> Type:
    _, names, fields, item_bytes = state
    if item_bytes != size_bytes or not 0 < size_bytes <= _ITEM_BYTES:
        raise Malformed(f"a numpy record of {size_bytes} bytes is said to be of {item_bytes}")
    if not isinstance(names, tuple) or not isinstance(fields, dict) or not names:
        raise Unwanted("a numpy type of raw bytes")
    if len(names) > _FIELDS:
        raise Malformed(f"a numpy record of {len(names)} fields; we read {_FIELDS}")
    budget.spend(_FIELD_BYTES * len(names))
    if set(map(type, names)) != {str} or set(names) != set(fields) or len(names) != len(fields):
        raise Malformed("the names of a numpy record are not those of its fields")
    formats, offsets = [], []
    for name in names:
        field = fields[name]
        if not isinstance(field, tuple) or len(field) != 2 or not isinstance(field[0], np.dtype):
            raise Malformed(f"the field {quoted(name)} of a numpy record has no type or no place")
        dtype, offset = field
        if dtype.kind not in _FIELD_KINDS:
            raise Unwanted(f"a numpy record with a field of type {dtype.str}")
        if type(offset) is not int or not 0 <= offset <= size_bytes - dtype.itemsize:
            raise Malformed(f"the field {quoted(name)} of a numpy record lies outside of it")
        formats.append(dtype)
        offsets.append(offset)
    record = {"names": list(names), "formats": formats, "offsets": offsets, "itemsize": size_bytes}
    try:
        return np.dtype(record)  # type: ignore[call-overload, no-any-return]
    except ValueError as error:
        raise Malformed(f"a numpy record cannot be ({error})") from None


def _check_shape(shape: Any) -> None:
    if not isinstance(shape, tuple) or len(shape) > _DIMENSIONS:
        raise Malformed("the shape of an array is no tuple, or has too many dimensions")
    for length in shape:
        if type(length) is not int or not 0 <= length < 1 << 31:
            raise Malformed(f"an array has a dimension that is none: {quoted(length)}")


def _numbers(raw: Any, dtype: Type, count: int, budget: Budget) -> Array:
    if isinstance(raw, str) and raw.isascii():
        # Python 2 wrote the bytes as a str, which is read as text where it is ASCII.
        budget.spend(len(raw))
        raw = raw.encode("ascii")
    elif isinstance(raw, bytearray):
        budget.spend(len(raw))
        raw = bytes(raw)
    if not isinstance(raw, bytes):
        raise Malformed(f"the bytes of an array are none: {quoted(raw)}")
    if len(raw) != count * dtype.itemsize:
        raise Malformed(
            f"an array of {count} items of {dtype.itemsize} bytes is announced, with {len(raw)} bytes"
        )
    if not count:
        # numpy takes room for one item even where there is none.
        budget.spend(dtype.itemsize)
        return np.empty(0, dtype.newbyteorder("="))
    found = np.frombuffer(raw, dtype)
    if found.dtype.kind in "bU":
        budget.spend(found.nbytes)
        _check_bits(found)
    if found.dtype.isnative:
        return found
    budget.spend(found.nbytes)
    return found.astype(dtype.newbyteorder("="))


def _check_bits(found: Array) -> None:
    """Refuse truth values that are neither 0 nor 1, and characters that are none: numpy errs with them."""
    if found.dtype.kind == "b" and found.view(np.uint8).max() > 1:
        raise Malformed("an array of truth values holds others")
    if found.dtype.kind == "U":
        points = np.dtype(np.uint32).newbyteorder("=" if found.dtype.isnative else "S")
        if found.view(points).max() > _MAX_CODE_POINT:
            raise Malformed("an array of texts holds characters that are none")


def _objects(raw: Any, count: int, budget: Budget) -> Array:
    if not isinstance(raw, list) or len(raw) != count:
        raise Malformed(f"an array of {count} objects is announced, with {quoted(raw)}")
    budget.spend(2 * 8 * count + 128)
    # Freeing arrays of objects within such arrays recurses without a bound.
    if np.ndarray in set(map(type, raw)) and any(_is_objects(value) for value in raw):
        raise Unwanted("an array of objects within another")
    return np.fromiter(raw, dtype=object, count=count)


def _is_objects(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == _OBJECT
