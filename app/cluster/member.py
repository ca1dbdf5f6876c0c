"""A worker's part in scoring on demand for all processes of its cluster."""

from urllib.parse import urlsplit, urlunsplit

from app.api.on_demand import OnDemand
from app.cluster.addresses import authorization_of, with_token
from app.cluster.on_demand import ClusterOnDemand
from app.cluster.peering import Peering
from app.cluster.scoring import ScoringPeers
from app.cluster.sharing import ANY_HOST, Sharing
from app.settings import Settings
from schemas.catalogue import Catalogue


class Member:
    """What one worker scores for others, and has others score.

    Args:
        own: Scores here.
        catalogue: The models of each wiki.
        sharing: How rows are shared; None on the embedded engine, which has one worker.

    Attributes:
        on_demand: Has the worker score that is responsible.
    """

    def __init__(self, own: OnDemand, catalogue: Catalogue, sharing: Sharing | None) -> None:
        self._own = own
        self._sharing = sharing
        self._peers = ScoringPeers()
        self.on_demand: OnDemand = own
        self._cluster: ClusterOnDemand | None = None
        if sharing is not None:
            self.on_demand = self._cluster = ClusterOnDemand(
                sharing.workers, self._peers, catalogue, own=own, address=lambda: sharing.address
            )

    def switch(self, catalogue: Catalogue) -> None:
        """Take other models for those that are served."""
        if self._cluster is not None:
            self._cluster.catalogue = catalogue

    def peering(self, address: str) -> Peering:
        """Return what is done for other processes.

        Args:
            address: That the others know, with its token.
        """
        node = None if self._sharing is None else self._sharing.node
        return Peering(authorization_of(address), self._own, self.on_demand, node)

    async def close(self) -> None:
        """Close the connections to others."""
        await self._peers.aclose()


def embedded_address(settings: Settings, address: str) -> str:
    """Return how replicas on the embedded engine, which are on this machine, reach its worker; with a token.

    Args:
        settings: May name it.
        address: That the read API listens on.
    """
    if settings.advertised_url:
        return with_token(settings.advertised_url)
    parts = urlsplit(address)
    if parts.hostname in ANY_HOST:
        host = "[::1]" if ":" in (parts.hostname or "") else "127.0.0.1"
        return with_token(urlunsplit(parts._replace(netloc=f"{host}:{parts.port}")))
    return with_token(address)
