"""Read the skops format: a zip of a JSON tree of typed nodes and of plain arrays.

The format is skops's, the reader is ours. Releases of skops that install beside numpy 1.24 and revscoring
do not run with today's scikit-learn, and let files name what is called. Here nothing of the file is looked
up: a node is made by this module or refused, and classes come from the closed list of ``skops_types``.
"""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from importlib import import_module
from tokenize import TokenError
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.kinds import skops_types
from models.kinds.estimator import corrupt
from models.kinds.skops_trees import check_tree
from schemas.errors import ModelRefused

MOST_BYTES: Final = 1 << 29
DEEPEST: Final = 60
_SCHEMA: Final = "schema.json"
# What plain reading of a malformed node or of an array's header ends in.
_MALFORMED: Final = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)


def read_skops(file: str, data: bytes) -> Any:
    """Read what a skops file holds.

    Args:
        file: Its path, for messages.
        data: Of the file.

    Raises:
        ModelRefused: It asks for a class or a function outside the closed list.
        ModelCorrupt: It is not of the format, is nested too deeply, or unpacks to more than 512 MB.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > MOST_BYTES:
                raise corrupt(file, f"it unpacks to {size} bytes")
            members = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        schema = json.loads(members.get(_SCHEMA, b""))
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        RecursionError,
    ) as error:
        raise corrupt(file, f"it is no skops file: {error}") from error
    try:
        return _Builder(file, members).build(schema, 0)
    except _MALFORMED as error:
        raise corrupt(file, f"a node of it is not formed as skops forms it ({error!r})") from error


class _Builder:
    def __init__(self, file: str, members: Mapping[str, bytes]) -> None:
        self._file = file
        self._members = members
        self._made: dict[int, Any] = {}
        self._nodes: Mapping[str, Callable[[Mapping[str, Any], int], Any]] = {
            "JsonNode": lambda node, _: json.loads(node["content"]),
            "ListNode": self._list,
            "TupleNode": lambda node, depth: tuple(self._list(node, depth)),
            "SetNode": lambda node, depth: set(self._list(node, depth)),
            "DictNode": self._dictionary,
            "NdArrayNode": self._array,
            "DTypeNode": lambda node, depth: self.build(node["content"], depth).dtype,
            "TypeNode": lambda node, _: self._number_type(_name(node)),
            "ObjectNode": self._object,
            "TreeNode": self._tree,
            "LossNode": self._loss,
        }

    def build(self, node: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise corrupt(self._file, f"it is nested deeper than {DEEPEST}")
        loader = node["__loader__"]
        if loader in skops_types.IGNORED:
            return None
        # What two others share is written twice, under one number.
        if isinstance(node.get("__id__"), int) and node["__id__"] in self._made and loader == "ObjectNode":
            return self._made[node["__id__"]]
        make = self._nodes.get(loader)
        if make is None:
            raise self._refused(f"a node of kind {str(loader)[:80]!r} ({_name(node)[:80]!r})")
        made = make(node, depth + 1)
        if isinstance(node.get("__id__"), int):
            self._made[node["__id__"]] = made
        return made

    def _refused(self, what: str) -> ModelRefused:
        return ModelRefused(
            f"{self._file} of the artefact asks for {what}, which is not among the parts of scikit-learn "
            "that are read here; nothing of it was run. Use another estimator, or refuse its source",
            path=self._file,
        )

    def _list(self, node: Mapping[str, Any], depth: int) -> list[Any]:
        return [self.build(item, depth) for item in node["content"]]

    def _dictionary(self, node: Mapping[str, Any], depth: int) -> dict[Any, Any]:
        types = [_name(kind) for kind in node["key_types"]["content"]]
        if not skops_types.KEYS.issuperset(types):
            raise self._refused(f"keys of the types {', '.join(sorted(set(types)))[:200]!r}")
        return {
            _KEYS[kind](key): self.build(value, depth)
            for kind, (key, value) in zip(types, node["content"].items(), strict=True)
        }

    def _array(self, node: Mapping[str, Any], depth: int) -> Any:
        if node["type"] == "json":
            shape = self.build(node["shape"], depth)
            items = [self.build(item, depth) for item in node["content"]]
            # Rows of a matrix come as lists of their own.
            for _ in shape[1:]:
                items = [item for row in items for item in row]
            array = np.empty(len(items), dtype=object)
            array[:] = items
            return array.reshape(shape)
        array = _read_array(self._file, self._members[node["file"]])
        if _name(node) == "numpy.ndarray":
            return array
        if array.shape != () or _name(node) not in skops_types.NUMBERS:
            raise self._refused(f"a number of the type {_name(node)[:80]!r}")
        return array[()]

    def _number_type(self, name: str) -> type:
        if name not in skops_types.NUMBERS:
            raise self._refused(f"the type {name[:80]!r}")
        return np.dtype(name.removeprefix("numpy.").rstrip("_")).type

    def _object(self, node: Mapping[str, Any], depth: int) -> Any:
        name = _name(node)
        if name not in skops_types.OBJECTS:
            raise self._refused(f"the class {name[:200]!r}")
        made = object.__new__(_class(name))
        attributes = self.build(node["content"], depth) if "content" in node else None
        if attributes is None:
            return made
        if not isinstance(attributes, dict) or not all(
            isinstance(key, str) and key.isidentifier() and not key.startswith("__") for key in attributes
        ):
            raise corrupt(self._file, f"the attributes of {name} are none")
        made.__dict__.update(attributes)
        return made

    def _tree(self, node: Mapping[str, Any], depth: int) -> Any:
        if _name(node) != skops_types.TREE:
            raise self._refused(f"the class {_name(node)[:200]!r}")
        arguments = self.build(node["__reduce__"]["args"], depth)
        state = self.build(node["content"], depth)
        check_tree(self._file, arguments, state)
        made = _class(skops_types.TREE)(*arguments)
        made.__setstate__(state)
        return made

    def _loss(self, node: Mapping[str, Any], _: int) -> Any:
        if _name(node) not in skops_types.LOSSES:
            raise self._refused(f"the class {_name(node)[:200]!r}")
        return _class(_name(node))()


_KEYS: Final[Mapping[str, Callable[[str], Any]]] = {
    "builtins.str": str,
    "builtins.int": int,
    "builtins.float": float,
    "builtins.bool": lambda text: text == "True",
    "numpy.bool": lambda text: np.bool_(text == "True"),
    "numpy.bool_": lambda text: np.bool_(text == "True"),
    "numpy.int64": np.int64,
    "numpy.float64": np.float64,
    "numpy.str_": np.str_,
}


def _name(node: Mapping[str, Any]) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _class(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def _read_array(file: str, data: bytes) -> NDArray[Any]:
    # A header may promise more than there is, and NumPy makes room for it before it looks.
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call] # NumPy's stubs leave it out
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read_header(stream)  # type: ignore[no-untyped-call] # as above
    if dtype.hasobject or int(np.prod(shape, dtype=object)) * dtype.itemsize != len(data) - stream.tell():
        raise corrupt(file, "an array of it is not as long as it says, or holds objects")
    stream.seek(0)
    array: NDArray[Any] = np.load(stream, allow_pickle=False)
    return array
