"""ORES's pages for people: the form, the descriptions of the versions, what runs here, and the sign."""

import asyncio
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app.api import ores_spec
from app.api.answers import Resources, answer
from app.api.endpoint import BesideHandler, Handler, json_response
from app.api.errors import ores_entry, status_of
from app.api.favicon import favicon
from app.api.html import Html, element, page, table, wants_page
from app.api.numbers import parse_id
from app.metrics import Face
from schemas.catalogue import ModelInfo
from schemas.errors import ModelNotFound, RequestInvalid, RevstreamError, WikiUnknown
from schemas.prediction import ScoredModel, ScoreFailure

ORES_LINKS: Final = {
    "Form": "/ui/",
    "Version 3": "/v3/",
    "Version 2": "/v2/",
    "Version 1": "/v1/",
    "Versions": "/versions/",
}
_REVISIONS_MOST = 50
_FAVICON_SECONDS = 86400
# What a score depends on, and what ORES listed of it where it is still the same.
_PACKAGES = (
    "revstream",
    "revscoring",
    "editquality",
    "articlequality",
    "draftquality",
    "scikit-learn",
    "numpy",
)


class OresPages:
    """Handlers of ``/ui``, ``/vN``, ``/vN/spec``, ``/versions`` and ``/favicon.ico``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._wikis = resources.catalogue.wikis
        self._counters = resources.metrics.faces[Face.ORES]
        self._specs = {number: ores_spec.swagger(number) for number in ores_spec.VERSIONS}
        self._favicon = favicon()
        self._versions = _versions()

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        handlers: dict[str, Handler] = {
            "/ui": self._ui,
            "/v1": self._describing(1),
            "/v3": self._describing(3),
            "/versions": self._show_versions,
            **{f"/v{number}/spec": self._specifying(number) for number in ores_spec.VERSIONS},
        }
        routes = {path: (Face.ORES, handler) for path, handler in handlers.items()}
        return {**routes, "/favicon.ico": (Face.OPERATIONS, self._show_favicon)}

    def routes_beside(self) -> dict[str, BesideHandler]:
        """Return what answers GET in the place of other faces' routes: browsers, and clients of ORES."""
        return {
            "/v2": BesideHandler(
                self._describing(2), lambda request: "spec" in request.query_params or wants_page(request)
            ),
        }

    async def _ui(self, request: Request) -> Response:
        asked = request.query_params
        wiki_id = asked.get("wiki", "").strip() or min(self._wikis, default="")
        # Ticked boxes come one by one, links of old have them joined.
        names = [name for joined in asked.getlist("models") for name in joined.split("|") if name]
        revids = asked.get("revids", "")
        content = [self._wiki_form(wiki_id), self._form(wiki_id, names, revids)]
        status = 200
        if "go" in asked:
            try:
                content.append(await self._results(wiki_id, names, revids))
            except RevstreamError as error:
                status = status_of(error)
                content.append(element("p", error.message, role="alert"))
        return page("Score revisions", *content, links=ORES_LINKS, status=status)

    def _wiki_form(self, wiki_id: str) -> Html:
        wikis = (
            element("option", each, value=each, selected=each == wiki_id) for each in sorted(self._wikis)
        )
        choice = element("select", *wikis, id="wiki", name="wiki")
        button = element("button", "Show its models", type="submit")
        line = element("p", element("label", "Wiki", for_="wiki"), Html(" "), choice, Html(" "), button)
        return element("form", line, method="get", action="/ui/")

    def _form(self, wiki_id: str, names: list[str], revids: str) -> Html:
        boxes = (
            element(
                "label",
                element("input", type="checkbox", name="models", value=name, checked=name in names),
                f" {name}",
            )
            for name in sorted(self._wikis.get(wiki_id, ()))
        )
        legend = element("legend", f"Models of {wiki_id} (all, if none is ticked)")
        field = element(
            "input",
            type="text",
            id="revids",
            name="revids",
            value=revids,
            required=True,
            autocomplete="off",
            aria_describedby="revids-help",
        )
        help_text = element("span", f"At most {_REVISIONS_MOST}, with commas between them.", id="revids-help")
        return element(
            "form",
            element("input", type="hidden", name="wiki", value=wiki_id),
            element("fieldset", legend, *boxes),
            element("p", element("label", "Revision ids", for_="revids"), field, help_text),
            element("p", element("button", "Score", type="submit", name="go", value="1")),
            method="get",
            action="/ui/",
        )

    async def _results(self, wiki_id: str, names: list[str], revids: str) -> Html:
        served = self._wikis.get(wiki_id)
        if served is None:
            raise WikiUnknown(f"No scorers available for {wiki_id[:100]}")
        models: dict[str, ModelInfo] = {}
        for name in names or sorted(served):
            info = self._resources.catalogue.find(wiki_id, name)
            if info is None:
                raise ModelNotFound(f"Models {(name[:100],)} not available for {wiki_id}")
            models[name] = info
        rev_ids = _revision_ids(revids)

        async def one(rev_id: int) -> Mapping[str, ScoredModel]:
            return await answer(self._resources, self._counters, wiki_id, rev_id, models)

        found = await asyncio.gather(*map(one, rev_ids))
        rows = [
            (str(rev_id), name, *_shown(scored, rev_id))
            for rev_id, answers in zip(rev_ids, found, strict=True)
            for name, scored in answers.items()
        ]
        query = urlencode({"models": "|".join(models), "revids": "|".join(map(str, rev_ids))})
        address = f"/v3/scores/{wiki_id}/?{query}"
        return element(
            "section",
            element("h2", "Scores"),
            table(f"Scores of {wiki_id}", ("Revision", "Model", "Prediction", "Probabilities"), rows),
            element("p", "As JSON: ", element("a", address, href=address)),
        )

    def _describing(self, number: int) -> Handler:
        async def describe(request: Request) -> Response:
            if "spec" in request.query_params:
                return json_response(self._specs[number], is_pretty=True)
            return _description(number, self._specs[number])

        return describe

    def _specifying(self, number: int) -> Handler:
        async def specify(request: Request) -> Response:
            is_pretty = request.query_params.get("format") != "json"
            return json_response(self._specs[number], is_pretty=is_pretty)

        return specify

    async def _show_versions(self, request: Request) -> Response:
        if request.query_params.get("format") == "json":
            return json_response(dict(self._versions))
        shown = table("What computes the scores", ("Name", "Version"), list(self._versions.items()))
        return page("Versions", shown, links=ORES_LINKS)

    async def _show_favicon(self, _: Request) -> Response:
        headers = {"cache-control": f"public, max-age={_FAVICON_SECONDS}"}
        return Response(self._favicon, 200, headers, "image/vnd.microsoft.icon")


