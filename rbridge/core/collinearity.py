"""How near the fixed effects of a fit come to determining each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .engine.forms import Forms

_SHARE = 0.1  # of the largest part: a column with less is not concerned


@dataclass(frozen=True)
class Collinearity:
    """The direction in which the columns of a design nearly cancel.

    Attributes
    ----------
    condition : float
        Condition number of V^-½ X, its columns scaled to one length; 1 where they are orthogonal.
    columns : tuple of int
        Those that take part in the worst direction.
    """

    condition: float
    columns: tuple[int, ...]

    @property
    def rounding(self) -> float:
        """Share that rounding may take of what is computed from (X'V⁻¹X)⁻¹: ε κ²."""
        return float(np.finfo(float).eps * self.condition**2)


def collinearity(forms: Forms) -> Collinearity:
    """Condition of the weighted design of a fit, from what one pass over its data gave.

    References
    ----------
    Belsley, Kuh and Welsch (1980), Regression Diagnostics, chapter 3, on scaled columns.
    """
    if not forms.p:
        return Collinearity(1.0, ())
    root = np.linalg.cholesky(forms.fixed.cross).T @ forms.fixed.x_map
    _, values, directions = np.linalg.svd(root / np.linalg.norm(root, axis=0))
    condition = float(values[0] / values[-1]) if values[-1] > 0 else np.inf
    part = np.abs(directions[-1])
    return Collinearity(condition, tuple(np.flatnonzero(part > _SHARE * part.max()).tolist()))
