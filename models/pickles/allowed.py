"""The closed list: which names a pickle may mention.

A name on the list is a promise that the importer knows what it stands for. Nothing is ever looked up, so a
name gives its owner no power; the list is there to turn away files that are no models, at the name that shows
it, and so that what comes after the reader never meets ``os.system``.

A module is listed with its names, or as a package. Within a package any plain identifier passes, since the
feature modules of each wiki and each release define process functions that no list could name; yet no dotted
names, which could step from a module to what it imported, and no part that is the name of something by which
code runs or files open, whichever package claims to hold it.
"""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SPECIAL = re.compile(r"__\w+__")
_SPECIAL_ALLOWED = frozenset({"__contains__", "__getitem__", "__len__"})
_MODULE_PARTS = 12

_FORBIDDEN = """
    ast asyncio atexit bdb breakpoint builtins bz2 cffi cloudpickle codecs codeop CodeType compile copyreg
    ctypes delattr dill distutils eval exec execfile exit externals fcntl FunctionType getattr globals
    gzip imp import_module importlib io joblib linecache loads locals lzma marshal memoryview mmap
    multiprocessing nt ntpath open os pathlib pdb pickle pickletools pip pkg_resources pkgutil popen posix
    posixpath posixsubprocess pty quit requests runpy setattr setuptools shelve shutil signal smtplib
    socket socketserver sqlite3 subprocess sys sysconfig system tarfile telnetlib tempfile tests threading
    timeit torch urllib utilities vars webbrowser zipfile zipimport
"""
FORBIDDEN = frozenset(_FORBIDDEN.split())
"""Names by which code runs, or files are opened."""


class Allowed(Struct, frozen=True):
    """Names that a pickle may mention.

    Args:
        names: By module, spelled out; dots and all.
        packages: In which any plain identifier passes, in submodules too.
    """

    names: Mapping[str, frozenset[str]]
    packages: frozenset[str] = frozenset()

    def admits(self, module: str, name: str) -> bool:
        """Tell whether a name is on the list."""
        if name in self.names.get(module, ()):
            return True
        parts = module.split(".", _MODULE_PARTS)
        if not is_plain(name) or len(parts) > _MODULE_PARTS or not all(map(is_plain, parts)):
            return False
        return any(".".join(parts[:length]) in self.packages for length in range(1, len(parts) + 1))


def is_plain(name: str) -> bool:
    """Tell whether a name is an identifier that leads nowhere."""
    if not _IDENTIFIER.fullmatch(name) or name in FORBIDDEN:
        return False
    return name in _SPECIAL_ALLOWED or not _SPECIAL.fullmatch(name)


def packages(roots: Mapping[str, str]) -> Iterable[str]:
    """Yield dotted names of packages, from their roots and texts of the names beneath."""
    for root, names in roots.items():
        yield from (f"{root}.{name}" for name in names.split())
