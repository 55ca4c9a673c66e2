"""Predictions of new rows with their errors: the joint error of β̂ and the random effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import DataError, SpecError
from ..arrays import Array
from ..engine.covariance import deviation
from ..engine.forms import Forms
from ..snapshot import FitSnapshot
from .group_moments import group_moments
from .moments import fixed_moments
from .series import continuation


@dataclass(frozen=True)
class NewRows:
    """Rows to predict, in the terms of the fit.

    Attributes
    ----------
    X : (m, p) array
    Z : tuple of (m, q) arrays
        Of each level, outermost first.
    groups : tuple of (m,) int arrays
        Number of each row's group in ``RandomLevel.labels`` of each level; −1 where the fit has
        not seen it, and then at every level inside it too.
    sd : (m,) array
        Standard deviation of the within-group error, σ·s_i; see :func:`new_deviations`.
    cor_groups : (m,) int array, optional
        Number of the correlation group whose series the row continues, as in ``CorStruct.codes``;
        −1 for none.
    cor_covariate : (m, d) array, optional
        As ``CorStruct.covariate``.
    """

    X: Array
    Z: tuple[Array, ...]
    groups: tuple[Array, ...]
    sd: Array
    cor_groups: Array | None = None
    cor_covariate: Array | None = None


@dataclass(frozen=True)
class Predictions:
    """All (m,) arrays.

    Attributes
    ----------
    mean
    mse
        Mean squared error of ``mean`` as an estimate of the expected response, given the groups
        down to the level asked for and, where ``conditional``, the observed rows of the series.
    variance
        Of a new response around ``mean``: ``mse``, the random effects of the levels further in,
        and the within-group error.
    conditional
        Whether the row continues a series: the mean has the series' residuals in it.
    """

    mean: Array
    mse: Array
    variance: Array
    conditional: Array


def new_deviations(
    snapshot: FitSnapshot,
    m: int,
    covariates: Sequence[Array | None] = (),
    codes: Sequence[Array | None] = (),
) -> Array:
    """Standard deviation σ·s_i of the within-group error of m new rows.

    Parameters
    ----------
    covariates, codes : sequences of (m,) arrays or None
        For each component of ``snapshot.var``: its covariate and its strata, as in ``VarFunc``.
    """
    sd = np.full(m, snapshot.sigma)
    for var, covariate, strata in zip(snapshot.var, covariates, codes, strict=True):
        sd *= deviation(replace(var, covariate=covariate, codes=strata), var.values)
    return sd


def predict_rows(
    snapshot: FitSnapshot,
    forms: Forms,
    new: NewRows,
    level: int | None = None,
    *,
    conditional: bool = False,
) -> Predictions:
    """Expected responses of new rows, with the errors of estimate and of prediction.

    Parameters
    ----------
    snapshot : FitSnapshot
    forms : Forms
        Of this fit.
    new : NewRows
    level : int, optional
        Down to which level the groups are given: 0 for the population, by default all. A group
        that the fit has not seen has the random effect 0, whose variance goes into the error.
    conditional : bool
        Rows of a known correlation group continue its series: their errors are predicted from
        those of its observed rows. Only with the innermost level.

    Raises
    ------
    SpecError
        The groups of the fit do not nest, ``conditional`` without a correlation structure or
        below the innermost level, or no such level.
    DataError
        Shapes that do not fit, or values that are not finite.

    Notes
    -----
    Errors are those of the best linear unbiased prediction for known θ (Henderson): for x'β + z'b
    with c = Cov(y, z'b), z'Dz − c'V⁻¹c + (x − X'V⁻¹c)'Φ(x − X'V⁻¹c). A continued series gives the
    same for x − X_o'κ and z − Z_o'κ, plus κ'y_o, which is known.

    References
    ----------
    Henderson (1975), Biometrics 31, 423–447; Harville and Jeske (1992), Journal of the American
    Statistical Association 87, 724–731; SAS/STAT User's Guide, PROC MIXED, OUTP=.
    """
    deepest = len(snapshot.levels)
    level = deepest if level is None else level
    _check(snapshot, new, level, conditional)
    x, z, known = new.X, new.Z, np.zeros(len(new.X))
    share, continued = np.ones(len(new.X)), np.zeros(len(new.X), dtype=bool)
    if conditional and new.cor_groups is not None and new.cor_covariate is not None:
        series = continuation(snapshot, new.cor_groups, new.cor_covariate, new.sd)
        x, z, known = x - series.X, tuple(a - b for a, b in zip(z, series.Z)), series.y
        share, continued = series.share, series.conditional
    mean, mse = _joint(snapshot, forms, x, z[:level], new.groups)
    deeper = sum(
        np.einsum("mi,ij,mj->m", Z, random.D, Z)
        for Z, random in zip(z[level:], snapshot.levels[level:])
    )
    return Predictions(mean + known, mse, mse + deeper + new.sd**2 * share, continued)


def _joint(
    snapshot: FitSnapshot, forms: Forms, x: Array, z: Sequence[Array], groups: Sequence[Array]
) -> tuple[Array, Array]:
    """x'β̂ + Σ z'b̂ and the mean squared error of it, both (m,)."""
    mean, mse = x @ snapshot.beta, np.zeros(len(x))
    moments = group_moments(snapshot) if z else None
    weights: list[Array] = []
    pulled = x.copy()
    for a, (Z, random) in enumerate(zip(z, snapshot.levels)):
        group, seen = np.maximum(groups[a], 0), groups[a] >= 0
        w = np.where(seen[:, None], Z @ random.D, 0.0)
        mean = mean + np.where(seen, np.einsum("mi,mi->m", Z, random.b[group]), 0.0)
        mse += np.einsum("mi,ij,mj->m", Z, random.D, Z)
        assert moments is not None
        pulled -= np.einsum("mi,mip->mp", w, moments.zx[a][group])
        for b, v in enumerate([*weights, w]):
            twice = 1.0 if b == a else 2.0
            mse -= twice * np.einsum("mi,mij,mj->m", w, moments.zz[a][b][group], v)
        weights.append(w)
    mse += np.einsum("mp,pq,mq->m", pulled, fixed_moments(forms).phi, pulled)
    return mean, np.maximum(mse, 0.0)


def _check(snapshot: FitSnapshot, new: NewRows, level: int, conditional: bool) -> None:
    m, deepest = len(new.X), len(snapshot.levels)
    if not 0 <= level <= deepest:
        raise SpecError(f"level must be 0 to {deepest}, not {level}")
    wanted = {"X": (new.X, (m, len(snapshot.beta))), "sd": (new.sd, (m,))}
    for number, random in enumerate(snapshot.levels):
        if number >= min(len(new.Z), len(new.groups)):
            raise DataError(f"new rows need Z and groups for each of {deepest} levels")
        wanted[f"Z of {random.group}"] = new.Z[number], (m, len(random.names))
        wanted[f"groups of {random.group}"] = new.groups[number], (m,)
    for name, (array, shape) in wanted.items():
        if array.shape != shape:
            raise DataError(f"{name} of the new rows has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise DataError(f"{name} of the new rows is not finite")
    if not conditional:
        return
    if snapshot.cor is None or new.cor_groups is None or new.cor_covariate is None:
        raise SpecError("there is no series to continue: the model has no correlation structure")
    if level < deepest:
        raise SpecError("a series is continued at the innermost level only")
