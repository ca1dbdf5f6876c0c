"""Reading pickles of plain data, objects and names, without Python's own reader."""

import collections
import functools
import operator
import pickle
import pickletools
import re
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.pickles import Allowed, Global, Instance, Limits, read_pickle
from models.pickles.pushes import pushes
from models.pickles.stack import OPERATIONS
from schemas.errors import ModelCorrupt, ModelRefused

PROTOCOLS = range(6)
HERE = Allowed(
    names={
        "builtins": frozenset({"getattr", "int", "object", "list", "dict", "set", "str"}),
        "copyreg": frozenset({"_reconstructor", "__newobj__", "__newobj_ex__"}),
        "functools": frozenset({"partial"}),
        "operator": frozenset({"itemgetter", "mul"}),
        "_operator": frozenset({"mul"}),
        "re": frozenset({"_compile"}),
        "_codecs": frozenset({"encode"}),
        "collections": frozenset({"OrderedDict", "deque"}),
        __name__: frozenset({"Named", "Pair", "Plain", "Slotted", "Table", "Words", "function"}),
    },
)
NAME = __name__


class Plain:
    """An object with a ``__dict__``."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def method(self) -> None:
        """Be pickled as a bound method."""


class Slotted:
    """An object without a ``__dict__``."""

    __slots__ = ("left", "right")
    left: int
    right: int


class Named:
    """An object that is made with named arguments."""

    def __getnewargs_ex__(self) -> Any:
        return (1,), {"depth": 3}


class Pair(NamedTuple):
    """A tuple with a class."""

    first: int
    second: int


class Words(list[str]):
    """A list with a class."""


class Table(dict[str, int]):
    """A dict with a class."""


def function(*_args: int, **_kwargs: int) -> None:
    """Be pickled by name."""


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(
            st.text() | st.integers(-(2**59), 2**59) | st.tuples(st.text(), st.booleans()), inner
        )
        | st.sets(st.text() | st.floats(allow_nan=False))
        | st.frozensets(st.binary() | st.none())
    ),
    max_leaves=20,
)


def alike(left: Any, right: Any) -> bool:
    """Tell whether plain values are equal, and of the same types throughout."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(map(repr, left)) == list(map(repr, right)) and all(
            map(alike, left.values(), right.values())
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(alike, left, right))
    return bool(left == right)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=values)
def test_plain_data_of_every_protocol_come_back_as_they_were(protocol: int, value: Any) -> None:
    pickled = pickle.dumps(value, protocol)
    assert alike(read_pickle(pickled), value)
    assert alike(read_pickle(pickletools.optimize(pickled)), value)


@given(data=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for whole in (data, data + b".", b"\x80\x04" + data + b"."):
        try:
            read_pickle(whole)
        except (ModelCorrupt, ModelRefused):
            continue


@given(value=values, protocol=st.sampled_from(PROTOCOLS), changes=st.data())
def test_a_pickle_with_a_byte_changed_is_read_or_refused(
    value: Any, protocol: int, changes: st.DataObject
) -> None:
    data = bytearray(pickle.dumps(value, protocol))
    data[changes.draw(st.integers(0, len(data) - 1))] = changes.draw(st.integers(0, 255))
    try:
        read_pickle(bytes(data))
    except (ModelCorrupt, ModelRefused):
        return


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"I00\n.", False),
        (b"I01\n.", True),
        (b"I-5\n.", -5),
        (b"L123456789012345678901234567890L\n.", 123456789012345678901234567890),
        (b"L7\n.", 7),
        (b"J\xfe\xff\xff\xff.", -2),
        (b"K\xff.", 255),
        (b"M\xff\xff.", 65535),
        (b"\x8a\x00.", 0),
        (b"\x8a\x01\xff.", -1),
        (b"\x8b\x02\x00\x00\x00\x00\x01.", 256),
        (b"F-1.5e+300\n.", -1.5e300),
        (b"F2\n.", 2.0),
        (b"Finf\n.", float("inf")),
        (b"G?\xf0\0\0\0\0\0\0.", 1.0),
        (b"S'it''s \\'\\n\\t\\x41\\101\\\\'\n.", "it''s '\n\tAA\\"),
        (b'S"\\xff"\n.', b"\xff"),
        (b"T\x02\0\0\0ab.", "ab"),
        (b"U\x02\xc3\xa4.", b"\xc3\xa4"),
        (b"Va\\u00e4\\U0001F600\n.", "aä😀"),
        (b"X\x03\0\0\0\xed\xb0\x80.", "\udc00"),
        (b"\x8d\x01\0\0\0\0\0\0\0x.", "x"),
        (b"\x8e\x01\0\0\0\0\0\0\0x.", b"x"),
        (b"\x96\x01\0\0\0\0\0\0\0x.", bytearray(b"x")),
        (b"(I1\nI2\nt.", (1, 2)),
        (b"(I1\nI2\nl.", [1, 2]),
        (b"(I1\nI2\nd.", {1: 2}),
        (b"(lI1\na.", [1]),
        (b"](K\x01K\x02e.", [1, 2]),
        (b"}K\x01Ns.", {1: None}),
        (b"}(K\x01NK\x02Nu.", {1: None, 2: None}),
        (b"\x8f(K\x01K\x01\x90.", {1}),
        (b"(K\x01\x91.", frozenset({1})),
        (b"NK\x010.", None),
        (b"N(K\x01K\x021.", None),
        (b"N(0.", None),
        (b"K\x052\x86.", (5, 5)),
        (b"K\x05p70\nK\x060g70\n\x86.", (5, 5)),
        (b"K\x05q\x07h\x07\x86.", (5, 5)),
        (b"K\x05r\xff\xff\xff\x7fj\xff\xff\xff\x7f\x86.", (5, 5)),
    ],
)
def test_an_opcode_spells_its_value(data: bytes, value: Any) -> None:
    assert alike(read_pickle(data), value)


