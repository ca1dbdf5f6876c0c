"""Import of published model files: pickles of revscoring, read without running anything, become artefacts."""

from models.importer.file_name import ALIASES, current_model_name, parse_file_name
from models.importer.importing import DEFAULT_LICENCE, DEFAULT_OWNER, import_model

__all__ = [
    "ALIASES",
    "DEFAULT_LICENCE",
    "DEFAULT_OWNER",
    "current_model_name",
    "import_model",
    "parse_file_name",
]