def _revision_ids(text: str) -> list[int]:
    texts = text.replace(",", " ").replace("|", " ").split()
    if not 0 < len(texts) <= _REVISIONS_MOST:
        raise RequestInvalid(f"Give between 1 and {_REVISIONS_MOST} revision ids, with commas between them.")
    numbers = [parse_id(each) for each in texts]
    known = [number for number in numbers if number is not None]
    if len(known) != len(numbers):
        raise RequestInvalid(f"{texts[numbers.index(None)][:100]!r} is no revision id: give whole numbers.")
    return list(dict.fromkeys(known))


def _shown(scored: ScoredModel, rev_id: int) -> tuple[str, str]:
    """Return prediction and probabilities as a table shows them."""
    outcome = scored.outcome
    if isinstance(outcome, ScoreFailure):
        return "none", ores_entry(outcome, rev_id)["message"]
    likeliest = sorted(outcome.probability.items(), key=lambda pair: -pair[1])
    return ", ".join(outcome.prediction), ", ".join(f"{label} {value:.3f}" for label, value in likeliest)


def _description(number: int, spec: ores_spec.Spec) -> Response:
    """Return a page about one version, made from its description in Swagger."""
    rows = [
        (f"{method.upper()} {path}", operation["summary"], ", ".join(_parameters(operation)))
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    ]
    described = {
        parameter["name"]: parameter["description"]
        for methods in spec["paths"].values()
        for operation in methods.values()
        for parameter in operation["parameters"]
    }
    address = f"/v{number}/spec/"
    return page(
        spec["info"]["title"],
        element("p", "The same for programs: ", element("a", address, href=address)),
        table("Routes", ("Route", "What it gives", "Parameters"), rows),
        table("Parameters", ("Name", "Meaning"), list(described.items())),
        links=ORES_LINKS,
    )


def _parameters(operation: ores_spec.Spec) -> list[str]:
    return [parameter["name"] for parameter in operation["parameters"]]


def _versions() -> dict[str, str]:
    """Return package to version of what computes scores, and Python's."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**found, "Python": platform.python_version()}
