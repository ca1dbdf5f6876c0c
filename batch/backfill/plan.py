"""What a backfill does, settled before it begins, so that a later run goes on with just the same."""

import os
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from batch.backfill.filters import Filters
from batch.dump_inputs import DumpRange
from schemas.catalogue import ModelInfo
from schemas.errors import BackfillRefused
from schemas.prediction import ModelId

PLAN_FORMAT = 2
_FILE = "plan.json"
# What may differ between a run and the one that goes on with it.
_OWN = frozenset({"created_dt", "estimate"})


class PlannedInput(Struct, frozen=True, kw_only=True):
    """One file of a dump.

    Attributes:
        url: Path or address.
        name: Its last part, as messages and the manifest call it.
        wiki_id: Database name.
        size_bytes: As it lies there.
        sha256: Of its bytes; None for one at an address.
        state: What tells a file from a later one of that name without reading it: time of change, or ETag.
    """

    url: str
    name: str
    wiki_id: str
    size_bytes: int
    sha256: str | None
    state: str


class PlannedPart(Struct, frozen=True, kw_only=True):
    """A piece of an input that can be read by itself.

    Attributes:
        number: From 0, in the order of the inputs.
        source: Place of the input.
        range: Its bytes.
    """

    number: int
    source: int
    range: DumpRange


class PlannedModel(Struct, frozen=True, kw_only=True):
    """One model of one wiki.

    Attributes:
        wiki_id: Database name.
        artefact: Name with version, as the store takes it.
        id: As rows carry it.
        reads_content: False where the revision id alone is scored.
        reads_text_alone: True where neither parent nor editor matters.
        content_models: Those it reads; empty where nobody says.
    """

    wiki_id: str
    artefact: str
    id: ModelId
    reads_content: bool
    reads_text_alone: bool
    content_models: tuple[str, ...]

    @classmethod
    def of(cls, wiki_id: str, info: ModelInfo) -> "PlannedModel":
        """Return what a backfill needs to know of a model."""
        return cls(
            wiki_id=wiki_id,
            artefact=info.artefact,
            id=info.id,
            reads_content=info.reads_content,
            reads_text_alone=info.reads_text_alone,
            content_models=info.content_models,
        )


class Estimate(Struct, frozen=True, kw_only=True):
    """What a plan costs, from a sample of the inputs.

    Attributes:
        revisions: That are scored.
        text_bytes: That are read.
        cpu_seconds: On this machine, with these models; None where nothing was tried.
        output_bytes: Of the snapshot, roughly.
    """

    revisions: int
    text_bytes: int
    cpu_seconds: float | None
    output_bytes: int


class Plan(Struct, frozen=True, kw_only=True):
    """What a backfill does.

    Attributes:
        snapshot: Name of what it writes.
        inputs: Files.
        parts: Of all files, in order; the unit of work of a machine.
        models: By wiki and name.
        filters: Which revisions are scored.
        users: What tells groups and registrations: URL of each source with its state; empty for none.
        with_features: Whether rows have the features as well.
        max_text_bytes: A larger text is a failure.
        chunk_bytes: Text after which a chunk is cut at the next border of pages.
        code_version: Of revstream.
        created_dt: When it was made. Rows say that they were scored then, so that a run that was interrupted
            writes the same bytes as one that was not.
        estimate: What it costs; not part of what is done.
        format: Of this document.
    """

    snapshot: str
    inputs: tuple[PlannedInput, ...]
    parts: tuple[PlannedPart, ...]
    models: tuple[PlannedModel, ...]
    filters: Filters
    users: tuple[tuple[str, str], ...]
    with_features: bool
    max_text_bytes: int
    chunk_bytes: int
    code_version: str
    created_dt: datetime
    estimate: Estimate | None = None
    format: int = PLAN_FORMAT

    def input_of(self, part: PlannedPart) -> PlannedInput:
        """Return the input that a part is of."""
        return self.inputs[part.source]

    def models_of(self, wiki_id: str) -> tuple[PlannedModel, ...]:
        """Return the models of a wiki."""
        return tuple(model for model in self.models if model.wiki_id == wiki_id)


def differences(one: Plan, other: Plan) -> list[str]:
    """Return the names of what two plans do differently, ``models`` … ; empty where they do the same."""
    names = (name for name in Plan.__struct_fields__ if name not in _OWN)
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def write_plan(folder: Path, plan: Plan) -> None:
    """Put a plan into the working folder of its run, at once or not at all."""
    beside = folder / f"{_FILE}.partial"
    with beside.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(plan)))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / _FILE)


def read_plan(folder: Path) -> Plan | None:
    """Return the plan in a working folder; None where there is none.

    Raises:
        BackfillRefused: It is of another version of revstream.
    """
    try:
        written = (folder / _FILE).read_bytes()
    except FileNotFoundError:
        return None
    return decode_plan(written, str(folder / _FILE))


def decode_plan(written: bytes, name: str) -> Plan:
    """Return a plan from its JSON.

    Args:
        written: The document.
        name: Of it, for messages.

    Raises:
        BackfillRefused: It is none, or of another version of revstream.
    """
    try:
        plan = msgspec.json.decode(written, type=Plan)
    except msgspec.DecodeError as error:
        raise BackfillRefused(
            f"{name} is no plan of this version of revstream ({error}); plan anew under another name, or go "
            "on with the version that wrote it",
            path=name,
        ) from error
    if plan.format != PLAN_FORMAT:
        raise BackfillRefused(
            f"{name} is a plan of format {plan.format}, and this version of revstream reads "
            f"{PLAN_FORMAT}; go on with the version that wrote it, or plan anew under another name",
            path=name,
        )
    return plan


def require_same(begun: Plan, asked: Plan) -> None:
    """Refuse to go on with a run that does something else.

    Raises:
        BackfillRefused: The plans differ; the message says where.
    """
    if different := differences(begun, asked):
        raise BackfillRefused(
            f"a backfill {asked.snapshot!r} was begun that differs in {', '.join(different)}; give what it "
            "was begun with to go on, or write under another name, or delete its working folder",
            snapshot=asked.snapshot,
            different=", ".join(different),
        )
