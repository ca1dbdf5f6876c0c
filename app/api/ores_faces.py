"""All of ORES's paths, the way that the settings say: as ORES answers them, or as ores-legacy does."""

from collections.abc import Callable

from app.api import errors, ores_legacy
from app.api.answers import Resources
from app.api.endpoint import BesideHandler, Handler
from app.api.ores import OresFace
from app.api.ores_legacy import OresLegacyFace
from app.api.ores_pages import OresPages
from app.api.ores_v1 import OresV1Face
from app.api.ores_v2 import OresV2Face
from app.metrics import Face
from schemas.errors import RevstreamError

Routes = dict[str, tuple[Face, Handler]]

_PATHS = ("/v3", "/v2/scores", "/v2/precache", "/v2/spec", "/v1/scores", "/v1/spec")


class OresFaces:
    """The routes of all versions of ORES, or those of ores-legacy in their place.

    Args:
        resources: What to ask.
        legacy_scores: Scores that one request may ask for of ores-legacy; None for ORES.

    Attributes:
        is_legacy: Whether the answers are those of ores-legacy.
        envelope: Shows an error the way that its clients expect.
    """

    def __init__(self, resources: Resources, legacy_scores: int | None) -> None:
        self.is_legacy = legacy_scores is not None
        self.envelope: Callable[[RevstreamError], errors.Failure] = errors.ores
        self._routes: Routes
        self._post_routes: Routes = {}
        self._beside: dict[str, BesideHandler]
        if legacy_scores is None:
            v1, v2, v3 = OresV1Face(resources), OresV2Face(resources), OresFace(resources)
            pages = OresPages(resources)
            self._routes = v3.routes() | v1.routes() | v2.routes() | pages.routes()
            self._post_routes = v3.post_routes() | v1.post_routes() | v2.post_routes()
            self._beside = v1.routes_beside() | pages.routes_beside()
        else:
            legacy = OresLegacyFace(resources, legacy_scores)
            self.envelope = ores_legacy.envelope
            self._routes, self._beside = legacy.routes(), legacy.routes_beside()

    def routes(self) -> Routes:
        """Return path to face and handler of the routes that answer GET."""
        return self._routes

    def post_routes(self) -> Routes:
        """Return path to face and handler of the routes that answer POST."""
        return self._post_routes

    def routes_beside(self) -> dict[str, BesideHandler]:
        """Return what answers GET in the place of other faces' routes."""
        return self._beside


def is_ores_path(path: str) -> bool:
    """Tell whether a path that no route has was meant for ORES."""
    return path.startswith(_PATHS)
