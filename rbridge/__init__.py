"""Linear mixed models by R's nlme from pandas, with variance components whose uncertainty holds.

Importing this package starts no R; the first fit does. It loads nothing else either until one of
its names is asked for, so that the command line answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .public import *  # noqa: F401, F403
    from .public import __all__ as __all__  # noqa: F401

__version__ = "0.2.0"  # the one place: the packages, the image and the citation follow


def __getattr__(name: str) -> Any:
    """A public name (PEP 562); all of them are then there."""
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    public = importlib.import_module(".public", __name__)  # `from . import` would ask us again
    names = {each: getattr(public, each) for each in (*public.__all__, "__all__")}
    globals().update(names)
    if name not in names:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return names[name]


def __dir__() -> list[str]:
    return sorted([*__getattr__("__all__"), "__all__", "__version__"])
