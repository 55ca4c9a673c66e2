"""The fit as R holds it, for what needs R again: predictions, lmeInfo, refits."""

from __future__ import annotations

from ..errors import DataError, RBridgeError
from ..r.nlme import Fitted


def in_r(fitted: Fitted | None, what: str, error: type[RBridgeError] = DataError) -> Fitted:
    """The fit in R; ``error`` where the result came without it."""
    if fitted is None:
        why = "this result came without it (from a file or another process)"
        raise error(f"{what} needs the fit in R, and {why}")
    return fitted
