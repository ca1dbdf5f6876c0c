"""Contracts by which tabular models read a revision: which features there are, and how they are computed."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.artefact import Artefact
from models.kinds.edit_features import EditFeatures
from models.scoring import FeatureCache
from schemas.errors import ModelIncompatible
from schemas.prediction import FeatureValue
from schemas.revision import Revision


class Features(Protocol):
    """The features of one model, bound and in the order of its input."""

    @property
    def is_planned(self) -> bool:
        """Whether the engine may compute them for several models at once, see ``models.engine``."""
        ...

    @property
    def columns(self) -> int:
        """Number of values in a row."""
        ...

    def compute(self, revision: Revision, cache: FeatureCache) -> Any:
        """Compute the features of one revision.

        Raises:
            FeatureError: One cannot be computed.
            ContentError: The revision lacks what a feature reads.
        """
        ...

    def row(self, values: Any) -> NDArray[np.float64]:
        """Return what was computed as float64[1, columns]; booleans are 0 and 1."""
        ...

    def missing(self, revision: Revision) -> tuple[str, ...]:
        """Return the names of the features that read what is not known of the editor's account."""
        ...

    def by_name(self, values: Any) -> dict[str, FeatureValue]:
        """Return what was computed by name."""
        ...


def bind_features(artefact: Artefact, contract: str) -> Features:
    """Bind the features that a manifest lists.

    Args:
        artefact: Verified.
        contract: ``edit``: see ``models.kinds.edit_features``. ``revscoring``: revscoring's features by
            their printed names.

    Raises:
        ModelIncompatible: The contract or a feature is not known here.
        ResourceMissing: A feature reads what is not installed.
    """
    bind = _CONTRACTS.get(contract)
    if bind is None:
        raise ModelIncompatible(
            f"artefact {artefact.manifest.name!r} reads features of the contract {contract!r}, but this "
            f"revstream has {', '.join(_CONTRACTS)}; install the revstream that wrote it",
            path=artefact.manifest.name,
        )
    return bind(artefact)


def _bind_edit(artefact: Artefact) -> Features:
    return EditFeatures(artefact.manifest.features)


def _bind_revscoring(artefact: Artefact) -> Features:
    # revscoring and its languages take long to import, and models of other contracts never ask for them.
    from models.features.feature_set import features_of  # noqa: PLC0415

    return features_of(artefact)


_CONTRACTS: Mapping[str, Callable[[Artefact], Features]] = {
    "edit": _bind_edit,
    "revscoring": _bind_revscoring,
}
