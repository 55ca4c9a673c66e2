"""Variance functions about the middle of their covariate, where δ says little of σ².

σ|v|^δ = σ m^δ · |v/m|^δ and σ exp(δv) = σ exp(δm) · exp(δ(v − m)): the likelihood is the same, and
σ² becomes the variance in the middle of the data. About v = 0, where the data are not, a change
of δ is one of σ² and of D/σ² too, and the search has to follow a ridge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import parameters
from ..arrays import Array
from ..snapshot import FitSnapshot, VarFunc


@dataclass(frozen=True)
class Centred:
    """A model with centred variance functions.

    Attributes
    ----------
    snapshot : FitSnapshot
    shift : (r,) array
        log σ² there − log σ² of the model itself = shift'θ; no other parameter changes.
    """

    snapshot: FitSnapshot
    shift: Array

    @classmethod
    def of(cls, snapshot: FitSnapshot) -> Centred:
        """Fixed σ, or a δ for every stratum: as it is, for σ² cannot take up the change."""
        now = parameters.theta(snapshot)
        shift = np.zeros(len(now.values))
        middles = [0.0 if snapshot.fixed_sigma else _middle(v) for v in snapshot.var]
        at = len(shift) - 1
        for var, middle in zip(reversed(snapshot.var), reversed(middles)):
            at -= int(var.free.sum())
            if middle:
                shift[at] = 2 * middle
        moved = tuple(_about(v, m) for v, m in zip(snapshot.var, middles))
        return cls(replace(snapshot, var=moved), shift)

    def there(self, theta: Array) -> Array:
        """(r,) parameters of the centred model of those of the model itself."""
        return self._scaled(theta, 1.0)

    def back(self, theta: Array) -> Array:
        """The inverse of :meth:`there`."""
        return self._scaled(theta, -1.0)

    def _scaled(self, theta: Array, sign: float) -> Array:
        if not self.shift.any():
            return theta
        return np.append(theta[:-1], theta[-1] * np.exp(sign * self.shift @ theta))


def _middle(var: VarFunc) -> float:
    """Mean of log|v|, or of v; 0 where there is nothing to centre."""
    if var.covariate is None or len(var.free) != 1 or not var.free[0]:
        return 0.0
    if var.var_class == "varExp":
        return _mean(var.covariate)
    if var.var_class == "varPower" and np.all(var.covariate):
        return _mean(np.log(np.abs(var.covariate)))
    return 0.0


def _mean(values: Array) -> float:
    """0 of what is the same everywhere: about that, any δ would be as good."""
    return float(np.mean(values)) if np.ptp(values) > 1e-12 * np.abs(values).max() else 0.0


def _about(var: VarFunc, middle: float) -> VarFunc:
    if not middle or var.covariate is None:
        return var
    power = var.var_class == "varPower"
    moved = var.covariate / np.exp(middle) if power else var.covariate - middle
    return replace(var, covariate=moved)