def test_every_opcode_has_its_reader() -> None:
    known = {code for code, push in enumerate(pushes(1)) if push} | set(OPERATIONS) | {ord(".")}
    assert known == {ord(opcode.code) for opcode in pickletools.opcodes}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_object_is_a_name_and_a_state(protocol: int) -> None:
    found = read_pickle(pickle.dumps(Plain(a=1, b=[2]), protocol), HERE)
    assert isinstance(found, Instance)
    assert found.kind == Global(NAME, "Plain")
    assert (found.args, found.state) == ((), {"a": 1, "b": [2]})
    assert repr(found) == f"<Instance of {NAME}.Plain>"


@pytest.mark.parametrize("protocol", range(2, 6))
def test_objects_of_every_shape_keep_what_they_were_given(protocol: int) -> None:
    slotted = Slotted()
    slotted.left, slotted.right = 1, 2
    made = (slotted, Pair(3, 4), Words(["a", "b"]), Table(a=1), collections.deque([1, 2]))
    slots, pair, words, table, deque = read_pickle(pickle.dumps(made, protocol), HERE)
    assert slots.state == (None, {"left": 1, "right": 2})
    assert (pair.kind.name, pair.args) == ("Pair", (3, 4))
    assert (words.kind.name, words.items) == ("Words", ["a", "b"])
    assert (table.kind.name, table.pairs) == ("Table", [("a", 1)])
    assert (deque.kind.name, deque.items) == ("deque", [1, 2])


@pytest.mark.parametrize("protocol", [4, 5])
def test_named_arguments_are_kept(protocol: int) -> None:
    named = read_pickle(pickle.dumps(Named(), protocol), HERE)
    assert (named.kind.name, named.args, named.kwargs) == ("Named", (1,), {"depth": 3})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_names_and_methods_stay_names(protocol: int) -> None:
    owner = Plain(a=1)
    made = [function, Plain, owner.method, str.lower, functools.partial(function, 1, key=2), operator.mul]
    named, kind, method, lower, partial, mul = read_pickle(pickle.dumps(made, protocol), HERE)
    assert named == Global(NAME, "function")
    assert str(kind) == f"{NAME}.Plain"
    assert (method.kind, method.args[0].kind, method.args[1]) == (
        Global("builtins", "getattr"),
        Global(NAME, "Plain"),
        "method",
    )
    assert lower.args == (Global("builtins", "str"), "lower")
    assert partial.state == (Global(NAME, "function"), (1,), {"key": 2}, None)
    assert mul.name == "mul"


def test_a_pattern_is_its_text_and_its_flags() -> None:
    found = read_pickle(pickle.dumps(re.compile("a+", re.IGNORECASE)))
    assert (str(found.kind), found.args) == ("re._compile", ("a+", re.IGNORECASE | re.UNICODE))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_kinds_of_dict_are_dicts(protocol: int) -> None:
    made = (
        collections.OrderedDict([("b", 1), ("a", 2)]),
        collections.defaultdict(list, a=[1]),
        collections.Counter("aab"),
    )
    found = read_pickle(pickle.dumps(made, protocol))
    assert [type(value) for value in found] == [dict, dict, dict]
    assert found == ({"b": 1, "a": 2}, {"a": [1]}, {"a": 2, "b": 1})
    assert list(found[0]) == ["b", "a"]


def test_an_ordered_dict_of_python_2_is_a_dict() -> None:
    data = b"\x80\x02ccollections\nOrderedDict\n]](U\x01bK\x01ea\x85R."
    assert read_pickle(data) == {"b": 1}


