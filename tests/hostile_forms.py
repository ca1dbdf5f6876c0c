"""Pickles that lie about sizes, take memory and time, or are none."""

import pickle
import pickletools
import struct
from collections.abc import Iterator

import numpy as np

from schemas.errors import ModelError
from tests.hostile_case import FORM, NAME, hostile
from tests.pickle_parts import array, call, dtype, integer, name, raw_bytes, text

# Sizes that are announced.


@hostile(FORM, "are announced")
def _a_gigabyte_announced() -> Iterator[bytes]:
    for opcode in (b"X", b"B", b"T"):
        yield opcode + struct.pack("<I", 1 << 30) + b"x."
        yield opcode + b"\xff\xff\xff\xff" + b"x."
    for opcode in (b"\x8d", b"\x8e", b"\x96"):
        for size in (1 << 30, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
            yield b"\x80\x05" + opcode + struct.pack("<Q", size) + b"x."
    for opcode in (b"\x8c", b"C", b"U"):
        yield b"\x80\x04" + opcode + b"\xffx."


@hostile(FORM, "an integer of")
def _integers_announced() -> Iterator[bytes]:
    for size in (1 << 30, (1 << 31) - 1, 1025, -1, -(1 << 31)):
        yield b"\x80\x02\x8b" + struct.pack("<i", size) + b"x" * 2000 + b"."


@hostile(FORM, "no whole number")
def _integers_of_a_million_digits() -> Iterator[bytes]:
    yield b"L" + b"9" * 1_000_000 + b"L\n."
    yield b"I" + b"9" * 1_000_000 + b"\n."
    yield b"K\x01p" + b"9" * 1_000_000 + b"\n."
    yield b"L1_000L\n."
    yield "L\u0663L\n.".encode()
    yield b"I0x10\n."
    yield b"g-1\n."[:2] + b"x\n."


@hostile(FORM, "no number")
def _numbers_that_are_none() -> Iterator[bytes]:
    yield b"F" + b"9" * 1_000_000 + b"\n."
    yield b"F1_0\n."
    yield b"Fone\n."


@hostile(FORM, "frame")
def _frames_that_lie() -> Iterator[bytes]:
    for size in (100, 1 << 40, (1 << 64) - 1):
        yield b"\x80\x04\x95" + struct.pack("<Q", size) + b"N."
    yield b"\x80\x04\x95" + struct.pack("<Q", 11) + b"\x95" + struct.pack("<Q", 2) + b"N."
    # An opcode that lies across the end of its frame.
    yield b"\x80\x04\x95" + struct.pack("<Q", 2) + text("abc") + b"."


# Bombs.


@hostile(FORM, "holds nothing at")
def _memo_entries_that_are_not_there() -> Iterator[bytes]:
    yield b"\x80\x02h\x00."
    yield b"\x80\x02j\xff\xff\xff\x7f."
    yield b"g99999999999\n."
    yield b"N" + b"r\xff\xff\xff\x7f" + b"j\xfe\xff\xff\x7f."


@hostile(FORM, "STOP finds 2 values")
def _memo_bomb_of_a_huge_index() -> Iterator[bytes]:
    yield b"\x80\x02Nr\xff\xff\xff\x7fr\xff\xff\xff\xffN."
    yield b"Np99999999999999999\nN."


@hostile(FORM, "far more memory")
def _memo_bomb_of_many_entries() -> bytes:
    return b"\x80\x04N" + b"\x94" * 1_500_000 + b"."


@hostile(FORM, "far more memory")
def _empty_sets() -> bytes:
    return b"\x80\x04(" + b"\x8f" * 1_500_000 + b"l."


@hostile(FORM, "far more memory")
def _instances() -> bytes:
    counter = name("builtins", "object") + b"q\x00"
    return b"\x80\x02" + counter + b"(" + b"h\x00)\x81" * 400_000 + b"l."


@hostile(FORM, "far more memory")
def _texts_encoded_again_and_again() -> bytes:
    one = text("x" * 500_000) + b"q\x00" + text("latin1") + b"q\x01"
    encode = name("_codecs", "encode") + b"q\x02"
    return b"\x80\x02(" + one + encode + b"h\x02h\x00h\x01\x86R" * 50_000 + b"l."


@hostile(FORM, "far more memory")
def _lists_copied_again_and_again() -> Iterator[bytes]:
    for kind in ("set", "frozenset", "list", "tuple", "dict"):
        items = b"](" + b"".join(b"M" + struct.pack("<H", n) for n in range(20_000)) + b"e"
        if kind == "dict":
            items = b"](" + b"".join(b"M" + struct.pack("<H", n) + b"N\x86" for n in range(20_000)) + b"e"
        copied = items + b"\x85q\x00" + name("builtins", kind) + b"q\x01"
        yield b"\x80\x02(" + copied + b"h\x01h\x00R" * 50_000 + b"l."


@hostile(FORM, "far more memory")
def _arrays_copied_again_and_again() -> Iterator[bytes]:
    shared = raw_bytes(b"\x01" * 400_000) + b"q\x00" + b"0"
    rebuild = name("numpy.core.multiarray", "_reconstruct") + b"q\x02" + name("numpy", "ndarray")
    for kind in (dtype("f8", ">"), dtype("b1", "|"), dtype("O", "|")):
        size = 50_000 if kind == dtype("f8", ">") else 400_000
        state = b"(K\x01" + integer(size) + b"\x85q\x05" + kind + b"\x89h\x00tq\x04"
        if kind == dtype("O", "|"):
            state = state.replace(b"h\x00tq\x04", b"](" + b"N" * size + b"etq\x04")
        begun = rebuild + b"K\x00\x85" + b"C\x01b" + b"\x87q\x01"
        yield b"\x80\x03(" + shared + begun + state + b"h\x02h\x01Rh\x04b" * 20_000 + b"l."


@hostile(FORM, "far more memory")
def _arrays_of_nothing_with_huge_items() -> bytes:
    rebuild = name("numpy.core.multiarray", "_reconstruct") + b"q\x02" + name("numpy", "ndarray")
    begun = rebuild + b"K\x00\x85" + b"C\x01b" + b"\x87q\x01"
    state = b"(K\x01" + b"K\x00\x85" + dtype("S65536", "|", 65536) + b"\x89C\x00tq\x04"
    return b"\x80\x03(" + begun + state + b"h\x02h\x01Rh\x04b" * 50_000 + b"l."


@hostile(FORM, "deeper than")
def _nested_lists() -> Iterator[bytes]:
    yield b"\x80\x02" + b"]" * 401 + b"a" * 400 + b"."
    yield b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."


@hostile(FORM, "far more memory")
def _a_million_nested_lists() -> bytes:
    return b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b"."


@hostile(FORM, "deeper than")
def _nested_tuples() -> bytes:
    return b"\x80\x02)" + b"\x85" * 100_000 + b"."


@hostile(FORM, "far more memory")
def _a_million_nested_tuples() -> bytes:
    return b"\x80\x02)" + b"\x85" * 1_500_000 + b"."


@hostile(FORM, "deeper than")
def _nested_marks() -> bytes:
    return b"(" * 1_000_000


@hostile(FORM, "deeper than")
def _nested_dicts_instances_and_states() -> Iterator[bytes]:
    yield b"\x80\x02" + b"}K\x01" * 1000 + b"N" + b"s" * 1000 + b"."
    kind = name("builtins", "object") + b"q\x000"
    yield b"\x80\x02" + kind + b"h\x00)\x81" * 1000 + b"b" * 999 + b"."
    yield b"\x80\x02" + kind + b"N" + b"\x85q\x010h\x00h\x01R" * 30_000 + b"."
    getter = name("builtins", "getattr") + b"q\x000" + text("process") + b"q\x010" + name("builtins", "str")
    yield b"\x80\x02" + getter + b"q\x02" + b"0h\x00h\x02h\x01\x86Rq\x02" * 30_000 + b"."


@hostile(FORM, "deeper than")
def _a_ring_of_lists() -> bytes:
    return b"\x80\x02]q\x00" + b"]" * 5000 + b"h\x00" + b"a" * 5001 + b"."


@hostile(FORM, "tuple of more than")
def _billion_laughs_as_a_key() -> bytes:
    return b"\x80\x02}K\x01" + b"2\x86" * 100 + b"Ns."


@hostile(FORM, "nested deeper than")
def _deep_tuple_as_a_key() -> bytes:
    return b"\x80\x02}K\x01" + b"\x85" * 100_000 + b"Ns."


@hostile(FORM, "more tuples serve as keys")
def _colliding_tuples_as_keys() -> bytes:
    pairs = b"".join(b"M" + struct.pack("<H", n % 65536) + b"K\x01\x86N" for n in range(50_000))
    return b"\x80\x02}(" + pairs + b"u."


@hostile(FORM, "no key")
def _colliding_integers_as_keys() -> bytes:
    prime = (1 << 61) - 1
    keys = b"".join(b"\x8a\x0a" + (prime * n).to_bytes(10, "little") + b"N" for n in range(1, 50_000))
    return b"\x80\x02}(" + keys + b"u."


@hostile(FORM, "no key")
def _keys_that_cannot_be_hashed() -> Iterator[bytes]:
    for key in (b"]", b"}", b"\x8f", b"]\x85", b"\x96" + b"\0" * 8, array((1,), dtype("u1"), b"C\x01a")):
        yield b"\x80\x05}" + key + b"Ns."
        yield b"\x80\x05}(" + key + b"Nu."
        yield b"\x80\x05(" + key + b"Nd."
        yield b"\x80\x05\x8f(" + key + b"\x90."
        yield b"\x80\x05(" + key + b"\x91."
        yield b"\x80\x05" + name("builtins", "set") + b"](" + key + b"e\x85R."


# Forms that are none.


def _sample() -> list[bytes]:
    model = {
        "name": ["damaging", 0.5, 1 << 70, None, True, b"\xff\x00", {1, 2}, (1, 2, 3, 4)],
        "trees": np.arange(12.0).reshape(3, 4),
        "record": np.zeros(2, [("left", "<i8"), ("value", "<f8")]),
        "label": np.float64(0.25),
    }
    return [pickle.dumps(model, protocol) for protocol in range(6)]


@hostile(ModelError, "the model file")
def _cut_short_at_every_byte() -> Iterator[bytes]:
    for whole in _sample():
        yield from (whole[:size] for size in range(len(whole)))


@hostile(FORM, "goes on after its STOP")
def _more_after_the_end() -> Iterator[bytes]:
    for whole in _sample():
        yield whole + b"\n"
        yield whole + call(name("os", "system"), text("true")) + b"."


@hostile(FORM, "cannot be read")
def _stacks_that_are_empty() -> Iterator[bytes]:
    yield b"."
    yield b"\x80\x04."
    yield b"(."
    yield b"(N."
    yield b"NN."
    for opcode in (b"a", b"e", b"s", b"u", b"t", b"l", b"d", b"0", b"1", b"2", b"R", b"b", b"o", b"q\x00"):
        yield opcode + b"."
    for opcode in (b"\x81", b"\x85", b"\x86", b"\x87", b"\x90", b"\x91", b"\x92", b"\x93", b"\x94"):
        yield b"\x80\x04" + opcode + b"."
    yield b"(icollections\nOrderedDict\n"
    yield b"icollections\nOrderedDict\n."
    yield b"N(a."
    yield b"](s."
    yield b"(NN\x86R."


@hostile(FORM, "no opcode")
def _bytes_that_are_no_opcode() -> Iterator[bytes]:
    known = {ord(opcode.code) for opcode in pickletools.opcodes}
    yield from (bytes((code,)) + b"." for code in range(256) if code not in known)


@hostile(FORM, "protocol")
def _protocols_to_come() -> Iterator[bytes]:
    yield b"\x80\x06N."
    yield b"\x80\xffN."
    yield b"N\x80\x02."
    yield b"\x80\x02\x80\x02N."


@hostile(FORM, "no list")
def _appending_to_what_is_no_list() -> Iterator[bytes]:
    for target in (b")", b"}", b"N", text("x"), name("builtins", "list")):
        yield b"\x80\x02" + target + b"Na."
        yield b"\x80\x02" + target + b"(Ne."


@hostile(FORM, "no dict")
def _setting_keys_in_what_is_no_dict() -> Iterator[bytes]:
    for target in (b")", b"]", b"N", name("builtins", "dict")):
        yield b"\x80\x02" + target + text("__class__") + b"Ns."
        yield b"\x80\x02" + target + b"(" + text("__class__") + b"Nu."


@hostile(FORM, "a key has no value")
def _keys_without_values() -> Iterator[bytes]:
    yield b"\x80\x02}(Nu."
    yield b"(NNNd."


@hostile(FORM, "no text")
def _texts_that_are_none() -> Iterator[bytes]:
    yield b"X\x02\x00\x00\x00\xff\xfe."
    yield b"\x80\x04\x8c\x01\xc3."
    yield b"V\\u12\n."
    yield b"V\\U00110000\n."


@hostile(FORM, "string")
def _strings_with_odd_escapes() -> Iterator[bytes]:
    for literal in (b"'\\N{BULLET}'", b"'\\xg0'", b"'\\q'", b"'\\'", b"'abc", b"abc", b"'", b"", b"'abc\""):
        yield b"S" + literal + b"\n."
    yield b"S'\\x4'\n."


@hostile(NAME, "made of")
def _plain_calls_of_what_is_not_plain() -> Iterator[bytes]:
    for kind, argument in (
        ("bytes", integer(1 << 40)),
        ("bytearray", integer(1 << 40)),
        ("list", text("x" * 1000)),
        ("tuple", call(name("builtins", "range"), integer(1 << 60))),
        ("set", call(name("itertools", "repeat"), b"N")),
        ("dict", b"N"),
    ):
        yield b"\x80\x02" + call(name("builtins", kind), argument) + b"."


@hostile(FORM, "is called with")
def _calls_with_odd_arguments() -> Iterator[bytes]:
    for kind in ("set", "bytearray", "dict", "complex", "getattr"):
        yield b"\x80\x02" + call(name("builtins", kind), b"N", b"N", b"N") + b"."
    yield b"\x80\x02" + name("builtins", "set") + b"]R."
    yield b"\x80\x02" + name("builtins", "set") + b"N\x81."
    yield b"\x80\x04" + name("builtins", "set") + b")}" + text("a") + b"Ns\x92."
    yield b"\x80\x02" + call(name("numpy", "dtype")) + b"."
