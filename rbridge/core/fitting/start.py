"""Where to begin, from the data alone: MIVQUE for the D's, a few values for the structures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from ...errors import InformationError
from ..arrays import Array, group_starts
from ..engine.contractions import contract
from ..engine.layout import keep_for
from ..parameters import free_cor, tau_basis
from ..snapshot import CorStruct, FitSnapshot, VarFunc
from ..unconstrained import LOG_RANGE, logged
from .surface import Surface, at_best_scale

PRIOR = 0.4  # variance of a random effect's contribution, in units of the residual variance
_KINKED = ("corLin", "corSpher")
LEAST_SIGMA = 0.05  # of σ², likewise after one step
LEAST_SHARE = 1e-3  # of that prior: how near to singular a start may be


def starts(surface: Surface) -> list[Array]:
    """Points ψ to climb from, the most promising first."""
    snapshot = surface.snapshot
    curves = [[_mivque(surface, u) for u in curve] for curve in structures(snapshot)]
    tried = [psi for curve in curves for psi in curve]
    if len(tried) == 1:
        return tried
    peaks = [peak for curve in curves for peak in _peaks(surface, curve)]
    highest = sorted(peaks, key=lambda peak: -peak[0])[: _climbs(snapshot)]
    return [psi for _, psi in highest] or tried[:1]


def _climbs(snapshot: FitSnapshot) -> int:
    """From how many values of the structures to climb: what they leave of one maximum."""
    cor = free_cor(snapshot)
    if cor and cor.cor_class in LOG_RANGE:
        return 4 if cor.cor_class in _KINKED else 3
    return 1 if cor is None or cor.cor_class in ("corAR1", "corCAR1") else 2


def _peaks(surface: Surface, curve: list[Array]) -> Iterator[tuple[float, Array]]:
    """Height and place of the points of a curve that are higher than their neighbours."""
    heights = [-np.inf, *(_height(surface, psi) for psi in curve), -np.inf]
    for before, here, after, psi in zip(heights, heights[1:], heights[2:], curve):
        if here > -np.inf and here >= max(before, after):
            yield here, psi


def prior(squares: Array, E: Array, sigma_sq: float) -> Array:
    """(…, e) θ of a diagonal D whose every effect contributes as much as the prior says.

    ``squares`` (…, q) are the means of Z², column by column.
    """
    each = PRIOR * sigma_sq / np.maximum(squares, 1e-300)
    diagonal = np.einsum("ekk,...k->...e", E, each)
    return np.asarray(diagonal / np.maximum(np.einsum("ekk->e", E), 1))


def mean_squares(Z: Array) -> Array:
    """(q,) of the columns of Z."""
    return np.asarray(np.einsum("ij,ij->j", Z, Z) / max(len(Z), 1))


def least_squares(X: Array, y: Array) -> Array:
    """(p,) coefficients of ordinary least squares, the shortest where X is rank deficient.

    Only a first approximation: what they leave is again projected, with V, by every evaluation.
    """
    cross = X.T @ X
    scale = np.sqrt(np.diag(cross))
    scale[scale == 0] = 1
    inverse = np.linalg.pinv(cross / np.outer(scale, scale), hermitian=True)
    return np.asarray(inverse @ (X.T @ y / scale) / scale)


def _residual_variance(snapshot: FitSnapshot) -> float:
    """Of the residuals as they are; 1 where there are none."""
    residual: Array = snapshot.y - snapshot.X @ snapshot.beta
    found = float(residual @ residual) / max(snapshot.n - snapshot.X.shape[1], 1)
    return found if found > 0 else 1.0


def _height(surface: Surface, psi: Array) -> float:
    """Log-likelihood at ψ with σ² at its best, without derivatives."""
    with np.errstate(all="ignore"):
        try:
            forms = contract(surface.snapshot, surface.theta(psi), derivatives=False)
        except (InformationError, np.linalg.LinAlgError):
            return -np.inf
    if surface.fixed:
        return forms.log_likelihood
    free = forms.n - forms.p if forms.method == "REML" else forms.n
    return forms.log_likelihood + (forms.quad - free - free * float(np.log(forms.quad / free))) / 2


def _mivque(surface: Surface, u: Array) -> Array:
    """ψ with (k,) ``u`` for the structures, the D's from one step of Fisher scoring, in the cone.

    From a start without correlation between the effects: minimum variance quadratic unbiased
    estimation (Rao 1971, Journal of Multivariate Analysis 1, 445–456).
    """
    snapshot, n_tau = surface.snapshot, surface.coding.n_tau
    sigma_sq = snapshot.sigma**2 if surface.fixed else _residual_variance(snapshot)
    usual = [
        prior(mean_squares(level.Z), tau_basis(level)[1], sigma_sq) for level in snapshot.levels
    ]
    base = surface.coding.theta(np.concatenate([np.zeros(n_tau), u]), 1.0)[n_tau:]
    theta = np.concatenate([*usual, base, [] if surface.fixed else [sigma_sq]])
    if n_tau:
        linear = np.r_[0:n_tau, ([] if surface.fixed else [len(theta) - 1])].astype(int)
        theta[linear] = _scored(_held_structures(snapshot, base), theta[linear])
    for place, E in _levels(snapshot):
        least = LEAST_SHARE * np.tensordot(np.concatenate(usual)[place], E, 1)
        theta[place] = inside(theta[place], E, least)
    psi = surface.psi(theta)
    psi[n_tau : n_tau + len(u)] = u
    return psi


def _scored(snapshot: FitSnapshot, theta: Array) -> Array:
    """θ after one step of Fisher scoring where V is linear in it; θ itself where there is none."""
    with np.errstate(all="ignore"):
        try:
            forms = contract(snapshot, theta)
            if not snapshot.fixed_sigma:
                forms, ratio = at_best_scale(forms, len(theta) - 1)
                theta = theta * ratio
            found = theta + np.linalg.solve(forms.trace2, 2 * forms.score)
        except (InformationError, np.linalg.LinAlgError):
            return theta
    if not snapshot.fixed_sigma:
        found[-1] = max(found[-1], LEAST_SIGMA * theta[-1])
    return np.asarray(found) if np.isfinite(found).all() else theta


def _held_structures(snapshot: FitSnapshot, base: Array) -> FitSnapshot:
    """The model whose correlation structure and variance function are fixed at ``base``."""
    cor = snapshot.cor
    if cor is None and not snapshot.var:
        return snapshot
    if cor is not None and not cor.fixed:
        cor, base = (
            replace(cor, values=base[: len(cor.values)], fixed=True),
            base[len(cor.values) :],
        )
    weights = []
    for var in snapshot.var:
        values, free = np.array(var.values, dtype=float), var.free.astype(bool)
        values[free], base = base[: free.sum()], base[free.sum() :]
        weights.append(replace(var, values=values, free=np.zeros(len(free), dtype=bool)))
    return keep_for(replace(snapshot, cor=cor, var=tuple(weights)), snapshot)


def _levels(snapshot: FitSnapshot) -> Iterator[tuple[slice, Array]]:
    start = 0
    for level in snapshot.levels:
        E = tau_basis(level)[1]
        yield slice(start, start + len(E)), E
        start += len(E)


def inside(tau: Array, E: Array, least: Array) -> Array:
    """τ (..., e) with D ≥ ``least`` (..., q, q), a diagonal matrix: lower eigenvalues lifted."""
    unit = np.sqrt(np.diagonal(least, axis1=-2, axis2=-1))
    both = unit[..., :, None] * unit[..., None, :]
    values, vectors = np.linalg.eigh(np.tensordot(tau, E, 1) / both)
    lifted = vectors * np.maximum(values, 1)[..., None, :]
    D = lifted @ vectors.swapaxes(-1, -2) * both
    found = np.einsum("eij,...ij->...e", E, D) / np.einsum("eij->e", E)
    return np.asarray(np.where(values[..., :1] >= 1, tau, found))


# --- the structures -----------------------------------------------------------------------------


def structures(snapshot: FitSnapshot) -> list[list[Array]]:
    """Unconstrained coefficients of R and S to try: curves of (k,) arrays."""
    cor = free_cor(snapshot)
    spatial = cor is not None and cor.cor_class in LOG_RANGE
    other = [[u] for u in _of_correlation(cor)] if cor and not spatial else [[np.empty(0)]]
    curves = _of_space(cor) if cor and spatial else other
    weights = [np.concatenate(w) for w in product(*map(_of_variance, snapshot.var)) if w]
    return [
        [np.concatenate([u, w]) for u in curve]
        for curve, w in product(curves, weights or [np.empty(0)])
    ]


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _of_correlation(cor: CorStruct) -> list[Array]:
    k = len(cor.names)
    if cor.cor_class == "corCAR1":
        gap = np.diff(cor.covariate[:, 0].astype(float))[np.diff(cor.codes) == 0]
        typical = float(np.median(np.abs(gap))) if len(gap) else 1.0
        return [np.array([_logit(0.4 ** (1 / typical))])]
    if cor.cor_class == "corCompSymm":
        return [np.array([_logit((0.2 - cor.lower) / (1 - cor.lower))])]
    if cor.cor_class == "corARMA" and k > 1:
        return _of_arma(cor)
    if cor.cor_class in ("corAR1", "corARMA"):
        return [np.array([2 * np.arctanh(0.3)])]
    return [np.zeros(k)]


def _of_arma(cor: CorStruct) -> list[Array]:
    """Partial autocorrelations at lag one of the two parts; zero at the others."""
    first = product((-0.4, 0.1, 0.6) if cor.p else (None,), (-0.4, 0.1, 0.5) if cor.q else (None,))
    found = []
    for ar, ma in first:
        u = np.zeros(cor.p + cor.q)
        if ar is not None:
            u[0] = 2 * np.arctanh(ar)
        if ma is not None:
            u[cor.p] = 2 * np.arctanh(ma)
        found.append(u)
    return found


def _of_space(cor: CorStruct) -> list[list[Array]]:
    """Ranges up to twice the widest distance; many where the likelihood has kinks and ridges."""
    kinked = cor.cor_class in _KINKED
    shift = cor.min_distance if kinked else 0.0
    widest = max(_widest(cor), 2 * shift, 1e-300)
    least = 0.2 * shift if kinked else 0.02 * widest
    ranges = np.log(np.geomspace(least, 2 * widest, 33 if kinked else 8))
    nuggets = [[_logit(share)] for share in (0.1, 0.5)] if cor.nugget else [[]]
    return [[np.array([u, *nugget]) for u in ranges] for nugget in nuggets]


def _widest(cor: CorStruct) -> float:
    """The largest extent of a group along one coordinate."""
    at = group_starts(cor.codes)
    x = cor.covariate.astype(float)
    return float((np.maximum.reduceat(x, at) - np.minimum.reduceat(x, at)).max(initial=0))


def _of_variance(var: VarFunc) -> list[Array]:
    free = var.free.astype(bool)
    if var.var_class not in ("varConstPower", "varConstProp"):
        return [np.zeros(free.sum())]
    typical = float(np.median(np.abs(var.covariate))) if var.covariate is not None else 1.0
    n, power = len(var.names) // 2, var.var_class == "varConstPower"
    tried = [(0.1, 0.2), (1.0, 0.5), (typical, 1.0)] if power else [(1.0, 0.5 / (typical or 1.0))]
    found = []
    for const, slope in tried:
        values = np.repeat([const or 1.0, slope], n)[free]
        values[logged(var)] = np.log(values[logged(var)])
        found.append(values)
    return found
