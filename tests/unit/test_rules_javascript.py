"""Regular expressions mean what they mean to JavaScript, or are refused."""

import pytest

from agents.rules.javascript import compile_regex, in_units, is_regex


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("/moss/", "a moss b"),
        ("/^(?!.*(?:commons|meta)).*wiki$/", "mosswiki"),
        ("/[^/]+/", "a"),
        (r"/\//", "a/b"),
        (r"/^https?:\/\/[^\/]+\/wiki\/(?<title>.+)$/", "https://moss.example.org/wiki/Moss"),
        ("/^b$/m", "a\nb\nc"),
        ("/^b/m", "a\u2028b"),
        ("/MOSS/i", "moss"),
        ("/moss/g", "moss moss"),
        ("/mo/y", "moss"),
        ("/^.$/u", "\U0001f33f"),
        ("/^..$/", "\U0001f33f"),
        ("/[\U0001f33f]/u", "\U0001f33f"),
        (r"/\u{1f33f}/u", "\U0001f33f"),
        (r"/\x4d\u006f\cJ/", "Mo\n"),
        ("/[^]/", "\n"),
        ("/[a-]/", "-"),
        (r"/[\w-]/", "-"),
        (r"/[\w-z]+$/", "-"),
        ("/[[&&--~~||]/", "&"),
        ("/a{,3}/", "a{,3}"),
        ("/a{2,3}?/", "aa"),
        ("/{a}/", "{a}"),
        ("/]/", "]"),
        (r"/(a)|b\1$/", "b"),
        (r"/(ab)\1/", "abab"),
        (r"/\s/", "\ufeff"),
        (r"/[\s]/", "\u2003"),
        (r"/\bé/", "aé"),
        (r"/\é/", "é"),
        (r"/\e/", "e"),
        (r"/[\b]/", "\b"),
        (r"/\0/", "\0"),
        (r"/a.c/", "a\x85c"),
    ],
)
def test_it_is_found(source: str, text: str) -> None:
    assert compile_regex(source).matches(text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("/^(?!.*(?:commons|meta)).*wiki$/", "commonswiki"),
        ("/moss$/", "moss\n"),
        ("/^b$/", "a\nb"),
        ("/b/y", "ab"),
        ("/^.$/", "\U0001f33f"),
        ("/a.c/", "a\nc"),
        ("/a.c/", "a\u2029c"),
        ("/[]/", "a"),
        (r"/\d/", "\u0663"),
        (r"/\w/", "é"),
        (r"/[\S]/", " \t\u3000"),
        (r"/[\D]/", "5"),
        (r"/[\W]/", "a_Z0"),
        (r"/\bé/", "é"),
        (r"/\B-\B/", "a-b"),
        ("/MOSS/", "moss"),
    ],
)
def test_it_is_not_found(source: str, text: str) -> None:
    assert not compile_regex(source).matches(text)


@pytest.mark.parametrize(
    "source",
    [
        "/a**/",
        "/a*+/",
        "/a{1}{2}/",
        "/+/",
        "/(?i)a/",
        "/(?P<name>a)/",
        "/(?>a)/",
        "/a/b/",
        "/[a/",
        "/[b-a]/",
        "/(/",
        "/a)/",
        "/x/ii",
        r"/\k<a>(?<a>x)/",
        r"/\p{L}/u",
        r"/\01/",
        r"/\2(a)/",
        "/(?<=a+)b/",
        "/(?<a>x)(?<a>y)/",
        "/(?<a>x)(y)/",
        "no slashes",
        "/a{99999999999999}/",
    ],
)
def test_what_has_no_equal_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        compile_regex(source)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a/", True),
        ("/a/gimuy", True),
        ("/a/s", False),
        ("/a/gimuyg", False),
        ("//", False),
        ("/a\nb/", False),
        ("/wiki/Moss", False),
        ("a/b/", False),
    ],
)
def test_a_regular_expression_is_known_by_its_slashes(text: str, expected: bool) -> None:
    assert is_regex(text) is expected


def test_characters_beyond_the_first_plane_count_as_two() -> None:
    assert in_units("a\U0001f33f") == "a\ud83c\udf3f"
    assert in_units("aé\ud83c") == "aé\ud83c"
    assert in_units("") == ""