def test_old_instances_and_marked_objects_are_instances() -> None:
    for data in (b"(K\x07icollections\ndeque\n.", b"(ccollections\ndeque\nK\x07o."):
        found = read_pickle(data)
        assert (str(found.kind), found.args) == ("collections.deque", (7,))


def test_the_constructors_of_copyreg_give_the_class_that_they_name() -> None:
    deque = b"ccollections\ndeque\n"
    plain = read_pickle(b"ccopy_reg\n_reconstructor\n(" + deque + b"c__builtin__\nobject\nNtR.")
    derived = read_pickle(b"ccopy_reg\n_reconstructor\n(" + deque + b"c__builtin__\nlist\n](K\x01etR.")
    new = read_pickle(b"ccopyreg\n__newobj__\n(" + deque + b"K\x01tR.")
    named = read_pickle(b"ccopyreg\n__newobj_ex__\n(" + deque + b"K\x01\x85}X\x01\0\0\0aNstR.")
    assert {str(found.kind) for found in (plain, derived, new, named)} == {"collections.deque"}
    assert [found.args for found in (plain, derived, new, named)] == [(), ([1],), (1,), (1,)]
    assert named.kwargs == {"a": None}


def test_builtins_of_python_2_have_the_names_of_python_3() -> None:
    data = b"(c__builtin__\nunicode\nc__builtin__\nlong\nc__builtin__\nxrange\nc__builtin__\nset\nt."
    assert [str(name) for name in read_pickle(data)] == [
        "builtins.str",
        "builtins.int",
        "builtins.range",
        "builtins.set",
    ]


def test_shared_values_are_shared_and_circles_are_kept() -> None:
    shared: list[Any] = [1]
    circle: list[Any] = [shared, shared]
    circle.append(circle)
    found = read_pickle(pickle.dumps(circle))
    assert found[0] is found[1]
    assert found[2] is found

    owner = Plain()
    owner.__dict__["process"] = owner.method
    instance = read_pickle(pickle.dumps(owner), HERE)
    assert instance.state["process"].args == (instance, "method")


def test_a_billion_laughs_are_a_few_shared_tuples() -> None:
    found = read_pickle(b"\x80\x02N" + b"2\x86" * 100 + b".")
    for _ in range(100):
        assert found[0] is found[1]
        found = found[0]
    assert found is None


def test_instances_are_keys_by_identity() -> None:
    data = b"\x80\x02}ccollections\ndeque\n)R\x85q\x00cbuiltins\nobject\n)R\x86Ns."
    assert len(read_pickle(data)) == 1


class TestNames:
    """The closed list."""

    @pytest.mark.parametrize(
        ("module", "name"),
        [
            ("revscoring.scorer_models.rf", "RF"),
            ("revscoring.scorers.svc", "RBFSVCModel"),
            ("revscoring.datasources.types", "RevisionMetadata"),
            ("revscoring.languages.space_delimited.util", "token_is_word"),
            ("revscoring.datasources.meta.vectorizers", "word2vec.vectorize_words"),
            ("wikiclass.feature_lists.enwiki", "infobox"),
            ("drafttopic.feature_lists.enwiki", "vectorize_words"),
            ("sklearn.ensemble._gb", "GradientBoostingClassifier"),
            ("sklearn.ensemble.gradient_boosting", "LogOddsEstimator"),
            ("sklearn._loss._loss", "__pyx_unpickle_CyHalfBinomialLoss"),
            ("sklearn.calibration", "_CalibratedClassifier"),
            ("sklearn.multiclass", "OneVsRestClassifier"),
            ("sklearn.linear_model.logistic", "LogisticRegression"),
            ("scipy.sparse.csr", "csr_matrix"),
            ("nltk.stem.snowball", "DutchStemmer"),
            ("mwtypes.timestamp", "Timestamp"),
            ("numpy._core.multiarray", "scalar"),
        ],
    )
    def test_names_of_models_of_every_era_pass(self, module: str, name: str) -> None:
        found = read_pickle(b"\x80\x04" + stacked(module, name))
        assert found.name == name

    @pytest.mark.parametrize(
        ("module", "name"),
        [
            ("os", "system"),
            ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"),
            ("revscoring.utilities.tune", "main"),
            ("revscoring", "Feature"),
            ("sklearn", "clone"),
            ("sklearn.tree._tree", "os.system"),
            ("sklearn.tree._tree", "__reduce__"),
            ("Revscoring.features", "Feature"),
        ],
    )
    def test_others_are_refused_by_what_they_are(self, module: str, name: str) -> None:
        with pytest.raises(ModelRefused, match=re.escape(f"{module}.{name}")) as refused:
            read_pickle(b"\x80\x04" + stacked(module, name))
        assert refused.value.code == "model_refused"

    def test_another_list_may_be_given(self) -> None:
        data = b"cmy_models\nModel\n."
        with pytest.raises(ModelRefused):
            read_pickle(data)
        allowed = Allowed(names={"my_models": frozenset({"Model"})})
        assert read_pickle(data, allowed) == Global("my_models", "Model")

    def test_the_message_tells_where_it_was_asked(self) -> None:
        with pytest.raises(ModelRefused, match=r"'posix\.system' at byte 2") as refused:
            read_pickle(b"\x80\x03cposix\nsystem\n.")
        assert refused.value.fields == {"position": 2}


