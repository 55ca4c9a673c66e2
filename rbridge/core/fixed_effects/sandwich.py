"""Cluster-robust covariances of β̂ with small-sample corrections, and their degrees of freedom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.linalg import solve_triangular

from ...errors import InformationError, SpecError
from ...options import one_of
from ..arrays import Array
from ..engine.forms import Forms
from ..engine.layout import conditioned
from ..engine.model import model_at
from ..snapshot import FitSnapshot
from .blocks import block_covariance, block_roots, clusters
from .hypothesis import Scaling

SandwichKind = Literal["CR0", "CR2", "CR3"]
_SINGULAR = 1e-10  # of an eigenvalue of I − H, which lies between 0 and 1


@dataclass(frozen=True)
class ClusterRobust:
    """Tests with a sandwich covariance; the V of the fit is the working model.

    The contributions t_j of the J clusters to β̂ are kept in coordinates γ with β = root γ, in
    which the model's own covariance is I: Cov(t_i, t_j) = [i = j] spread_i − pull_i'pull_j under V.

    Attributes
    ----------
    kind : {"CR0", "CR2", "CR3"}
    count : int
        J.
    vcov : (p, p) array
    root : (p, p) array
        With root root' = Φ.
    spread, pull : (J, p, p) arrays
    """

    kind: SandwichKind
    count: int
    vcov: Array
    root: Array
    spread: Array
    pull: Array

    def row_df(self, L: Array) -> Array:
        """(q,) degrees of freedom of the rows of L (q, p) after Bell and McCaffrey.

        Notes
        -----
        Satterthwaite's 2E²/Var of the variance estimate, a quadratic form in y, under V.
        """
        spread, pull = self._of(L)
        a, u = np.einsum("jqq->jq", spread), pull  # (J, q) and (J, p, q)
        length = np.einsum("jpq,jpq->jq", u, u)
        outer = np.einsum("jaq,jbq->qab", u, u, optimize=True)
        square = np.sum(a**2 - 2 * a * length, axis=0) + np.sum(outer**2, axis=(1, 2))
        return np.asarray((a - length).sum(axis=0) ** 2 / square)

    def scaling(self, L: Array) -> Scaling:
        """Of the approximate Hotelling T²_Z test of linearly independent rows L (q, p).

        Raises
        ------
        SpecError
            There are more rows than clusters.

        Notes
        -----
        With D the estimated LV^CRL' in units of its expectation under V, η = q(q + 1)/Σ Var(D_st)
        and (η − q + 1)/(ηq) Q is taken as F(q, η − q + 1).

        References
        ----------
        Pustejovsky and Tipton (2018), Journal of Business & Economic Statistics 36, 672–683.
        """
        q = len(L)
        if q > self.count:
            raise SpecError(f"a hypothesis of {q} rows cannot be tested with {self.count} clusters")
        eta = q * (q + 1) / self._total_variance(L)
        if not eta > q - 1:
            few = f"the approximate T² has no degrees of freedom here ({eta:.3g} − {q} + 1)"
            return Scaling(1.0, float("nan"), f"{few}: too few clusters for {q} rows")
        return Scaling((eta - q + 1) / eta, eta - q + 1)

    def _of(self, L: Array) -> tuple[Array, Array]:
        """spread (J, q, q) and pull (J, p, q) of the combinations L of β̂."""
        C = L @ self.root
        return C @ self.spread @ C.T, self.pull @ C.T

    def _total_variance(self, L: Array) -> float:
        """Σ_st Var(D_st): Σ_st Σ_ij Ψ_ss Ψ_tt + Ψ_st Ψ_ts over the covariances Ψ_ij of the t's."""
        spread, pull = self._of(L)
        shrunk = np.einsum("jps,jpt->jst", pull, pull)
        whiten = np.linalg.inv(np.linalg.cholesky((spread - shrunk).sum(axis=0)))
        spread, pull = whiten @ spread @ whiten.T, pull @ whiten.T
        shrunk = np.einsum("jps,jpt->jst", pull, pull)
        own, lost = (np.einsum("jss->js", x) for x in (spread, shrunk))
        once = own.T @ own - 2 * own.T @ lost
        twice = np.einsum("jst,jst->st", spread, spread - 2 * shrunk)
        cross = np.einsum("jas,jbt->stab", pull, pull, optimize=True)
        across = np.sum(cross**2) + np.einsum("stab,stba->", cross, cross)
        return float(once.sum() + twice.sum() + across)


