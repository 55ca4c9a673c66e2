"""Rows that continue a correlated series: what its observed rows say about their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ..arrays import Array
from ..engine.correlation import is_markov
from ..engine.covariance import correlation
from ..residuals import standard_deviations
from ..snapshot import CorStruct, FitSnapshot


@dataclass(frozen=True)
class Continuation:
    """Given the observed rows o of its series, the error of a new row is κ'ε_o + an innovation.

    Attributes
    ----------
    conditional : (m,) bool array
        False where the row continues no series: κ = 0.
    X : (m, p) array
        κ'X_o.
    Z : tuple of (m, q) arrays
        κ'Z_o, outermost level first.
    y : (m,) array
        κ'y_o.
    share : (m,) array
        Variance of the innovation as a share of the error's variance.
    """

    conditional: Array
    X: Array
    Z: tuple[Array, ...]
    y: Array
    share: Array


def continuation(snapshot: FitSnapshot, groups: Array, covariate: Array, sd: Array) -> Continuation:
    """Regress the errors of new rows on those of the observed rows of their series.

    Parameters
    ----------
    snapshot : FitSnapshot
        With a correlation structure.
    groups : (m,) int array
        Correlation group of each row, −1 for none.
    covariate : (m, d) array
        As ``CorStruct.covariate``.
    sd : (m,) array
        Standard deviation of the error of each row.

    Raises
    ------
    DataError
        A position that a corSymm does not have.

    Notes
    -----
    κ = R_oo⁻¹r · sd/sd_o. A row at the very position of an observed one is taken as a prediction
    of that row's expectation, not as a second measurement: it continues nothing. For AR(1) and
    CAR(1) the nearest rows before and after say all.
    """
    cor = snapshot.cor
    assert cor is not None
    _check_positions(cor, groups, covariate)
    m, sd_observed = len(groups), standard_deviations(snapshot)
    out = Continuation(
        np.zeros(m, dtype=bool),
        np.zeros((m, snapshot.X.shape[1])),
        tuple(np.zeros((m, level.Z.shape[1])) for level in snapshot.levels),
        np.zeros(m),
        np.ones(m),
    )
    for group in np.unique(groups[groups >= 0]):
        observed = np.arange(*np.searchsorted(cor.codes, (group, group + 1)))
        new = np.flatnonzero(groups == group)
        new = new[~_stands_there(cor, cor.covariate[observed], covariate[new])]
        for rows, near in _pieces(cor, observed, new, covariate):
            kappa, share = _regression(cor, cor.covariate[near], covariate[rows])
            kappa = kappa * sd[rows, None] / sd_observed[near]
            out.conditional[rows], out.share[rows] = True, share
            out.X[rows], out.y[rows] = kappa @ snapshot.X[near], kappa @ snapshot.y[near]
            for part, level in zip(out.Z, snapshot.levels):
                part[rows] = kappa @ level.Z[near]
    return out


def _check_positions(cor: CorStruct, groups: Array, covariate: Array) -> None:
    if cor.cor_class not in ("corSymm", "corNatural"):
        return
    position = covariate[groups >= 0, 0]
    if ((position < 0) | (position >= cor.size)).any():
        raise DataError(f"the {cor.cor_class} of the fit has {cor.size} positions, new rows others")


def _stands_there(cor: CorStruct, observed: Array, new: Array) -> Array:
    """(k,) whether a new row is at the position of an observed one, with which it would be one."""
    if cor.cor_class == "corCompSymm" or cor.nugget:
        return np.zeros(len(new), dtype=bool)
    return np.asarray((new[:, None] == observed).all(axis=-1).any(axis=1))


def _pieces(
    cor: CorStruct, observed: Array, new: Array, covariate: Array
) -> list[tuple[Array, Array]]:
    """New rows with the observed rows that their errors depend on."""
    if not len(new) or not len(observed):
        return []
    if not is_markov(cor):
        return [(new, observed)]
    time = cor.covariate[observed, 0]
    order = np.argsort(time, kind="stable")
    after = np.searchsorted(time[order], covariate[new, 0])
    near = [observed[order[max(i - 1, 0) : i + 1]] for i in after]
    return [(new[i : i + 1], rows) for i, rows in enumerate(near)]


def _regression(cor: CorStruct, observed: Array, new: Array) -> tuple[Array, Array]:
    """Coefficients (k, s) of R_oo⁻¹r for each new row and the share of variance left, (k,)."""
    s = len(observed)
    R = np.asarray(correlation(cor, cor.values, np.concatenate([observed, new])))
    r = R[:s, s:]
    kappa = np.linalg.solve(R[:s, :s], r)
    return kappa.T, 1 - np.einsum("sk,sk->k", kappa, r)
