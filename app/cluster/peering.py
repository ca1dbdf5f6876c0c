"""What a worker does for other processes of its cluster."""

from msgspec import Struct

from app.api.on_demand import OnDemand
from app.cluster.node import Node


class Peering(Struct, frozen=True):
    """What other processes may ask a worker for.

    Attributes:
        authorization: The header that they have to show.
        own: Scores here, whoever is responsible.
        on_demand: Has the worker score that is responsible.
        node: Answers for rows; None on the embedded engine, where all are here.
    """

    authorization: str
    own: OnDemand
    on_demand: OnDemand
    node: Node | None = None
