"""What a request to ORES asks for: the parameters that its versions share, from the query and from a form."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from msgspec import Struct
from starlette.requests import Request

from app.api.endpoint import read_body
from app.api.json_limits import require_bounded
from app.api.numbers import parse_id
from schemas.errors import RequestInvalid
from schemas.prediction import Injected

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_FIELDS_MOST = 1000
_INJECTED_PREFIXES = ("feature.", "datasource.")
_INJECTED_MOST = 500
_DEPTH_MOST = 20
# Beyond it nothing becomes objects; what does is looked at closely.
_VALUES_MOST = 200_000
_INTEGER_END = 1 << 63
_SHOWN = 100


class OresRequest(Struct, frozen=True):
    """A request to ORES, in whichever version.

    Attributes:
        rev_ids: Each in [0, 2**63), distinct, in the order of asking; None where none are asked for.
        model_names: Distinct, in the order of asking; None asks for all models of the wiki.
        has_features: Whether the features are to stand beside the scores. Nothing stored answers then.
        is_precache: Whether it warms caches for others: no client waits for the answer.
        info_paths: What to tell of the models, as ``models.statistics.model_info`` reads it; None where
            the request leaves it open.
        injected: Revision to the values that the client puts in the place of computed ones, by the printed
            name of what they replace. It may name revisions that are not asked for.
        is_compact: Whether JSON is wanted without white space.
        callback: Name of the function that is called with the answer; None where JSON is wanted.
    """

    rev_ids: tuple[int, ...] | None = None
    model_names: tuple[str, ...] | None = None
    has_features: bool = False
    is_precache: bool = False
    info_paths: str | None = None
    injected: Mapping[int, Injected] = {}
    is_compact: bool = False
    callback: str | None = None


async def read_ores_request(
    request: Request, *, rev_id: int | None = None, model_name: str | None = None
) -> OresRequest:
    """Read the parameters of a request; a name in the query hides the same name in a form.

    Args:
        request: Its form is read where it carries one.
        rev_id: Where the path names the revision; the parameter ``revids`` is not read then.
        model_name: Where the path names the model; the parameter ``models`` is not read then.

    Raises:
        RequestInvalid: A parameter cannot be read, in ORES's words where it has some.
        BodyTooLarge: The form is.
    """
    values = _first_values(request.scope["query_string"])
    if request.method == "POST":
        values = await _form(request) | values
    rev_ids = (rev_id,) if rev_id is not None else _revision_ids(values.get("revids"))
    names = (model_name,) if model_name is not None else _split(values.get("models"))
    return OresRequest(
        rev_ids=rev_ids,
        model_names=names,
        has_features="features" in values,
        is_precache="precache" in values,
        info_paths=values.get("model_info"),
        injected=_injected(values, rev_ids or ()),
        is_compact=values.get("format") == "json",
        callback=values.get("callback") or None,
    )


def _first_values(data: bytes) -> dict[str, str]:
    """Return the fields of a query or form; of several with one name the first, as ORES reads them."""
    try:
        fields = parse_qsl(data.decode(errors="replace"), keep_blank_values=True, max_num_fields=_FIELDS_MOST)
    except ValueError as error:
        raise RequestInvalid(
            f"The request has more than {_FIELDS_MOST} parameters. Ask for less at a time."
        ) from error
    values: dict[str, str] = {}
    for name, value in fields:
        values.setdefault(name, value)
    return values


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _MULTIPART:
        raise RequestInvalid(f"A form is read as {_FORM} only. Send it as such, or as a query.")
    if kind != _FORM:
        return {}
    return _first_values(await read_body(request))


def _split(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(dict.fromkeys(text.split("|")))


def _revision_ids(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    numbers: dict[int, None] = {}
    for part in text.split("|"):
        number = parse_id(part.strip())
        if number is None:
            raise RequestInvalid(f"Could not interpret revids. {_no_integer(part)}")
        numbers[number] = None
    return tuple(numbers)


def _no_integer(text: str) -> str:
    # Python's own words, which ORES shows.
    return f"invalid literal for int() with base 10: {text[:_SHOWN]!r}"


def _injected(values: Mapping[str, str], rev_ids: Iterable[int]) -> dict[int, Injected]:
    """Return what the request injects by revision: ``inject``, and over it ``feature.X`` and the like."""
    injected: dict[int, Injected] = {}
    if "inject" in values:
        for key, names in _items(_json("inject", values["inject"])):
            number = parse_id(key)
            if number is None:
                raise RequestInvalid(_no_integer(key))
            injected[number] = dict(_items(names)) if names else {}
    everywhere = {
        name: _json(name, text) for name, text in values.items() if name.startswith(_INJECTED_PREFIXES)
    }
    if everywhere:
        injected |= {number: {**injected.get(number, {}), **everywhere} for number in rev_ids}
    if any(len(names) > _INJECTED_MOST for names in injected.values()):
        raise RequestInvalid(
            f"More than {_INJECTED_MOST} values are injected for one revision. Inject what models read only."
        )
    return {number: names for number, names in injected.items() if names}


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise RequestInvalid(f"'{type(value).__name__}' object has no attribute 'items'")
    return value.items()


def _json(name: str, text: str) -> Any:
    require_bounded(text.encode(errors="replace"), most_values=_VALUES_MOST, most_depth=_VALUES_MOST)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _too_deep(name) from error
    except ValueError as error:
        # Python's own words, which ORES shows.
        raise RequestInvalid(str(error)) from error
    _check(name, value, _DEPTH_MOST)
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no value of JSON")


def _check(name: str, value: Any, depth: int) -> None:
    """Refuse what cannot travel to a scorer: depth without end, numbers of any size, halves of characters."""
    if not depth:
        raise _too_deep(name)
    match value:
        case dict():
            for key, below in value.items():
                _check(name, key, depth - 1)
                _check(name, below, depth - 1)
        case list():
            for below in value:
                _check(name, below, depth - 1)
        case int() if not -_INTEGER_END <= value < _INTEGER_END:
            raise RequestInvalid(
                f"Could not interpret {name[:_SHOWN]}. A number in it has more than 64 bits."
            )
        case float() if not math.isfinite(value):
            raise RequestInvalid(f"Could not interpret {name[:_SHOWN]}. A number in it is not finite.")
        case str() if not _is_text(value):
            raise RequestInvalid(f"Could not interpret {name[:_SHOWN]}. A text in it is no Unicode.")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_deep(name: str) -> RequestInvalid:
    return RequestInvalid(f"Could not interpret {name[:_SHOWN]}. It is nested deeper than {_DEPTH_MOST}.")
