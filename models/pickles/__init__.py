"""Read pickled models as plain data: nothing in them is imported, looked up or called.

``read_pickle`` is the whole interface. Python's own values come back as themselves, numpy's arrays, scalars
and types rebuilt from checked bytes, anything else as ``Instance``: a class's name, and what it was given.
"""

from typing import Any

from models.pickles.allowed import Allowed
from models.pickles.faults import Malformed, Unwanted
from models.pickles.limits import Limits
from models.pickles.machine import Machine
from models.pickles.names import REVSCORING
from models.pickles.values import Global, Instance
from schemas.errors import ModelCorrupt, ModelRefused

__all__ = ["REVSCORING", "Allowed", "Global", "Instance", "Limits", "read_pickle"]

_LIMITS = Limits()


def read_pickle(data: bytes, allowed: Allowed = REVSCORING, limits: Limits = _LIMITS) -> Any:
    """Read a pickle of any protocol, running none of it.

    Values may be shared and may hold themselves in a circle. A ``str`` of Python 2 is text where it is ASCII,
    else bytes. OrderedDict, defaultdict and Counter become dict; bound methods and static functions an
    Instance of ``builtins.getattr``; ``copyreg``'s constructors an Instance of the class they name. Arrays
    that the file has in C order and in this machine's byte order are read-only.

    Args:
        data: The whole file, decompressed.
        allowed: The closed list of names.
        limits: What it may take.

    Returns:
        The value, nested at most ``limits.depth`` deep.

    Raises:
        ModelRefused: It asks for a name outside the list, or for anything but data; the message says what.
        ModelCorrupt: It is no pickle, is cut short, goes on after its end, or is beyond the limits.
    """
    if len(data) > limits.data_bytes:
        raise ModelCorrupt(
            f"the model file holds {len(data)} bytes, and we read up to {limits.data_bytes}; "
            "raise the limit if it comes from a source that you trust"
        )
    machine = Machine(data, allowed, limits)
    fault: ModelRefused | ModelCorrupt
    try:
        return machine.run()
    except Unwanted as error:
        fault = ModelRefused(
            f"the model file asks for {error} at byte {machine.position}, which no model that we know holds: "
            "it is of another kind, or was made to do harm; do not load it by other means",
            position=machine.position,
        )
    except Malformed as error:
        fault = ModelCorrupt(
            f"the model file cannot be read at byte {machine.position}: {error}; it was copied in part, or "
            "is no pickle, or was made to do harm; fetch it again from its source",
            position=machine.position,
        )
    # Who keeps the error must not keep with it all that was read.
    del machine
    raise fault
