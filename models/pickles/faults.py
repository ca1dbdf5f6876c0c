"""Why reading stops, as the parts of the reader tell it to one another.

``read_pickle`` adds where in the file it was, and raises what the rest of revstream knows: ModelCorrupt for
Malformed, ModelRefused for Unwanted.
"""


class Malformed(Exception):
    """The bytes are no pickle, or one that is larger, deeper or more costly than the limits."""


class Unwanted(Exception):
    """The pickle asks for something beyond plain data and the closed list."""


def quoted(text: object) -> str:
    """Return a text of the file as a message may show it: printable, and short."""
    shown = repr(text[:80] if isinstance(text, str | bytes) else type(text).__name__)
    return f"{shown}…" if isinstance(text, str | bytes) and len(text) > 80 else shown
