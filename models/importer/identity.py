"""What an imported model is called."""

from pathlib import Path

from msgspec import Struct

from models.artefact import is_name
from models.importer.envelope import Envelope
from models.importer.file_name import current_model_name, parse_file_name
from models.importer.source import SourceFile
from schemas.errors import ModelIncompatible

_LONGEST_NAME = 100


class Naming(Struct, frozen=True):
    """What a caller wants called otherwise than the file says; None for what the file says.

    Attributes:
        name: Of the artefact.
        model_name: As clients ask for it.
        version: Text.
    """

    name: str | None = None
    model_name: str | None = None
    version: str | None = None


class Identity(Struct, frozen=True):
    """Names of a model.

    Attributes:
        name: Of the artefact, ``enwiki-damaging``.
        model_name: As clients ask for it, in today's spelling.
        version: Text.
        wiki_id: By the name of the file; None where it does not say.
        stated_model_name: By the name of the file, in its own spelling; None where it does not say.
    """

    name: str
    model_name: str
    version: str
    wiki_id: str | None
    stated_model_name: str | None


def identify(path: Path, source: SourceFile, envelope: Envelope, naming: Naming) -> Identity:
    """Name a model by what the caller wants, else its file's name, else what it says itself.

    Raises:
        ModelIncompatible: Nothing says which wiki and which model it is, or a name cannot be a folder's.
    """
    stated = parse_file_name(path)
    name = naming.name
    model_name = current_model_name(naming.model_name) if naming.model_name else stated.model_name
    if name is None and stated.wiki_id and model_name:
        name = f"{stated.wiki_id}-{model_name}"
    if name is not None and model_name is None:
        model_name = current_model_name(name.partition("-")[2] or name)
    if name is None or model_name is None:
        raise ModelIncompatible(
            f"the name of {path.name} does not say of which wiki and which model it is, as "
            "`enwiki.damaging.gradient_boosting.model` does; give --name, as `enwiki-damaging`"
        )
    version = naming.version or envelope.version or f"0.0.0+{source.sha512[:8]}"
    for text in (name, model_name, version):
        if len(text) > _LONGEST_NAME or not is_name(text):
            raise ModelIncompatible(
                f"{text[:80]!r} cannot name a model or a version, which hold up to {_LONGEST_NAME} letters, "
                "digits and _.+-; give another with --name, --model-name or --model-version"
            )
    return Identity(name, model_name, version, stated.wiki_id, stated.stated_model_name)
