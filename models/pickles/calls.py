"""What a call in a pickle gives: plain values where the pickle spells them as calls, instances otherwise."""

from collections.abc import Callable
from typing import Any

from models.pickles.allowed import is_plain
from models.pickles.arrays import Shell, array, array_from_state, scalar, type_shell
from models.pickles.costs import PAIR_BYTES
from models.pickles.faults import Malformed, Unwanted, quoted
from models.pickles.keys import Keys
from models.pickles.limits import Budget
from models.pickles.values import Global, Instance

_ARRAYS = frozenset({
    Global("numpy", "memmap"),
    Global("numpy", "ndarray"),
    Global("numpy.core.memmap", "memmap"),
    Global("numpy.matrixlib.defmatrix", "matrix"),
})  # fmt: skip
_OBJECT = Global("builtins", "object")
_GETATTR = Global("builtins", "getattr")
_LATIN_1 = frozenset({"latin1", "latin-1"})


class Calls:
    """Answers calls.

    Args:
        keys: Checks keys.
        budget: Pays for what is copied.
    """

    def __init__(self, keys: Keys, budget: Budget) -> None:
        self._keys = keys
        self._budget = budget
        self.shells = 0
        """Arrays and types that were begun."""
        plain: dict[str, dict[str, Callable[..., Any]]] = {
            "_codecs": {"encode": self._encode},
            "builtins": {
                "bytearray": self._bytearray,
                "bytes": self._bytes,
                "complex": _complex,
                "dict": self._dict,
                "frozenset": self._frozenset,
                "getattr": _bound,
                "list": self._list,
                "set": self._set,
                "tuple": self._tuple,
            },
            "collections": {
                "Counter": self._dict,
                "OrderedDict": self._dict,
                "defaultdict": self._defaultdict,
            },
            "copyreg": {
                "__newobj__": self._new_object,
                "__newobj_ex__": self._new_object_with_names,
                "_reconstructor": self._reconstruct_object,
            },
            "numpy": {"dtype": self._type},
            "numpy.core.multiarray": {"_reconstruct": self._reconstruct_array, "scalar": self._scalar},
            "numpy.core.numeric": {"_frombuffer": self._array_from_buffer},
        }
        self._plain = {
            Global(module, name): call for module, names in plain.items() for name, call in names.items()
        }

    def call(self, kind: Any, args: Any, kwargs: dict[str, Any] | None = None) -> Any:
        """Return what stands for the outcome of a call.

        Args:
            kind: What is called.
            args: A tuple.
            kwargs: Named arguments.

        Raises:
            Unwanted: What is called is no name, or the call is not one that data need.
            Malformed: Its arguments are not those of that call.
        """
        if type(kind) is not Global:
            raise Unwanted(f"a call of something that has no name ({quoted(kind)})")
        if type(args) is not tuple:
            raise Malformed(f"{kind} is called with {quoted(args)} in place of a tuple")
        self._budget.spend(8 * len(args))
        plain = self._plain.get(kind)
        if plain is None:
            if kind in _ARRAYS:
                raise Unwanted(f"a call of {kind}, by which no pickle makes an array")
            return Instance(kind, args, kwargs=kwargs)
        if kwargs:
            raise Malformed(f"{kind} is called with named arguments")
        try:
            return plain(*args)
        except TypeError:
            # The only TypeErrors here come of the number of arguments: each function checks their kinds.
            raise Malformed(f"{kind} is called with {len(args)} arguments") from None

    def named(self, kwargs: Any) -> dict[str, Any]:
        """Check named arguments."""
        if type(kwargs) is not dict:
            raise Malformed(f"{quoted(kwargs)} stands in place of named arguments")
        self._budget.spend(8 * len(kwargs))
        if not all(type(name) is str for name in kwargs):
            raise Malformed("named arguments have names that are no texts")
        return kwargs

    def _encode(self, text: Any, encoding: Any) -> bytes:
        # Protocols 0 to 2 spell bytes so. Other encodings are codecs that unpack, or that one may register.
        if not isinstance(encoding, str) or encoding not in _LATIN_1 or not isinstance(text, str):
            raise Unwanted(f"an encoding {quoted(encoding)} of {quoted(text)}")
        self._budget.spend(len(text))
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            raise Malformed(f"{quoted(text)} are no bytes in latin-1") from None

    def _bytes(self, value: Any = b"") -> bytes:
        if not isinstance(value, bytes):
            raise Unwanted(f"bytes made of {quoted(value)}")
        return value

    def _bytearray(self, value: Any = b"", encoding: Any = None) -> bytearray:
        if encoding is not None:
            value = self._encode(value, encoding)
        self._budget.spend(len(self._bytes(value)))
        return bytearray(value)

    def _members(self, values: Any) -> list[Any] | tuple[Any, ...]:
        if not isinstance(values, list | tuple | set | frozenset):
            raise Unwanted(f"a collection made of {quoted(values)}")
        self._budget.spend(PAIR_BYTES * len(values) + PAIR_BYTES)
        return values if isinstance(values, list | tuple) else tuple(values)

    def _keyed(self, values: Any) -> list[Any] | tuple[Any, ...]:
        members = self._members(values)
        for member in members:
            self._keys.check(member)
        return members

    def _list(self, values: Any = ()) -> list[Any]:
        return list(self._members(values))

    def _tuple(self, values: Any = ()) -> tuple[Any, ...]:
        return tuple(self._members(values))

    def _set(self, values: Any = ()) -> set[Any]:
        return set(self._keyed(values))

    def _frozenset(self, values: Any = ()) -> frozenset[Any]:
        return frozenset(self._keyed(values))

    def _dict(self, values: Any = ()) -> dict[Any, Any]:
        if isinstance(values, dict):
            self._budget.spend(PAIR_BYTES * len(values))
            return dict(values)
        found = {}
        for pair in self._members(values):
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise Malformed("a dict is made of what are no pairs")
            self._keys.check(pair[0])
            found[pair[0]] = pair[1]
        return found

    def _defaultdict(self, factory: Any = None, values: Any = ()) -> dict[Any, Any]:
        if factory is not None and not isinstance(factory, Global | Instance):
            raise Unwanted(f"a defaultdict that calls {quoted(factory)}")
        return self._dict(values)

    def _new_object(self, kind: Any, *args: Any) -> Any:
        return self.call(_class(kind), args)

    def _new_object_with_names(self, kind: Any, args: Any, kwargs: Any) -> Any:
        return self.call(_class(kind), args, self.named(kwargs))

    def _reconstruct_object(self, kind: Any, base: Any, value: Any) -> Any:
        return self.call(_class(kind), () if _class(base) == _OBJECT else (value,))

    def _reconstruct_array(self, kind: Any, _shape: Any, _type: Any) -> Shell:
        if type(kind) is not Global or kind not in _ARRAYS:
            raise Unwanted(f"an array of the kind {kind if type(kind) is Global else quoted(kind)}")
        self.shells += 1
        return Shell(lambda state: array_from_state(state, self._budget))

    def _type(self, spec: Any, _align: Any = 0, _copy: Any = 1) -> Shell:
        self.shells += 1
        return type_shell(spec, self._budget)

    def _scalar(self, dtype: Any, raw: Any) -> Any:
        return scalar(dtype, raw, self._budget)

    def _array_from_buffer(self, raw: Any, dtype: Any, shape: Any, order: Any) -> Any:
        if not isinstance(order, str) or order not in {"C", "F"}:
            raise Malformed(f"an array is in the order {quoted(order)}, which is none")
        return array(raw, dtype, shape, order, self._budget)


def _complex(real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise Malformed("a complex number is made of what are no numbers")
    return complex(real, imaginary)


def _class(kind: Any) -> Global:
    # A function of copyreg in place of the class would call on and on.
    if type(kind) is not Global or kind.module == "copyreg":
        raise Malformed(f"{quoted(kind)} stands in place of a class")
    return kind


def _bound(owner: Any, name: Any) -> Instance:
    # Methods, and static functions of classes, are pickled as getattr; their names are data for the importer.
    if not isinstance(owner, Global | Instance) or not isinstance(name, str) or not is_plain(name):
        raise Unwanted(f"getattr of {quoted(name)}")
    return Instance(_GETATTR, (owner, name))
