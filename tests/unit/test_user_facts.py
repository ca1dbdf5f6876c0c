"""What is known of accounts, out of SQL dumps, users files and answers."""

import gzip
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batch import sql_dump
from batch.sql_dump import SqlDump
from batch.user_facts import UserFacts
from batch.user_facts_file import build_user_facts
from batch.users_beside import facts_beside
from schemas.errors import SourceError
from schemas.revision import RevisionUser

GROUPS = """-- MySQL dump 10.19
/*!40101 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `user_groups`;
CREATE TABLE `user_groups` (
  `ug_user` int(10) unsigned NOT NULL DEFAULT 0 COMMENT 'who; and (what)',
  `ug_group` varbinary(255) NOT NULL DEFAULT '',
  `ug_expiry` varbinary(14) DEFAULT NULL,
  PRIMARY KEY (`ug_user`,`ug_group`),
  KEY `ug_expiry` (`ug_expiry`)
) ENGINE=InnoDB DEFAULT CHARSET=binary;
/*!40000 ALTER TABLE `user_groups` DISABLE KEYS */;
INSERT INTO `user_groups` VALUES (1,'sysop',NULL),(1,'bot','20260102030405'),(2,'bot','20250102030405');
INSERT INTO `user_groups` VALUES (3,'it\\'s; a ),(\\\\',NULL);
/*!40000 ALTER TABLE `user_groups` ENABLE KEYS */;
-- Dump completed on 2026-01-01"""
USERS = """CREATE TABLE `user` (
  `user_id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `user_name` varbinary(255) NOT NULL DEFAULT '',
  `user_email` tinyblob NOT NULL,
  `user_touched` binary(14) NOT NULL,
  `user_registration` binary(14) DEFAULT NULL,
  `user_editcount` int(10) unsigned DEFAULT NULL,
  PRIMARY KEY (`user_id`)
);
INSERT INTO `user` VALUES (1,'Ann','','20200101000000','20100203040506',12),(2,'Bot',_binary 'a@b','',NULL,0),
(3,'O''Hara',0x6162,'','20150101000000',NULL);
"""
LISTED = (
    '{"user_id":9,"user_text":"Ann","groups":["reviewer","bot"],"registration_dt":"2011-01-01T00:00:00Z"}\n'
)


def write(path: Path, text: str) -> str:
    """Write a packed file and return its path."""
    path.write_bytes(gzip.compress(text.encode()))
    return str(path)


@pytest.fixture
def groups(tmp_path: Path) -> str:
    return write(tmp_path / "testwiki-20260101-user_groups.sql.gz", GROUPS)


@pytest.fixture
def users(tmp_path: Path) -> str:
    return write(tmp_path / "testwiki-20260101-user.sql.gz", USERS)


def facts(tmp_path: Path, *sources: str) -> UserFacts:
    """Return what these sources tell."""
    path = tmp_path / "facts.sqlite"
    build_user_facts(path, sources)
    return UserFacts(path)


