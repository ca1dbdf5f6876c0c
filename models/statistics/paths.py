"""The path language of model information: ``statistics.thresholds.true."maximum recall @ fpr <= 0.1"``."""

from collections.abc import Iterator

from schemas.errors import InfoPathMalformed

Tree = dict[str, "Tree"]
"""Segments asked for, by order of asking; an empty tree asks for all that is there."""

_QUOTES = "\"'"


def parse_paths(text: str) -> Tree:
    """Read paths separated by ``|`` and merge them into one tree.

    A deeper path narrows a shallower one, as in ORES: ``statistics|statistics.recall`` gives recall alone.

    Args:
        text: As the parameter ``model_info`` holds it; empty asks for everything.

    Raises:
        InfoPathMalformed: A segment is empty, or a quote is not closed.
    """
    tree: Tree = {}
    for path in text.split("|"):
        below = tree
        for segment in parse_path(path):
            below = below.setdefault(segment, {})
    return tree


def parse_path(path: str) -> list[str]:
    """Split a path at its dots, but for those between quotes.

    Raises:
        InfoPathMalformed: A segment is empty, or a quote is not closed.
    """
    return list(_segments(path)) if path else []


def _segments(path: str) -> Iterator[str]:
    quoted: list[str] = []
    for part in path.split("."):
        if not part:
            raise InfoPathMalformed(
                f"the path {path[:200]!r} has an empty segment; put segments that hold dots between quotes"
            )
        if quoted:
            quoted.append(part)
            if part[-1] == quoted[0][0]:
                yield ".".join(quoted).strip(_QUOTES)
                quoted = []
        elif part[0] not in _QUOTES:
            yield part
        elif part[-1] == part[0]:
            yield part.strip(part[0])
        else:
            quoted.append(part)
    if quoted:
        raise InfoPathMalformed(f"the path {path[:200]!r} opens a quote that it does not close; close it")
