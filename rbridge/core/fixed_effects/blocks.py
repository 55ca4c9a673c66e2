"""V in dense blocks by cluster, the clusters of one size at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import DataError, SpecError
from ..arrays import Array
from ..engine.covariance import NotPositiveDefinite, correlation, deviation
from ..engine.model import Model
from ..snapshot import FitSnapshot

_ENTRIES = 2_000_000  # of V at a time


@dataclass(frozen=True)
class Clusters:
    """Rows gathered by cluster.

    Attributes
    ----------
    count : int
    batches : tuple of (m, s) int arrays
        The rows of m clusters of s rows each, in snapshot order; every cluster in one batch.
    """

    count: int
    batches: tuple[Array, ...]


def clusters(snapshot: FitSnapshot, codes: Array | None = None) -> Clusters:
    """The independent parts of the data, or the coarser ones that the user names.

    Parameters
    ----------
    snapshot : FitSnapshot
    codes : (n,) int array, optional
        Cluster of each row in snapshot order; by default the outermost groups, for gls those of
        the correlation structure.

    Returns
    -------
    Clusters
        The rows of a cluster in the order of the user's frame: CR2 depends on it through the
        Cholesky factor of V, as clubSandwich does.

    Raises
    ------
    SpecError
        A gls without correlation structure has no groups.
    DataError
        The clusters cut across groups that are correlated inside, or there is but one.
    """
    units = [level.codes for level in snapshot.levels[:1]]
    units += [snapshot.cor.codes] if snapshot.cor is not None else []
    if codes is None:
        if not units:
            raise SpecError("the model has no groups to cluster by: give cluster=, a column")
        codes = units[0]
    codes = np.asarray(np.unique(np.asarray(codes), return_inverse=True)[1].reshape(-1))
    if codes.shape != (snapshot.n,):
        raise DataError(f"cluster has {len(codes)} values for the {snapshot.n} rows of the fit")
    for unit in units:
        _check_whole(unit, codes)
    order = np.lexsort((snapshot.rows, codes))
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        raise DataError("a cluster-robust covariance needs two clusters or more; here is one")
    starts = np.cumsum(sizes) - sizes
    batches = [order[starts[sizes == s][:, None] + np.arange(s)] for s in np.unique(sizes)]
    return Clusters(len(sizes), tuple(part for batch in batches for part in _cut(batch)))


def _check_whole(unit: Array, codes: Array) -> None:
    """Every group of correlated rows lies inside one cluster."""
    first = np.zeros(int(unit.max()) + 1, dtype=int)
    first[unit[::-1]] = codes[::-1]
    if (first[unit] != codes).any():
        row = int((first[unit] != codes).argmax())
        raise DataError(
            "the clusters cut across the groups of the fit: rows of one group are correlated and "
            f"must be in one cluster (row {row} is not)"
        )


def _cut(batch: Array) -> Iterator[Array]:
    m, s = batch.shape
    step = max(_ENTRIES // (s * s), 1)
    yield from (batch[i : i + step] for i in range(0, m, step))


def block_covariance(snapshot: FitSnapshot, model: Model, rows: Array) -> Array:
    """V of some whole clusters.

    Parameters
    ----------
    snapshot : FitSnapshot
    model : Model
        The structures at the θ wanted.
    rows : (m, s) int array

    Returns
    -------
    (m, s, s) array
    """
    sd = np.full(rows.shape, np.sqrt(model.sigma_sq))
    for var, coefs in zip(model.var, model.var_coefs):
        sd = sd * np.asarray(deviation(var, coefs, rows.reshape(-1))).reshape(rows.shape)
    V = np.zeros((*rows.shape, rows.shape[1]))
    if model.cor is None:
        np.einsum("mii->mi", V)[:] = sd**2
    else:
        R = correlation(model.cor, model.cor_coefs, model.cor.covariate[rows])
        V += R * _same(model.cor.codes[rows]) * sd[:, :, None] * sd[:, None]
    for level, D in zip(snapshot.levels, model.D):
        Z = level.Z[rows]
        V += Z @ D @ Z.swapaxes(1, 2) * _same(level.codes[rows])
    return V


def block_roots(V: Array) -> Array:
    """Lower Cholesky roots of (m, s, s) blocks."""
    try:
        return np.linalg.cholesky(V)
    except np.linalg.LinAlgError:
        raise NotPositiveDefinite("V is not positive definite") from None


def _same(codes: Array) -> Array:
    return np.asarray(codes[:, :, None] == codes[:, None, :])
