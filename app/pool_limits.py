"""What scoring one revision may take."""

from app.settings import Settings
from models.pool_status import PoolLimits


def pool_limits(settings: Settings) -> PoolLimits:
    """Return what one revision may take."""
    return PoolLimits(
        cpu_seconds=settings.score_cpu_limit_seconds,
        wall_seconds=settings.score_wall_limit_seconds,
        memory_bytes=settings.score_memory_limit_mb << 20,
    )
