"""Many responses on one design: the maximum of the (restricted) likelihood of each, all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import SnapshotError
from ..arrays import Array
from ..parameters import theta as natural
from ..snapshot import FitSnapshot
from .coding import Coding
from .newton import FAR, FLAT, GROWTH, LEAST_RADIUS, MOST_STEPS, RADIUS, RISING, ROUNDING
from .patterns import ManyForms, Responses, SharedDesign, many_forms, responses, shared_design
from .start import LEAST_SHARE, LEAST_SIGMA, PRIOR, inside

_AT_ONCE = 4_000_000  # numbers that a batch of responses holds


@dataclass(frozen=True)
class Estimates:
    """The maxima of B responses.

    Attributes
    ----------
    theta : (B, r) array
        In the order of :func:`rbridge.core.parameters.theta`.
    beta : (B, p) array
    log_lik : (B,) array
    converged : (B,) bool array
        Where it is False the other numbers are those of the last point, NaN if there is none.
    """

    theta: Array
    beta: Array
    log_lik: Array
    converged: Array


def batches(snapshot: FitSnapshot) -> bool:
    """Whether :func:`estimate_many` can fit this model: one level, V = ZDZ' + σ²I."""
    return len(snapshot.levels) == 1 and snapshot.cor is None and not snapshot.var