def cluster_robust(
    snapshot: FitSnapshot, forms: Forms, kind: SandwichKind = "CR2", codes: Array | None = None
) -> ClusterRobust:
    """A covariance of β̂ that holds whatever the covariance within the clusters is.

    Parameters
    ----------
    snapshot : FitSnapshot
    forms : Forms
        Of this fit.
    kind : {"CR0", "CR2", "CR3"}
        Without correction; unbiased if V is right; close to the jackknife.
    codes : (n,) array, optional
        Cluster of each row in snapshot order, any values; by default the outermost groups (gls:
        the groups of the correlation structure).

    Returns
    -------
    ClusterRobust

    Raises
    ------
    SpecError, DataError
        See :func:`.blocks.clusters`.
    InformationError
        CR3 where a coefficient rests on one cluster alone.

    Notes
    -----
    Σ (ΦX_j'V_j⁻¹A_je_j)(…)'. CR0: A_j = I. CR2: A_j = D_j'(D_jB_jD_j')^{+½}D_j, with the upper
    Cholesky factor D_j of V_j, B_j = V_j − X_jΦX_j' and the Moore–Penrose inverse of the root.
    CR3: A_j = (I − X_jΦX_j'V_j⁻¹)⁻¹. Dense in each cluster, linear in their number.

    References
    ----------
    Bell and McCaffrey (2002), Survey Methodology 28, 169–181; Pustejovsky and Tipton (2018),
    Journal of Business & Economic Statistics 36, 672–683.
    """
    adjusted = _ADJUSTED[one_of(kind, get_args(SandwichKind), "vcov")]
    found = clusters(snapshot, codes)
    X: Array = conditioned(snapshot.X)[0]
    residual: Array = snapshot.y - snapshot.X @ snapshot.beta
    model, inner = model_at(snapshot), _inverse_root(forms.fixed.cross)
    parts = []
    for rows in found.batches:
        L = block_roots(block_covariance(snapshot, model, rows))
        both = np.concatenate([X[rows] @ inner, residual[rows][..., None]], axis=-1)
        white = np.linalg.solve(L, both)
        parts.append(adjusted(white[..., :-1], white[..., -1], L))
    t, spread, pull = (np.concatenate(part) for part in zip(*parts))
    root = solve_triangular(forms.fixed.x_map, inner)
    return ClusterRobust(kind, found.count, root @ t.T @ t @ root.T, root, spread, pull)


def _inverse_root(cross: Array) -> Array:
    """R with RR' = cross⁻¹."""
    scale = np.sqrt(np.diagonal(cross))
    lower = np.linalg.cholesky(cross / np.outer(scale, scale))
    return np.asarray(np.linalg.inv(lower).T / scale[:, None])


# Each takes X̃ = L⁻¹XR (m, s, p), ẽ = L⁻¹e (m, s) and L (m, s, s) with V = LL', RR' = Φ, and gives
# t (m, p), spread and pull (m, p, p) in the coordinates of ClusterRobust.


def _cr0(x: Array, e: Array, L: Array) -> tuple[Array, Array, Array]:
    s = x.swapaxes(1, 2) @ x
    return np.einsum("msp,ms->mp", x, e), s, s


def _cr2(x: Array, e: Array, L: Array) -> tuple[Array, Array, Array]:
    """D = L' and F = L'L, in which DBD' = F(I − X̃X̃')F and T = X̃'(DBD')^{+½}L'."""
    F = L.swapaxes(1, 2) @ L
    Fx = F @ x
    values, vectors = np.linalg.eigh(F @ F - Fx @ Fx.swapaxes(1, 2))
    lost = np.linalg.eigvalsh(x.swapaxes(1, 2) @ x) > 1 - _SINGULAR
    kept = np.arange(F.shape[1]) >= lost.sum(axis=1)[:, None]
    kept &= values > np.finfo(float).eps * values[:, -1:]
    power = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    Mx = vectors @ (power[..., None] * (vectors.swapaxes(1, 2) @ x))
    FMx = F @ Mx
    t = np.einsum("msp,ms->mp", FMx, e)  # X̃'M L'e = X̃'M F ẽ
    return t, FMx.swapaxes(1, 2) @ FMx, x.swapaxes(1, 2) @ FMx


def _cr3(x: Array, e: Array, L: Array) -> tuple[Array, Array, Array]:
    """X̃'(I − X̃X̃')⁻¹ = (I − X̃'X̃)⁻¹X̃'."""
    s = x.swapaxes(1, 2) @ x
    values, vectors = np.linalg.eigh(s)
    if (values > 1 - _SINGULAR).any():
        raise InformationError(
            "CR3 does not exist: without one of the clusters a coefficient cannot be estimated; "
            "use CR2"
        )
    inverse = (vectors / (1 - values)[:, None]) @ vectors.swapaxes(1, 2)
    t = np.einsum("mpq,msq,ms->mp", inverse, x, e, optimize=True)
    return t, inverse @ s @ inverse, inverse @ s


_ADJUSTED: dict[str, Callable[[Array, Array, Array], tuple[Array, Array, Array]]] = {
    "CR0": _cr0,
    "CR2": _cr2,
    "CR3": _cr3,
}
