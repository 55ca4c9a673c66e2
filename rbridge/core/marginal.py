"""V of some rows: the covariance that the model gives their responses."""

from __future__ import annotations

import numpy as np

from .arrays import Array
from .engine.covariance import correlation
from .residuals import standard_deviations
from .snapshot import FitSnapshot


def covariance_of_rows(snapshot: FitSnapshot, rows: Array, conditional: bool = False) -> Array:
    """Covariance matrix of the responses of some rows.

    Parameters
    ----------
    snapshot : FitSnapshot
    rows : (m,) int array
        In snapshot order; whole groups of the correlation.
    conditional : bool
        Given the random effects: of the within-group errors alone.

    Returns
    -------
    (m, m) array
        Σ Z D Z' + S R S, or S R S.
    """
    sd = standard_deviations(snapshot)[rows]
    V = _within(snapshot, rows) * np.outer(sd, sd)
    for level in () if conditional else snapshot.levels:
        Z, codes = level.Z[rows], level.codes[rows]
        V += Z @ level.D @ Z.T * (codes[:, None] == codes)
    return np.asarray(V)


def _within(snapshot: FitSnapshot, rows: Array) -> Array:
    R, cor = np.eye(len(rows)), snapshot.cor
    if cor is None:
        return R
    codes = cor.codes[rows]
    for code in np.unique(codes):
        at = np.flatnonzero(codes == code)
        R[np.ix_(at, at)] = correlation(cor, cor.values, cor.covariate[rows[at]])
    return R
