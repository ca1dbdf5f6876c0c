"""Pickles that call what runs code, and ways round a closed list of names."""

import pickle
from collections.abc import Iterator
from typing import Any

from tests.hostile_case import NAME, hostile
from tests.pickle_parts import call, name, raw_bytes, stack_name, text

COMMAND = "true"
"""What they run: nothing that harms."""


class Reduced:
    """Pickles as the call that it is given."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


# Calls of what runs programs.


@hostile(NAME, "os.system", runs=True)
def _os_system() -> bytes:
    return call(name("os", "system"), text(COMMAND)) + b"."


@hostile(NAME, "posix.system", runs=True)
def _posix_system_as_pickle_writes_it() -> Iterator[bytes]:
    import os

    for protocol in range(6):
        yield pickle.dumps(Reduced(os.system, (COMMAND,)), protocol)


@hostile(NAME, "nt.system")
def _nt_system() -> bytes:
    return call(name("nt", "system"), text(COMMAND)) + b"."


@hostile(NAME, "builtins.eval", runs=True)
def _eval() -> bytes:
    return call(name("builtins", "eval"), text("1 + 1")) + b"."


@hostile(NAME, "__builtin__.eval", runs=True)
def _eval_of_python_2() -> bytes:
    return b"\x80\x02" + call(name("__builtin__", "eval"), text("1 + 1")) + b"."


@hostile(NAME, "builtins.exec", runs=True)
def _exec() -> bytes:
    return call(name("builtins", "exec"), text("pass")) + b"."


@hostile(NAME, "builtins.compile", runs=True)
def _compile() -> bytes:
    return call(name("builtins", "compile"), text("pass"), text("x"), text("exec")) + b"."


@hostile(NAME, "builtins.open", runs=True)
def _open() -> bytes:
    return call(name("builtins", "open"), text("/dev/null")) + b"."


@hostile(NAME, "builtins.__import__", runs=True)
def _import() -> bytes:
    return call(name("builtins", "__import__"), text("this_is_no_module")) + b"."


@hostile(NAME, "builtins.breakpoint")
def _breakpoint() -> bytes:
    return call(name("builtins", "breakpoint")) + b"."


@hostile(NAME, "subprocess.Popen", runs=True)
def _subprocess() -> bytes:
    return call(name("subprocess", "Popen"), text(COMMAND)) + b"."


@hostile(NAME, "importlib.import_module", runs=True)
def _import_module() -> bytes:
    return call(name("importlib", "import_module"), text("this_is_no_module")) + b"."


@hostile(NAME, "asks for")
def _other_ways_to_run_code() -> Iterator[bytes]:
    for module, attribute in (
        ("runpy", "run_path"),
        ("ctypes", "CDLL"),
        ("pty", "spawn"),
        ("code", "interact"),
        ("codeop", "compile_command"),
        ("timeit", "timeit"),
        ("cProfile", "run"),
        ("pdb", "run"),
        ("bdb", "Bdb"),
        ("profile", "run"),
        ("trace", "Trace"),
        ("platform", "popen"),
        ("commands", "getoutput"),
        ("multiprocessing.util", "spawnv_passfds"),
        ("asyncio.unix_events", "_UnixSubprocessTransport"),
        ("threading", "Thread"),
        ("types", "FunctionType"),
        ("types", "CodeType"),
        ("marshal", "loads"),
        ("sys", "modules"),
        ("sys", "setprofile"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.f2py.crackfortran", "myeval"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("sklearn.utils._testing", "check_call"),
        ("sklearn.datasets", "fetch_openml"),
        ("revscoring.utilities.tune", "main"),
        ("pip._internal", "main"),
        ("doctest", "debug_script"),
        ("idlelib.run", "Executive"),
        ("lib2to3.pgen2.grammar", "Grammar.loads"),
        ("logging.config", "dictConfig"),
        ("unittest.mock", "_importer"),
        ("setuptools", "setup"),
        ("apport", "hookutils"),
    ):
        yield call(name(module, attribute), text(COMMAND)) + b"."
        yield b"\x80\x04" + stack_name(module, attribute) + text(COMMAND) + b"\x85R."


@hostile(NAME, "asks for")
def _files_and_sockets() -> Iterator[bytes]:
    for module, attribute in (
        ("shutil", "rmtree"),
        ("os", "remove"),
        ("posix", "open"),
        ("io", "open"),
        ("_io", "FileIO"),
        ("pathlib", "Path"),
        ("tempfile", "mktemp"),
        ("glob", "glob"),
        ("socket", "socket"),
        ("socket", "create_connection"),
        ("urllib.request", "urlopen"),
        ("urllib.request", "urlretrieve"),
        ("http.client", "HTTPSConnection"),
        ("requests.api", "get"),
        ("webbrowser", "open"),
        ("smtplib", "SMTP"),
        ("sqlite3", "connect"),
        ("linecache", "getlines"),
        ("nltk.data", "load"),
        ("gensim.utils", "unpickle"),
        ("revscoring.extractors.api.extractor", "Extractor"),
    ):
        yield call(name(module, attribute), text("/dev/null")) + b"."


@hostile(NAME, "os.system", runs=True)
def _old_instance_of_os_system() -> bytes:
    return b"(" + text(COMMAND) + b"ios\nsystem\n."


@hostile(NAME, "os.system", runs=True)
def _marked_object_of_os_system() -> bytes:
    return b"(" + name("os", "system") + text(COMMAND) + b"o."


@hostile(NAME, "os.popen")
def _new_object_of_os_popen() -> bytes:
    return b"\x80\x02" + name("os", "popen") + text(COMMAND) + b"\x85\x81."


@hostile(NAME, "os.system", runs=True)
def _call_in_the_midst_of_a_model() -> bytes:
    model = name("revscoring.scoring.models.gradient_boosting", "GradientBoosting") + b")\x81"
    return b"\x80\x03" + model + b"}" + text("params") + call(name("os", "system"), text(COMMAND)) + b"sb."


@hostile(NAME, "os.system", runs=True)
def _call_dropped_before_the_value() -> bytes:
    return call(name("os", "system"), text(COMMAND)) + b"0N."


# Ways round a list of names.


@hostile(NAME, "getattr")
def _getattr_chain_to_builtins() -> bytes:
    subclasses = call(name("builtins", "getattr"), name("builtins", "object"), text("__subclasses__"))
    return call(subclasses) + b"."


@hostile(NAME, "getattr")
def _getattr_of_globals() -> bytes:
    feature = name("revscoring.features.feature", "Feature")
    init = call(name("builtins", "getattr"), feature, text("process"))
    return call(name("builtins", "getattr"), init, text("__globals__")) + b"."


@hostile(NAME, "a call of something that has no name")
def _call_of_what_getattr_gives() -> bytes:
    method = call(name("builtins", "getattr"), name("builtins", "str"), text("format"))
    return call(method, text("{0.__class__}")) + b"."


@hostile(NAME, "a call of something that has no name")
def _call_of_a_partial_function() -> bytes:
    partial = call(name("functools", "partial"), name("builtins", "map"))
    return call(partial, text(COMMAND)) + b"."


@hostile(NAME, "getattr")
def _getattr_of_a_plain_value() -> bytes:
    return call(name("builtins", "getattr"), text("x"), text("join")) + b"."


@hostile(NAME, "getattr")
def _getattr_of_a_dotted_name() -> bytes:
    return call(name("builtins", "getattr"), name("builtins", "str"), text("join.im_func")) + b"."


@hostile(NAME, "os.path.join", runs=False)
def _dotted_name_of_protocol_4() -> bytes:
    return b"\x80\x04" + stack_name("os", "path.join") + b"."


@hostile(NAME, "asks for")
def _dotted_names_in_listed_modules() -> Iterator[bytes]:
    for module, attribute in (
        ("revscoring.features", "os.system"),
        ("revscoring.datasources.meta.vectorizers", "os.path"),
        ("revscoring.datasources.meta.vectorizers", "word2vec.vectorize_words.__globals__"),
        ("revscoring.features.feature", "Feature.__init__.__globals__"),
        ("builtins", "object.__subclasses__"),
        ("builtins", "dict.__class__.__base__"),
        ("numpy", "core.multiarray.os"),
        ("sklearn.tree", "tree.os"),
        ("re", "sys.modules"),
        ("collections", "abc.sys"),
    ):
        yield b"\x80\x04" + stack_name(module, attribute) + b")R."
        yield b"\x80\x04" + name(module, attribute) + b")R."


@hostile(NAME, "asks for")
def _what_listed_modules_have_imported() -> Iterator[bytes]:
    for module, attribute in (
        ("revscoring.features", "os"),
        ("revscoring.scoring.models.model", "pickle"),
        ("revscoring.scoring.models.model", "open"),
        ("revscoring.scoring.models.model", "__builtins__"),
        ("revscoring.features.feature", "__loader__"),
        ("revscoring.features.os", "system"),
        ("sklearn.base.__builtins__", "get"),
        ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("sklearn.ensemble.forest", "threading"),
        ("editquality.utilities.fetch", "main"),
        ("operator", "sys"),
        ("functools", "sys"),
        ("re", "compile"),
        ("numpy", "sys"),
    ):
        yield call(name(module, attribute), text(COMMAND)) + b"."


@hostile(NAME, "asks for")
def _names_spelled_oddly() -> Iterator[bytes]:
    for module, attribute in (
        ("os\r", "system"),
        (" os", "system"),
        ("os ", "system"),
        ("revscoring.features\x00", "Feature"),
        ("revscoring.features", "Feature\x00"),
        ("revscoring.features", ""),
        ("", "system"),
        ("", ""),
        ("revscoring.", "Feature"),
        ("revscoring..features", "Feature"),
        (".os", "system"),
        ("revscoring.features/../../os", "system"),
        ("revscoring.features", "s\u0443stem"),
        ("revscoringfeatures", "Feature"),
        ("revscoring", "features"),
        ("revscoring" + ".features" * 50, "Feature"),
        ("revscoring.features", "F" * 100_000),
        ("sklearn", "os"),
        ("OS", "system"),
        ("builtins ", "eval"),
        ("builtins", "eval "),
    ):
        yield b"\x80\x04" + stack_name(module, attribute) + b"."
        if "\n" not in module + attribute:
            yield name(module, attribute) + b"."


@hostile(NAME, "asks for")
def _names_broken_by_newlines() -> Iterator[bytes]:
    yield b"\x80\x04" + stack_name("revscoring.features\nos", "system") + b"."
    yield b"\x80\x04" + stack_name("os\n", "system") + b"."
    yield b"\x80\x04" + stack_name("revscoring.features", "Feature\n") + b"."
    yield b"crevscoring.features\n\nos\nsystem\n."
    yield b"c\nos\nsystem\n."


@hostile(NAME, "a name that is no text")
def _names_that_are_no_text() -> Iterator[bytes]:
    for part in (b"N", b"K\x01", b"]", b"}", b"C\x02os", name("builtins", "str")):
        yield b"\x80\x04" + part + text("system") + b"\x93."
        yield b"\x80\x04" + text("os") + part + b"\x93."


@hostile(NAME, "a name that is no ASCII")
def _name_that_is_no_ascii() -> bytes:
    return b"cos\xff\nsystem\n."


@hostile(NAME, "kept outside of the file")
def _extension_codes() -> Iterator[bytes]:
    yield b"\x80\x02\x82\x01."
    yield b"\x80\x02\x83\x01\x00."
    yield b"\x80\x02\x84\x01\x00\x00\x00."


@hostile(NAME, "PERSID")
def _persistent_ids() -> Iterator[bytes]:
    yield b"Pfile:///etc/passwd\n."
    yield text("storage") + b"Q."


@hostile(NAME, "NEXT_BUFFER")
def _buffers_from_outside() -> Iterator[bytes]:
    yield b"\x80\x05\x97."
    yield b"\x80\x05\x98."


@hostile(NAME, "an encoding")
def _codecs_that_unpack() -> Iterator[bytes]:
    encode = name("_codecs", "encode")
    for encoding in ("zlib", "bz2", "hex", "rot13", "unicode_escape", "idna", "utf-8", "no_such_codec"):
        yield call(encode, text("x" * 100), text(encoding)) + b"."
    yield call(encode, raw_bytes(b"x"), text("latin1")) + b"."
    yield call(encode, text("x"), b"N") + b"."


@hostile(NAME, "_codecs.decode")
def _codecs_decode() -> bytes:
    return call(name("_codecs", "decode"), raw_bytes(b"x\x9c"), text("zlib")) + b"."