def stacked(module: str, name: str) -> bytes:
    """STACK_GLOBAL and STOP."""
    return b"".join(b"\x8c" + bytes((len(text),)) + text.encode() for text in (module, name)) + b"\x93."


class TestLimits:
    """What a pickle may take."""

    def test_a_file_larger_than_the_limit_is_not_begun(self) -> None:
        with pytest.raises(ModelCorrupt, match="11 bytes, and we read up to 10"):
            read_pickle(b"N" * 10 + b".", limits=Limits(data_bytes=10))

    @pytest.mark.parametrize(
        "nested",
        [
            lambda depth: b"]" * depth + b"a" * (depth - 1),
            lambda depth: b")" + b"\x85" * (depth - 1),
            lambda depth: b"}K\x01" * (depth - 1) + b"}" + b"s" * (depth - 1),
            lambda depth: b"cbuiltins\nobject\n)R" * (depth - 1) + b"}" + b"b" * (depth - 1),
        ],
    )
    def test_the_depth_is_bounded_to_the_level(self, nested: Callable[[int], bytes]) -> None:
        read_pickle(nested(20) + b".", limits=Limits(depth=20))
        with pytest.raises(ModelCorrupt, match="nested deeper than 20"):
            read_pickle(nested(21) + b".", limits=Limits(depth=20))

    def test_the_depth_of_shared_parts_is_that_of_the_longest_way(self) -> None:
        # A list that holds a short way to a part first, and a long way to the same part after it.
        part = b"]]a"
        data = b"](" + part + b"q\x00" + b"]" * 5 + b"h\x00" + b"a" * 5 + b"e."
        read_pickle(data, limits=Limits(depth=8))
        with pytest.raises(ModelCorrupt, match="nested deeper"):
            read_pickle(data, limits=Limits(depth=7))

    def test_an_integer_is_as_long_as_allowed(self) -> None:
        value = (1 << 8191) - 1
        for protocol in PROTOCOLS:
            assert read_pickle(pickle.dumps(value, protocol)) == value
            with pytest.raises(ModelCorrupt):
                read_pickle(pickle.dumps(value << 32, protocol))

    def test_memory_is_earned_with_what_is_read(self) -> None:
        empty = b"\x8f" * 1000
        assert len(read_pickle(b"\x80\x04(" + empty + b"l.")) == 1000
        with pytest.raises(ModelCorrupt, match="far more memory"):
            read_pickle(b"\x80\x04(" + empty + b"l.", limits=Limits(memory_bytes=100_000))
        apart = b"\x8fC\x20" + b"x" * 32
        limits = Limits(memory_bytes=100_000)
        assert len(read_pickle(b"\x80\x04(" + apart * 1000 + b"l.", limits=limits)) == 2000

    def test_a_long_list_of_numbers_is_no_bomb(self) -> None:
        numbers = [float(number) for number in range(300_000)]
        assert read_pickle(pickle.dumps(numbers)) == numbers
        assert read_pickle(pickle.dumps([None] * 300_000)) == [None] * 300_000

    def test_the_number_of_tuples_as_keys_is_bounded(self) -> None:
        data = pickle.dumps({(number, "a"): number for number in range(11)})
        assert len(read_pickle(data, limits=Limits(compound_keys=11))) == 11
        with pytest.raises(ModelCorrupt, match="more tuples"):
            read_pickle(data, limits=Limits(compound_keys=10))


def test_a_frame_may_hold_a_part_of_the_file() -> None:
    frame = b"\x95" + struct.pack("<Q", 2)
    assert read_pickle(b"\x80\x04" + frame + b"K\x05" + frame + b"K\x06\x86.") == (5, 6)
    assert read_pickle(b"\x80\x04" + frame + b"K\x05" + b"K\x06\x86.") == (5, 6)


def test_large_values_lie_outside_of_frames() -> None:
    made = ["x" * 100_000, b"y" * 100_000, list(range(1000))]
    assert read_pickle(pickle.dumps(made, 5)) == made


def test_numpy_numbers_are_keys() -> None:
    made = {np.int64(5): 1, np.bool_(True): 2, np.float64(2.5): 3, np.str_("a"): 4}
    assert read_pickle(pickle.dumps(made)) == made
