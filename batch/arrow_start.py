"""pyarrow's first array, made without pandas."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

import pyarrow as pa


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None, /) -> ModuleSpec | None:
        """Refuse pandas, and leave all else to others."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not needed to write a snapshot", name=fullname)
        return None


def start_without_pandas() -> None:
    """Let pyarrow settle that there is no pandas, where none was imported yet. Idempotent.

    With its first array it imports pandas, if that is installed, only to ask whether what it is given comes
    from there: 0.4 s and 40 MB in each process that writes rows. Who asks it for a data frame later on gets
    one all the same.
    """
    if "pandas" in sys.modules:
        return
    finder: Any = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array(())
    finally:
        sys.meta_path.remove(finder)
