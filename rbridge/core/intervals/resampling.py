"""Intervals from bootstrap replicates, and the jackknife that their acceleration needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ...errors import DataError, InformationError, SpecError
from ...options import check_share, one_of
from ..arrays import Array
from ..engine.contractions import contract
from ..information import information_from
from ..parameters import theta
from ..snapshot import FitSnapshot, RandomLevel

BootstrapKind = Literal["percentile", "basic", "bca"]


def bootstrap_intervals(
    replicates: ArrayLike,
    estimates: ArrayLike,
    level: float = 0.95,
    kind: BootstrapKind = "percentile",
    jackknife: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Confidence intervals from bootstrap replicates.

    Parameters
    ----------
    replicates : (B, k) array
        Estimates from the B simulated data sets; those that are not finite are left out.
    estimates : (k,) array
        The estimates that the replicates were simulated from.
    level : float
    kind : {"percentile", "basic", "bca"}
    jackknife : (m, k) array, optional
        Estimates without each of the m independent units in turn; for ``bca``.

    Returns
    -------
    lower, upper : (k,) arrays
        nan for ``bca`` where every replicate lies on one side of the estimate.

    Raises
    ------
    SpecError
        Unknown kind, a level outside (0, 1), ``bca`` without ``jackknife``.
    DataError
        Shapes that do not fit, or fewer than two finite replicates.

    Notes
    -----
    Percentile: quantiles of the replicates at (1 ± level)/2. Basic: 2θ̂ minus these. BCa: quantiles
    at Φ(z₀ + (z₀ + z)/(1 − a(z₀ + z))), z₀ = Φ⁻¹(share of replicates below θ̂) and acceleration
    a = Σ d³/(6 (Σ d²)^1.5), d = mean of the jackknife values minus each of them. Quantiles are
    interpolated on the normal scale at rank (B + 1)p, as R's ``boot::boot.ci`` does.

    References
    ----------
    Efron (1987), Journal of the American Statistical Association 82, 171–185; Davison and Hinkley
    (1997), Bootstrap Methods and their Application, section 5.3 and eq. 5.8.
    """
    one_of(kind, get_args(BootstrapKind), "kind")
    check_share(level)
    values, centre = np.atleast_2d(np.asarray(replicates, float)), np.asarray(estimates, float)
    if centre.ndim != 1 or values.ndim != 2 or values.shape[1] != len(centre):
        raise DataError(f"replicates of shape {values.shape} do not fit {centre.shape} estimates")
    if kind == "bca" and jackknife is None:
        raise SpecError("kind='bca' needs the jackknife estimates")
    a = np.zeros(len(centre)) if jackknife is None else acceleration(jackknife)
    ends = [
        _ends(column, estimate, level, a_k if kind == "bca" else None)
        for column, estimate, a_k in zip(values.T, centre, a)
    ]
    lower, upper = np.array(ends).reshape(-1, 2).T
    return (2 * centre - upper, 2 * centre - lower) if kind == "basic" else (lower, upper)


def _ends(column: Array, estimate: float, level: float, a: float | None) -> Array:
    """Quantiles of one estimate's replicates; corrected for bias where there is an acceleration."""
    values = np.sort(column[np.isfinite(column)])
    if len(values) < 2:
        raise DataError(f"{len(values)} usable replicate(s): a bootstrap interval needs more")
    p = np.array([(1 - level) / 2, (1 + level) / 2])
    if a is not None:
        z0 = special.ndtri(np.mean(values < estimate) + np.mean(values == estimate) / 2)
        z = z0 + special.ndtri(p)
        if not np.isfinite(z).all():
            return np.full(2, np.nan)
        p = special.ndtr(z0 + z / (1 - a * z))
    return _quantiles(values, p)


def acceleration(jackknife: ArrayLike) -> Array:
    """BCa's acceleration from (m, k) jackknife values, (k,); 0 where they do not vary."""
    values = np.asarray(jackknife, float)
    d = values.mean(axis=0) - values
    size = (d**2).sum(axis=0) ** 1.5
    return np.asarray((d**3).sum(axis=0) / np.where(size > 0, 6 * size, 1.0))


def _quantiles(column: Array, p: Array) -> Array:
    """Quantiles of sorted values at ranks (B + 1)p, the extremes beyond the first and last."""
    rank = np.clip((len(column) + 1) * p, 1, len(column))
    k = np.minimum(rank.astype(int), len(column) - 1)
    normal = special.ndtri([k / (len(column) + 1), (k + 1) / (len(column) + 1)])
    share = (special.ndtri(rank / (len(column) + 1)) - normal[0]) / (normal[1] - normal[0])
    return np.asarray(column[k - 1] + share * (column[k] - column[k - 1]))


# --- jackknife ---------------------------------------------------------------------------------


def jackknife(snapshot: FitSnapshot) -> Array:
    """θ̂ without each outermost group in turn, by one step of Fisher scoring from θ̂.

    Units are the outermost groups, without random effects the correlation groups, else the rows.

    Returns
    -------
    (m, r) array

    Raises
    ------
    InformationError
        Without some group the model is not identified.

    Notes
    -----
    θ̂ + I⁻¹s, information and score of the data without the group at θ̂: the group's influence to
    first order, which is what the acceleration of BCa needs (Efron 1987, section 6).
    """
    units = _units(snapshot)
    estimate = theta(snapshot).values
    found = []
    for unit in range(int(units.max()) + 1):
        forms = contract(_subset(snapshot, units != unit), estimate)
        found.append(estimate + information_from(forms, "expected").inverse() @ forms.score)
    if len(found) < 2:
        raise InformationError("one group only: nothing to leave out")
    return np.array(found)


def _units(snapshot: FitSnapshot) -> Array:
    if snapshot.levels:
        return snapshot.levels[0].codes
    return snapshot.cor.codes if snapshot.cor else np.arange(snapshot.n)


def _subset(snapshot: FitSnapshot, keep: Array) -> FitSnapshot:
    """The snapshot of some rows, at the same estimates."""
    return replace(
        snapshot,
        levels=tuple(_subset_level(level, keep) for level in snapshot.levels),
        cor=_subset_rows(snapshot.cor, keep) if snapshot.cor else None,
        var=tuple(_subset_rows(var, keep) for var in snapshot.var),
        **{name: getattr(snapshot, name)[keep] for name in ("y", "X", "fitted", "rows")},
    )


def _subset_level(level: RandomLevel, keep: Array) -> RandomLevel:
    there, codes = np.unique(level.codes[keep], return_inverse=True)
    labels = tuple(level.labels[k] for k in there)
    return replace(level, Z=level.Z[keep], codes=codes, labels=labels, b=level.b[there])


def _subset_rows(part: Any, keep: Array) -> Any:
    """A correlation structure or variance function on some rows; its coefficients stay."""
    rows = {name: getattr(part, name) for name in ("codes", "covariate")}
    return replace(part, **{name: x[keep] for name, x in rows.items() if x is not None})
