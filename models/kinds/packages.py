"""Optional packages that run models of some kinds."""

from importlib import import_module
from typing import Any, Final

from schemas.errors import ResourceMissing

KINDS_CURE: Final = "pip install 'revstream[kinds]'"
FASTTEXT_CURE: Final = "pip install 'revstream[fasttext]'"


def require(module: str, package: str, cure: str = KINDS_CURE) -> Any:
    """Import a module of an optional package.

    Args:
        module: To import.
        package: That holds it, as an installer knows it.
        cure: What installs it.

    Returns:
        The module.

    Raises:
        ResourceMissing: It is not installed, or a system library that it needs is not.
    """
    try:
        return import_module(module)
    except (ImportError, OSError) as error:
        # LightGBM, for one, raises OSError where the system has no libgomp.
        raise ResourceMissing(
            f"the model needs the Python package {package}, which cannot be imported ({error}); run: {cure}",
            path=module,
        ) from error
