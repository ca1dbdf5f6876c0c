"""What is open at a place of wikitext, for ``models.engine.node_scan_of``."""

from enum import Enum, auto

from models.engine.node_answer import KINDS


class Kind(Enum):
    """What may be open.

    Of a template its name, then the key or value of a parameter; of an internal link its title, then what is
    shown; of a link to another site in brackets its address, then its caption; the default of an argument;
    the body of a tag; a table, a row and a cell of one.
    """

    OUTSIDE = auto()
    NAME = auto()
    KEY = auto()
    VALUE = auto()
    TITLE = auto()
    SHOWN = auto()
    ADDRESS = auto()
    CAPTION = auto()
    DEFAULT = auto()
    HEADING = auto()
    BODY = auto()
    ITALIC = auto()
    BOLD = auto()
    TABLE = auto()
    ROW = auto()
    CELL = auto()


class Nodes:
    """What was found.

    Attributes:
        counts: How many nodes there are of each kind.
        levels: Of the headings.
        names: Of the tags.
    """

    __slots__ = ("counts", "levels", "names")

    def __init__(self) -> None:
        self.counts = dict.fromkeys(KINDS, 0)
        self.levels: list[int] = []
        self.names: list[str] = []

    def copy(self) -> "Nodes":
        """Return a copy."""
        copy = Nodes()
        copy.counts = dict(self.counts)
        copy.levels = list(self.levels)
        copy.names = list(self.names)
        return copy


class Open:
    """Something that was opened and not closed.

    Args:
        kind: What it is by now.
        behind: Where to go on where it turns out to be text.
        text_start: Since when there was nothing but text before it.
        nodes: What was found before it.
        is_in_heading: Whether it is in a heading.

    Attributes:
        must_close: Whether it is not known what comes of it where nothing closes it.
        level: Of a heading, how many signs opened it.
        tag: Of the body of a tag, its name in small letters.
        has_template: Of a name or key, whether it holds a template.
        has_text: Of a name, whether it has begun.
        has_ended: Of a name, whether a line ended behind it.
        has_term: Whether a term of a list stands before.
        is_refused: Of what is italic, whether something in it was not bold.
        is_again: Of what is italic, whether it is read again for that.
        is_behind: Of a heading, whether this is only what stands behind it on its line.
        has_cells: Of a table or within it, whether cells stand on this line.
        has_headers: The same of cells of headers.
        may_have_style: Of a cell, whether a bar ends its attributes.
        start: Of a cell and an address, where it begins.
    """

    __slots__ = (
        "behind",
        "has_cells",
        "has_ended",
        "has_headers",
        "has_template",
        "has_term",
        "has_text",
        "is_again",
        "is_behind",
        "is_in_heading",
        "is_refused",
        "kind",
        "level",
        "may_have_style",
        "must_close",
        "nodes",
        "start",
        "tag",
        "text_start",
    )

    def __init__(
        self, kind: Kind, behind: int, text_start: int, nodes: "Nodes", *, is_in_heading: bool = False
    ) -> None:
        self.kind = kind
        self.behind = behind
        self.text_start = text_start
        self.nodes = nodes
        self.is_in_heading = is_in_heading
        self.must_close = self.has_template = self.has_text = self.has_ended = self.has_term = False
        self.is_refused = self.is_again = self.is_behind = False
        self.has_cells = self.has_headers = self.may_have_style = False
        self.level = self.start = 0
        self.tag = ""