def test_groups_and_registrations_come_from_both_tables(tmp_path: Path, groups: str, users: str) -> None:
    known = facts(tmp_path, groups, users)
    registered = datetime(2010, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert known.user(1, "Ann") == RevisionUser(1, "Ann", ("bot", "sysop"), registered)
    # The membership had ended when the dump was made; the account is older than dates of registration.
    assert known.user(2, "Bot") == RevisionUser(2, "Bot")
    assert known.user(3, "O'Hara").groups == ("it's; a ),(\\",)


def test_an_account_in_no_table_is_unknown_and_an_address_has_nothing_to_know(
    tmp_path: Path, groups: str, users: str
) -> None:
    known = facts(tmp_path, groups, users)
    assert known.user(77, "New") == RevisionUser(77, "New", is_known=False)
    assert known.user(1 << 80, "Odd") == RevisionUser(1 << 80, "Odd", is_known=False)
    assert known.user(None, "192.0.2.1") == RevisionUser(None, "192.0.2.1")


def test_groups_alone_leave_the_registration_unknown(tmp_path: Path, groups: str) -> None:
    known = facts(tmp_path, groups)
    assert known.user(1, "Ann") == RevisionUser(1, "Ann", ("bot", "sysop"), lacks_registration=True)
    assert known.user(77, "Other") == RevisionUser(77, "Other", lacks_registration=True)


def test_registrations_alone_leave_the_groups_unknown(tmp_path: Path, users: str) -> None:
    assert facts(tmp_path, users).user(2, "Bot") == RevisionUser(2, "Bot", lacks_groups=True)


def test_a_table_without_rows_tells_that_nobody_has_a_group(tmp_path: Path) -> None:
    empty = "".join(line for line in GROUPS.splitlines(keepends=True) if not line.startswith("INSERT"))
    known = facts(tmp_path, write(tmp_path / "user_groups.sql.gz", empty))
    assert known.user(1, "Ann") == RevisionUser(1, "Ann", lacks_registration=True)


def test_a_users_file_is_stronger_than_tables(tmp_path: Path, groups: str, users: str) -> None:
    listed = tmp_path / "x.users.jsonl"
    listed.write_text(LISTED)
    known = facts(tmp_path, groups, users, str(listed))
    registered = datetime(2011, 1, 1, tzinfo=UTC)
    assert known.user(1, "Ann") == RevisionUser(1, "Ann", ("bot", "reviewer"), registered)
    assert known.user(2, "Bot") == RevisionUser(2, "Bot")


def test_tables_and_users_files_beside_a_dump_are_found(tmp_path: Path, groups: str, users: str) -> None:
    dump = tmp_path / "testwiki-20260101-pages-meta-history1.xml-p1p9.7z"
    assert facts_beside(dump) == [Path(groups), Path(users)]
    assert facts_beside(tmp_path / "testwiki-20251201-pages-articles.xml") == []
    assert facts_beside(tmp_path / "export.xml") == []
    listed = tmp_path / "testwiki-20260101-pages-meta-history1.users.jsonl"
    listed.write_text(LISTED)
    assert facts_beside(dump) == [listed]


def test_nothing_told_is_nothing_known() -> None:
    assert UserFacts().user(1, "Ann") == RevisionUser(1, "Ann", is_known=False)
    assert UserFacts().user(None, "192.0.2.1").is_known


class Wiki:
    """Answers from what it holds, and writes down what it was asked."""

    def __init__(self, *users: RevisionUser) -> None:
        self.known = {user.user_text: user for user in users}
        self.asked: list[list[tuple[int, str]]] = []

    def users(self, accounts: Sequence[tuple[int, str]]) -> Iterable[RevisionUser]:
        self.asked.append(list(accounts))
        return [self.known[name] for _, name in accounts if name in self.known]


def test_a_source_is_asked_once_for_what_is_not_known_yet(tmp_path: Path, groups: str, users: str) -> None:
    path = tmp_path / "facts.sqlite"
    build_user_facts(path, [groups, users])
    wiki = Wiki(RevisionUser(7, "New", ("bot",), datetime(2026, 1, 1, tzinfo=UTC)))
    known = UserFacts(path, source=wiki)
    editors = [(1, "Ann"), (7, "New"), (8, "Gone"), (None, "192.0.2.1"), (7, "New")]
    known.prepare(editors)
    known.prepare(editors)
    assert wiki.asked == [[(7, "New"), (8, "Gone")]]
    assert known.user(7, "New") == wiki.known["New"]
    assert not known.user(8, "Gone").is_known
    known.close()
    # What was answered stays, so that a run that goes on says the same.
    again = UserFacts(path, source=wiki)
    again.prepare(editors)
    assert again.user(7, "New") == wiki.known["New"]
    assert len(wiki.asked) == 1


@pytest.mark.parametrize("piece_bytes", [1, 7, 64])
def test_rows_are_the_same_however_the_bytes_come(
    tmp_path: Path, groups: str, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    wanted = (("ug_group", "ug_user"),)
    whole = [row.values for row in SqlDump(groups, wanted).rows()]
    assert len(whole) == 4
    monkeypatch.setattr(sql_dump, "_PIECE_BYTES", piece_bytes)
    assert [row.values for row in SqlDump(groups, wanted).rows()] == whole


def test_columns_are_found_by_name_wherever_they_stand(tmp_path: Path) -> None:
    source = write(
        tmp_path / "odd.sql.gz",
        "INSERT IGNORE INTO `mw_user_groups` (`ug_expiry`, `ug_group`, `ug_user`) VALUES (NULL,'bot',5);",
    )
    assert facts(tmp_path, source).user(5, "Bot").groups == ("bot",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GROUPS[: GROUPS.index("NULL);")], "a row that ends early"),
        (GROUPS[: GROUPS.index("COMMENT")], "a statement that ends early"),
        (GROUPS.replace("(1,'sysop',NULL)", "(1,'sysop')"), "not understood, at byte"),
        (GROUPS.replace("(1,'sysop',NULL)", "('x','sysop',NULL)"), "none of MediaWiki's"),
        ("INSERT INTO `user_groups` VALUES (1,'bot',NULL);", "without the names of its columns"),
        ("CREATE TABLE `page` (\n `page_id` int\n);", "neither the table"),
        ("never a statement", "ends early"),
        ("", "neither the table"),
    ],
)
def test_what_is_no_table_of_users_is_an_error_and_leaves_no_file(
    tmp_path: Path, text: str, says: str
) -> None:
    source = write(tmp_path / "bad.sql.gz", text)
    with pytest.raises(SourceError, match=says):
        facts(tmp_path, source)
    assert [each.name for each in tmp_path.iterdir()] == ["bad.sql.gz"]


def test_a_dump_that_is_cut_off_is_an_error(tmp_path: Path, groups: str) -> None:
    path = Path(groups)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match="cut off"):
        facts(tmp_path, groups)


def test_what_the_table_holds_besides_goes_nowhere(tmp_path: Path, users: str) -> None:
    facts(tmp_path, users).close()
    assert b"a@b" not in (tmp_path / "facts.sqlite").read_bytes()
