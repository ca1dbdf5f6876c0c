"""Parts of pickles, to be put together by hand."""

import struct


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def stack_name(module: str, attribute: str) -> bytes:
    """STACK_GLOBAL."""
    return text(module) + text(attribute) + b"\x93"


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return function + b"(" + b"".join(arguments) + b"tR"


def integer(value: int) -> bytes:
    """LONG1."""
    raw = value.to_bytes(8, "little", signed=True)
    return b"\x8a\x08" + raw


def raw_bytes(value: bytes) -> bytes:
    """BINBYTES."""
    return b"B" + struct.pack("<I", len(value)) + value


def dtype(spec: str, order: str = "<", size: int = -1) -> bytes:
    """The type of numpy, as numpy pickles it."""
    state = b"(K\x03" + text(order) + b"NNN" + integer(size) + integer(-1) + b"K\x00t"
    return call(name("numpy", "dtype"), text(spec), b"K\x00", b"K\x01") + state + b"b"


def array(shape: tuple[int, ...], kind: bytes, raw: bytes) -> bytes:
    """An array, as numpy pickles it."""
    empty = call(
        name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), b"K\x00\x85", b"C\x01b"
    )
    lengths = b"(" + b"".join(map(integer, shape)) + b"t"
    return empty + b"(K\x01" + lengths + kind + b"\x89" + raw + b"tb"