def estimate_many(snapshot: FitSnapshot, Y: Array) -> Estimates:
    """The maximum for each of many responses, as :func:`.maximum.estimate` finds it for one.

    Parameters
    ----------
    snapshot : FitSnapshot
        The design and the model; its response and its estimates are not read.
    Y : (B, n) array
        Rows in the order of the snapshot's.

    Raises
    ------
    SnapshotError
        The model has another structure (see :func:`batches`), or ``Y`` another shape.
    InformationError
        The columns of X are linearly dependent.

    Notes
    -----
    The algorithm is that of :func:`.newton.climb`, step for step, over all responses at once. What
    is summed over rows does not depend on θ and is summed once.
    """
    Y = np.asarray(Y, dtype=float)
    if not batches(snapshot):
        raise SnapshotError("a batch needs one grouping level and no correlation or weights")
    if Y.ndim != 2 or Y.shape[1] != snapshot.n or not np.isfinite(Y).all():
        raise SnapshotError(f"Y must be finite numbers of shape (B, {snapshot.n})")
    design = shared_design(snapshot)
    size = max(_AT_ONCE // design.numbers, 1)
    parts = [_climbed(snapshot, design, Y[i : i + size]) for i in range(0, len(Y), size)]
    if not parts:
        r, p = len(natural(snapshot).values), snapshot.X.shape[1]
        return Estimates(np.empty((0, r)), np.empty((0, p)), np.empty(0), np.empty(0, dtype=bool))
    return Estimates(*(np.concatenate(x) for x in zip(*(vars(part).values() for part in parts))))


class _Problem:
    """The likelihood of every response in the factors l of D/σ²: δ_e = l'Q_e l."""

    def __init__(self, snapshot: FitSnapshot, design: SharedDesign) -> None:
        self.design = design
        self.restricted = snapshot.method == "REML"
        self.n = snapshot.n
        self.free = snapshot.n - snapshot.X.shape[1] if self.restricted else snapshot.n
        self.known = snapshot.sigma**2 if snapshot.fixed_sigma else None
        self.factors = Coding(snapshot).factors
        sizes = [len(factor.Q) for factor in self.factors]
        ends = np.cumsum(sizes).tolist()
        self.parts = [slice(end - size, end) for end, size in zip(ends, sizes)]
        self.Q = np.zeros((ends[-1],) * 3)
        for factor, at in zip(self.factors, self.parts):
            self.Q[at, at, at] = factor.Q

    def halved(self, phi: Array) -> Array:
        """∂δ/∂l / 2, (B, e, e)."""
        return np.asarray(np.tensordot(phi, self.Q, axes=(1, 1)))

    def phi(self, delta: Array) -> Array:
        return np.concatenate([f.factor(delta[:, a]) for f, a in zip(self.factors, self.parts)], 1)

    def sigma_sq(self, forms: ManyForms) -> Array:
        """At its best for each D/σ², or as it is known."""
        quad = forms.quad
        return quad / self.free if self.known is None else np.full(len(quad), self.known)

    def forms(self, data: Responses, delta: Array) -> ManyForms:
        return many_forms(self.design, data, delta, self.restricted)


@dataclass
class _Points:
    """A point of each likelihood and the function around it, as :class:`.newton.Local`."""

    phi: Array
    value: Array
    gradient: Array
    hessian: Array
    axes: Array
    size: Array
    reach: Array
    sigma_sq: Array
    beta: Array

    def __getitem__(self, at: Array) -> _Points:
        return _Points(*(value[at] for value in vars(self).values()))

    def put(self, at: Array, other: _Points, which: Array) -> None:
        """Take ``other`` where ``which``, at the places ``at``."""
        for mine, theirs in zip(vars(self).values(), vars(other).values()):
            mine[at[which]] = theirs[which]

    @property
    def slope(self) -> Array:
        return np.asarray(np.linalg.norm(self.gradient, axis=1))


def _points(problem: _Problem, data: Responses, phi: Array) -> _Points:
    """The points at (B, e) ``phi``; of value −∞ where there is no likelihood."""
    half = problem.halved(phi)
    forms = problem.forms(data, np.einsum("bek,bk->be", half, phi))
    scale, free = problem.sigma_sq(forms), problem.free
    log_det = problem.n * np.log(scale) + forms.log_det
    log_det_x = forms.log_det_x - (problem.n - free) * np.log(scale)
    total = free * np.log(2 * np.pi) + forms.quad / scale + log_det
    total = total + log_det_x if problem.restricted else total
    score, hessian, expected = _by_delta(problem, forms, scale)
    J = 2 * half
    squares = np.einsum("ekk->ke", problem.Q)
    floor = np.einsum("ke,bef,kf->bk", squares, forms.trace2 / 2, squares)
    hessian = J.swapaxes(1, 2) @ hessian @ J + 2 * np.tensordot(score, problem.Q, 1)
    metric = J.swapaxes(1, 2) @ expected @ J
    metric += np.sqrt(np.maximum(floor, 0))[:, None] * np.eye(phi.shape[1])
    gradient = np.einsum("bek,be->bk", J, score)
    value = np.where(np.isfinite(metric + hessian).all((1, 2)) & (scale > 0), -total / 2, -np.inf)
    value[~np.isfinite(value)] = -np.inf
    metric[value == -np.inf] = np.eye(phi.shape[1])
    values, vectors = np.linalg.eigh(metric)
    axes = vectors / np.sqrt(np.maximum(values, values[:, -1:] * 1e-14))[:, None]
    return _Points(
        *(phi, value, np.einsum("bki,bk->bi", axes, gradient)),
        *(axes.swapaxes(1, 2) @ hessian @ axes, axes),
        np.abs(log_det) + np.abs(log_det_x) + 3.0 * problem.n,
        np.sqrt(np.diagonal(metric, axis1=1, axis2=2).min(axis=1)),
        *(scale, forms.beta),
    )


def _by_delta(problem: _Problem, forms: ManyForms, scale: Array) -> tuple[Array, Array, Array]:
    """Gradient, Hessian and expected information of the likelihood in δ, σ² profiled out."""
    quad1 = forms.quad1 / scale[:, None]
    score = (quad1 - forms.trace1) / 2
    hessian = forms.trace2 / 2 - forms.quad2 / scale[:, None, None]
    expected = forms.trace2 / 2
    if problem.known is None:
        hessian = hessian + quad1[:, :, None] * quad1[:, None] / (2 * problem.free)
        trace1 = forms.trace1
        expected = expected - trace1[:, :, None] * trace1[:, None] / (2 * problem.free)
    return score, hessian, expected


def _starts(problem: _Problem, data: Responses, snapshot: FitSnapshot) -> Array:
    """(B, e) factors after one step of MIVQUE, as the starts of :func:`.maximum.estimate`."""
    E, Z = problem.design.E, problem.design.Z
    each = PRIOR / np.maximum(np.einsum("ij,ij->j", Z, Z) / len(Z), 1e-300)
    prior = np.einsum("ekk,k->e", E, each) / np.maximum(np.einsum("ekk->e", E), 1)
    forms = problem.forms(data, np.repeat(prior[None], len(data.within), axis=0))
    typical = problem.sigma_sq(forms)
    tau, sigma_sq = _mivque(problem, forms)
    sigma_sq = np.maximum(sigma_sq, LEAST_SIGMA * typical)
    least = LEAST_SHARE * np.tensordot(prior, E, 1) * np.ones((len(tau), 1, 1))
    return problem.phi(inside(tau / sigma_sq[:, None], E, least))


def _mivque(problem: _Problem, forms: ManyForms) -> tuple[Array, Array]:
    """τ and σ² that solve trace2 θ = quad1, (B, e) and (B,)."""
    if problem.known is not None:
        right = forms.quad1 - problem.known * forms.trace1
        return np.linalg.solve(forms.trace2, right[..., None])[..., 0], problem.sigma_sq(forms)
    trace1, B = forms.trace1, len(forms.quad)
    free = np.full((B, 1, 1), float(problem.free))
    top = np.concatenate([forms.trace2, trace1[:, :, None]], axis=2)
    left = np.concatenate([top, np.concatenate([trace1[:, None], free], axis=2)], axis=1)
    right = np.concatenate([forms.quad1, forms.quad[:, None]], axis=1)
    found = np.linalg.solve(left, right[..., None])[..., 0]
    return found[:, :-1], found[:, -1]


def _climbed(snapshot: FitSnapshot, design: SharedDesign, Y: Array) -> Estimates:
    problem, data = _Problem(snapshot, design), responses(design, Y)
    with np.errstate(all="ignore"):
        found, converged = _climb(problem, data, _starts(problem, data, snapshot))
        delta = np.einsum("bek,bk->be", problem.halved(found.phi), found.phi)
    theta = delta * found.sigma_sq[:, None]
    if problem.known is None:
        theta = np.column_stack([theta, found.sigma_sq])
    nowhere = ~np.isfinite(found.value)
    theta[nowhere] = found.beta[nowhere] = found.value[nowhere] = np.nan
    return Estimates(theta, found.beta, found.value, converged)


def _climb(problem: _Problem, data: Responses, start: Array) -> tuple[_Points, Array]:
    """:func:`.newton.climb` for each response; those that are done leave the batch."""
    points = _points(problem, data, start)
    radius = np.maximum(RADIUS, FAR * points.reach)
    widest = GROWTH * radius
    converged = np.zeros(len(start), dtype=bool)
    at = np.flatnonzero(points.value > -np.inf)
    data = data[at]
    for _ in range(MOST_STEPS):
        now = points[at]
        step, rise = _trust_steps(now.gradient, now.hessian, radius[at])
        done = (now.slope < FLAT) & (rise < RISING)
        tried = _points(problem, data, now.phi + np.einsum("bij,bj->bi", now.axes, step))
        gain, noise = tried.value - now.value, ROUNDING * now.size
        unseen = rise < 10 * noise  # too little to be seen in the value: the slope decides
        stuck = unseen & ((gain < -1e3 * noise) | ~(tried.slope <= now.slope / 2))
        converged[at] = done | (stuck & (now.slope < 1e3 * FLAT))
        length = np.linalg.norm(step, axis=1)
        radius[at] = _radius(radius[at], widest[at], gain / rise, length, unseen)
        better = ~done & ~stuck & (unseen | (gain > 1e-4 * rise))
        points.put(at, tried, better)
        left = ~done & ~stuck & (better | (radius[at] >= LEAST_RADIUS))
        at, data = at[left], data[left] if not left.all() else data
        if not len(at):
            break
    return points, converged


def _radius(radius: Array, widest: Array, ratio: Array, length: Array, unseen: Array) -> Array:
    grown = np.where(
        (ratio > 0.75) & (length > 0.8 * radius), np.minimum(2 * radius, widest), radius
    )
    return np.asarray(np.where(unseen, radius, np.where(ratio < 0.25, length / 4, grown)))


def _trust_steps(gradient: Array, hessian: Array, radius: Array) -> tuple[Array, Array]:
    """:func:`.newton.trust_step` for each response: steps (B, d) and rises (B,)."""
    values, vectors = np.linalg.eigh(hessian)
    slopes = np.einsum("bij,bi->bj", vectors, gradient)
    steps = slopes / -values
    far = ~((values[:, -1] < 0) & (np.linalg.norm(steps, axis=1) <= radius))
    if far.any():
        steps[far] = _to_the_boundary(values[far], slopes[far], radius[far])
    return (
        np.einsum("bij,bj->bi", vectors, steps),
        np.einsum("bj,bj->b", slopes + values * steps / 2, steps),
    )


def _to_the_boundary(values: Array, slopes: Array, radius: Array) -> Array:
    """Solutions s = slopes/(μ − values), μ ≥ max(0, values), of length ``radius`` (± 5 %)."""
    least = np.maximum(values[:, -1], 0.0)
    price = np.linalg.norm(slopes, axis=1) / radius
    tiny = 1e-12 * np.maximum(np.maximum(np.abs(values).max(axis=1), price), 1e-300)
    low, high = tiny, tiny + price

    def step(mu: Array) -> Array:
        return np.asarray(slopes / ((least + mu)[:, None] - values))

    found = step(tiny)
    short = radius**2 - np.einsum("bi,bi->b", found, found)
    hard = short >= 0  # to the boundary along the direction of largest curvature
    last = found[:, -1]
    wanted = np.sqrt(last**2 + np.maximum(short, 0)) - np.abs(last)
    found[:, -1] += np.where(hard, np.copysign(wanted, slopes[:, -1]), 0.0)
    done = hard.copy()
    for _ in range(60):
        if done.all():
            break
        mu = np.sqrt(low * high)
        tried = step(mu)
        ratio = np.linalg.norm(tried, axis=1) / radius
        found[~done] = tried[~done]
        done |= np.abs(ratio - 1) < 0.05
        low, high = np.where(ratio > 1, mu, low), np.where(ratio > 1, high, mu)
    return found
