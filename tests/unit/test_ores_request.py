"""ORES's parameters, read from a query and from a form, with the texts of ORES where they cannot be read."""

import json
from urllib.parse import quote, urlencode

import pytest
from starlette.requests import Request

from app.api.ores_request import OresRequest, read_ores_request
from schemas.errors import RequestInvalid

FORM = "application/x-www-form-urlencoded"


def asked(query: str = "", form: str | bytes | None = None, content_type: str = FORM) -> Request:
    """Return a request as a server hands it over."""
    body = form.encode() if isinstance(form, str) else form or b""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    return Request(
        {
            "type": "http",
            "method": "GET" if form is None else "POST",
            "path": "/",
            "query_string": query.encode(),
            "headers": [(b"content-type", content_type.encode())],
        },
        receive,
    )


async def read(query: str = "", **options: str | None) -> OresRequest:
    return await read_ores_request(asked(query, **options))  # type: ignore[arg-type] # form or its type


async def refusal(query: str) -> str:
    with pytest.raises(RequestInvalid) as refused:
        await read(query)
    return refused.value.message


async def test_nothing_is_asked_for_by_an_empty_query() -> None:
    assert await read() == OresRequest()


async def test_every_parameter_is_read() -> None:
    query = "models=b|a|b&revids=5|7|5&features&precache=true&model_info=&format=json&callback=f"
    assert await read(query) == OresRequest(
        rev_ids=(5, 7),
        model_names=("b", "a"),
        has_features=True,
        is_precache=True,
        info_paths="",
        is_compact=True,
        callback="f",
    )


async def test_a_form_says_the_same_and_the_query_hides_it() -> None:
    found = await read("models=a", form="models=b&revids=5%7C6&features=")
    assert found == OresRequest(rev_ids=(5, 6), model_names=("a",), has_features=True)


async def test_a_form_of_a_get_or_of_another_type_is_not_read() -> None:
    assert await read("", form="revids=5", content_type="application/json") == OresRequest()
    with pytest.raises(RequestInvalid, match="read as application/x-www-form-urlencoded only"):
        await read("", form="revids=5", content_type="multipart/form-data; boundary=x")


async def test_the_first_of_several_values_counts() -> None:
    assert (await read("models=a&models=b")).model_names == ("a",)


async def test_what_the_path_names_is_not_read_from_the_query() -> None:
    found = await read_ores_request(asked("revids=x&models=y"), rev_id=5, model_name="a")
    assert (found.rev_ids, found.model_names) == ((5,), ("a",))


@pytest.mark.parametrize(
    ("revids", "shown"),
    [("abc", "'abc'"), ("", "''"), ("1||2", "''"), ("1.5", "'1.5'"), ("-1", "'-1'"), ("1_0", "'1_0'")],
)
async def test_revisions_that_are_no_numbers_are_refused_in_words_of_ores(revids: str, shown: str) -> None:
    said = await refusal(f"revids={quote(revids)}")
    assert said == f"Could not interpret revids. invalid literal for int() with base 10: {shown}"


async def test_a_value_is_injected_in_every_revision_and_goes_over_that_of_one() -> None:
    inject = {"5": {"feature.a": 1, "datasource.b": ["x"]}, "9": {"feature.c": True}, "8": None}
    found = await read(urlencode({"revids": "5|6", "inject": json.dumps(inject), "feature.a": "2.5"}))
    assert found.injected == {
        5: {"feature.a": 2.5, "datasource.b": ["x"]},
        6: {"feature.a": 2.5},
        9: {"feature.c": True},
    }


async def test_a_form_may_inject() -> None:
    found = await read("revids=5", form=urlencode({"datasource.revision.text": '"Grüße"'}))
    assert found.injected == {5: {"datasource.revision.text": "Grüße"}}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("inject=", "Expecting value: line 1 column 1 (char 0)"),
        ("inject=[]", "'list' object has no attribute 'items'"),
        ('inject={"5":[1]}', "'list' object has no attribute 'items'"),
        ('inject={"x":{}}', "invalid literal for int() with base 10: 'x'"),
        ("feature.a=yes", "Expecting value: line 1 column 1 (char 0)"),
        ("feature.a=1 2", "Extra data: line 1 column 3 (char 2)"),
        ("feature.a=NaN", "NaN is no value of JSON"),
        ("feature.a=1e999", "Could not interpret feature.a. A number in it is not finite."),
        (f"feature.a={2**63}", "Could not interpret feature.a. A number in it has more than 64 bits."),
        ('feature.a="\\ud800"', "Could not interpret feature.a. A text in it is no Unicode."),
        ("feature.a=" + "[" * 21 + "]" * 21, "Could not interpret feature.a. It is nested deeper than 20."),
        ("feature.a=" + "[" * 100_000, "Could not interpret feature.a. It is nested deeper than 20."),
    ],
)
async def test_what_cannot_be_injected_is_refused(query: str, message: str) -> None:
    name, _, value = query.partition("=")
    assert await refusal(f"revids=5&{name}={quote(value)}") == message


async def test_a_revision_takes_a_bounded_number_of_values() -> None:
    many = urlencode({f"feature.f{number}": "1" for number in range(501)})
    assert (await refusal(f"revids=5&{many}")).startswith("More than 500 values are injected")
    assert (await refusal("a=1&" * 1001)).startswith("The request has more than 1000 parameters")
