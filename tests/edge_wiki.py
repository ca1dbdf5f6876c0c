"""A small wiki of all that is odd about histories, as a dump and a users file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from msgspec import Struct

from batch.dump_revision import sha1_base36

WIKI: Final = "edgewiki"
MOST_TEXT_BYTES: Final = 20_000
"""The limit that one text of the wiki is over."""

_HEAD: Final = f"""<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
<siteinfo><sitename>Edge</sitename><dbname>{WIKI}</dbname><base>https://edge.example/wiki/Main</base><namespaces>
<namespace key="0" case="first-letter" /><namespace key="2" case="first-letter">User</namespace>
</namespaces></siteinfo>
"""
_ANN: Final = "<contributor><username>Ann</username><id>1</id></contributor>"
_BOT: Final = "<contributor><username>Fixer</username><id>2</id></contributor>"
_UNLISTED: Final = "<contributor><username>Someone New</username><id>77</id></contributor>"
_IMPORTED: Final = "<contributor><username>en&gt;Someone</username><id>0</id></contributor>"
_WITHOUT_ID: Final = "<contributor><username>Old Hand</username></contributor>"
_ADDRESS: Final = "<contributor><ip>192.0.2.7</ip></contributor>"
_HIDDEN: Final = '<contributor deleted="deleted" />'
_USERS: Final = (
    {
        "user_id": 1,
        "user_text": "Ann",
        "groups": ["*", "sysop", "user"],
        "registration_dt": "2009-03-01T12:00:00Z",
    },
    {"user_id": 2, "user_text": "Fixer", "groups": ["*", "bot", "user"], "registration_dt": None},
)
_RIVER: Final = "The '''river''' rises in the [[Hills]].<ref>Atlas</ref>\n\n== Course ==\nPast {{town|X}}. "
_SCRIPT: Final = "mw.hook( 'x' ).add( function () { return 1 < 2 && !'stupid'; } );\n"


class _Rev(Struct, frozen=True):
    """One revision as the dump writes it; a text of None is hidden."""

    rev_id: int
    text: str | None
    parent_id: int | None = None
    by: str = _ANN
    dt: str = ""
    model: str = "wikitext"
    comment: str = "<comment>as it is</comment>"
    sha1: str | None = None
    more: str = ""

    def xml(self) -> str:
        parent = "" if self.parent_id is None else f"<parentid>{self.parent_id}</parentid>"
        dt = (
            self.dt or f"{datetime.fromtimestamp(1_400_000_000 + 3600 * self.rev_id, UTC):%Y-%m-%dT%H:%M:%SZ}"
        )
        if self.text is None:
            text, sha1 = '<text bytes="9" deleted="deleted" />', ""
        else:
            sha1 = sha1_base36(self.text.encode()) if self.sha1 is None else self.sha1
            size = len(self.text.encode())
            text = f'<text bytes="{size}" sha1="{sha1}" xml:space="preserve">{escape(self.text)}</text>'
        return (
            f"<revision><id>{self.rev_id}</id>{parent}<timestamp>{dt}</timestamp>{self.by}{self.comment}"
            f"<origin>{self.rev_id}</origin><model>{self.model}</model><format>text/x-wiki</format>{text}"
            f"<sha1>{sha1}</sha1>{self.more}</revision>\n"
        )


_PAGES: Final = (
    (
        '<title>Plain "page" &amp; more</title><ns>0</ns><id>1</id>',
        (
            _Rev(10, _RIVER),
            _Rev(11, f"{_RIVER}It is long.", 10, _ADDRESS),
            _Rev(12, f"{_RIVER}It is very long.", 11, _HIDDEN),
            _Rev(13, f"{_RIVER}It is 90 km long.", 12, _BOT, comment='<comment deleted="deleted" />'),
            _Rev(14, None, 13),
            # Its parent is hidden, and the next one's is not.
            _Rev(15, f"{_RIVER}It is 91 km long.", 14, _UNLISTED),
            _Rev(16, f"{_RIVER}It is 92 km long.", 15, comment=""),
            # A null edit, vandalism, its exact revert, and the same once more by the vandal.
            _Rev(17, f"{_RIVER}It is 92 km long.", 16, _UNLISTED),
            _Rev(18, "BUTTS!!!!!!!! lol", 17, _ADDRESS),
            _Rev(19, f"{_RIVER}It is 92 km long.", 18, comment="<comment>Reverted</comment>"),
            _Rev(23, "BUTTS!!!!!!!! lol", 19, _ADDRESS),
            _Rev(24, "#REDIRECT [[Estuary]]", 23),
            _Rev(25, "", 24, _ADDRESS),
            _Rev(26, " \n\t\n", 25, _WITHOUT_ID),
        ),
    ),
    (
        "<title>User:Ann/common.js</title><ns>2</ns><id>2</id>",
        (
            _Rev(20, _SCRIPT, model="javascript"),
            _Rev(21, None, 20, model="javascript"),
            _Rev(22, _SCRIPT * 2, 21, model="javascript"),
            _Rev(27, '{"a": [1, 2]}', 22, model="json"),
        ),
    ),
    (
        # Imported: ids in the order of the import, times long ago, and a parent behind its child.
        "<title>Imported page</title><ns>0</ns><id>3</id>",
        (
            _Rev(40, f"{_RIVER}Written here.", 51),
            _Rev(50, f"{_RIVER}Written there.", None, _IMPORTED, dt="2003-02-01T00:00:01Z"),
            _Rev(51, f"{_RIVER}Written there, again.", 50, _IMPORTED, dt="2004-02-01T00:00:01Z"),
            _Rev(56, f"{_RIVER}Written here, again.", 40, dt="2015-02-01T00:00:01Z"),
        ),
    ),
    (
        '<title>Moved page</title><ns>0</ns><id>4</id><redirect title="Elsewhere" />',
        (
            _Rev(52, _RIVER, None, _BOT),
            _Rev(53, _RIVER, 52, comment="<comment>Ann moved page [[Page]] to [[Moved page]]</comment>"),
            _Rev(54, "#REDIRECT [[Elsewhere]]", 53),
            _Rev(55, "#REDIRECT [[Elsewhere]] {{R from move}}", 54, _ADDRESS),
        ),
    ),
    (
        # The page that the parent was on is deleted.
        "<title>Split page</title><ns>0</ns><id>6</id>",
        (
            _Rev(70, f"{_RIVER}Left over.", 69),
            _Rev(71, f"{_RIVER}Gone on.", 70),
            _Rev(72, None, 69),
        ),
    ),
    (
        "<title>Long page</title><ns>0</ns><id>7</id>",
        (
            _Rev(80, _RIVER),
            _Rev(81, _RIVER * 400, 80),
            _Rev(82, f"{_RIVER}Short again.", 81),
            _Rev(83, f"{_RIVER}Shorter.", 82),
            # In characters below the limit, in bytes above it.
            _Rev(84, "\N{SNOWMAN}" * 7_000, 83),
        ),
    ),
    (
        # The text stays while the content model changes.
        "<title>Module page</title><ns>0</ns><id>8</id>",
        (
            _Rev(90, _RIVER),
            _Rev(91, _RIVER, 90, model="javascript"),
            _Rev(92, _RIVER, 91),
            _Rev(93, _RIVER, 92, model="text"),
        ),
    ),
    (
        "<title>R\N{LATIN SMALL LETTER I WITH ACUTE}o \N{WAVING HAND SIGN}</title><ns>0</ns><id>9</id>",
        (
            _Rev(
                95,
                "\N{WAVING HAND SIGN} \N{COMBINING ACUTE ACCENT}\N{ARABIC LETTER ALEF} & < > \"''' {{{1|}}}",
            ),
            # What the dump says of the text is wrong, or not said.
            _Rev(96, f"{_RIVER}One.", 95, sha1=sha1_base36(b"")),
            _Rev(97, f"{_RIVER}Two.", 96, _ADDRESS, sha1=sha1_base36(b"")),
            _Rev(98, f"{_RIVER}Three.", 97, "", sha1=""),
        ),
    ),
    (
        "<title>File-like page</title><ns>0</ns><id>10</id>",
        (
            _Rev(
                100,
                _RIVER,
                more="<content><role>mediainfo</role><origin>100</origin><model>wikibase-mediainfo</model>"
                "<format>application/json</format><text>{}</text></content>",
            ),
            _Rev(101, f"{{{{a|{_RIVER}", 100, _UNLISTED),
        ),
    ),
    (
        # Histories were merged: parents lie on other pages, before and behind, one hidden and one too large.
        "<title>Merged page</title><ns>0</ns><id>11</id>",
        (
            _Rev(110, f"{_RIVER}It is 92 km long. Merged.", 19),
            _Rev(111, f"{_RIVER}Brought here. And changed.", 121, _ADDRESS),
            _Rev(112, f"{_RIVER}Behind a hidden one.", 14),
            _Rev(113, f"{_RIVER}Behind a long one.", 81, _UNLISTED),
            _Rev(114, f"{_RIVER}Behind a long one, on its own page again.", 113),
        ),
    ),
    (
        "<title>What is left of it</title><ns>0</ns><id>12</id>",
        (
            _Rev(120, f"{_RIVER}Brought here."),
            _Rev(121, f"{_RIVER}Brought here. BUTTS!!!", 110, _ADDRESS),
            _Rev(122, f"{_RIVER}Nobody has its parent.", 119),
        ),
    ),
)


def write_edge_wiki(folder: Path) -> tuple[Path, Path]:
    """Write the dump and its users file, which are not beside each other; return both."""
    dump, users = folder / "edgewiki-20260101.xml", folder / "accounts.jsonl"
    pages = ("".join(("<page>", head, *(rev.xml() for rev in revs), "</page>\n")) for head, revs in _PAGES)
    dump.write_text("".join((_HEAD, *pages, "</mediawiki>\n")))
    users.write_text("".join(json.dumps(user) + "\n" for user in _USERS))
    return dump, users
