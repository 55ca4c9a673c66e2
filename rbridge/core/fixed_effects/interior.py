"""W = Cov(θ̂) over the interior of the parameter space: what stands at its boundary drops out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np
from scipy.linalg import null_space

from ...options import one_of
from ..arrays import Array
from ..engine.covariance import deviation
from ..engine.forms import Forms
from ..engine.model import Model, model_at
from ..information import Kind, information_from, inverse_information
from ..parameters import theta
from ..snapshot import FitSnapshot

ZERO_SHARE = 1e-6  # of the residual variance: nlme leaves a variance of zero at 1e-8 and less
_SMALL_SHARE = 0.1  # below it a variance may be on its way to zero when nlme stops
END = 1e-6  # distance from the end of its range at which a correlation or a proportion stands
_RANK = 1e-8  # directions and constraints are of unit size
_IDLE = 1e-9  # of information, parameters in units of their own


@dataclass(frozen=True)
class Dropped:
    """Parameters, or directions among them, that stand at the boundary of their range.

    Attributes
    ----------
    names : tuple of str
        The parameters concerned.
    whole : bool
        All of them drop out; otherwise some directions among them.
    reason : str
    """

    names: tuple[str, ...]
    whole: bool
    reason: str

    def __str__(self) -> str:
        listed = ", ".join(self.names)
        part = "" if self.whole else "a direction of "
        return f"{part}{listed} left out: {self.reason}"


@dataclass(frozen=True)
class InteriorCovariance:
    """Covariance of the estimates of θ, those at the boundary taken as known.

    Attributes
    ----------
    names : tuple of str, length r
    matrix : (r, r) array
        Zero rows and columns for parameters that dropped out.
    kind : {"expected", "observed", "average"}
    dropped : tuple of Dropped
    """

    names: tuple[str, ...]
    matrix: Array
    kind: Kind
    dropped: tuple[Dropped, ...]


def interior_covariance(
    snapshot: FitSnapshot, forms: Forms, kind: Kind = "expected", *, idle: bool = False
) -> InteriorCovariance:
    """Inverse information over the directions in which θ can move both ways.

    Parameters
    ----------
    snapshot : FitSnapshot
    forms : Forms
        Of this fit.
    kind : {"expected", "average", "observed"}
    idle : bool
        Leave directions out, too, on which V does not depend: for what is a function of V. Without
        it such a direction is an error, for θ is not identified.

    Returns
    -------
    InteriorCovariance

    Raises
    ------
    InformationError
        The information is not positive definite there; the message names the parameters.

    Notes
    -----
    W = T(T'IT)⁻¹T', with columns T that span the tangent space: the covariance matrix D of random
    effects with the null space N moves within its rank, N'ḊN = 0. To the observed information the
    curvature of that set is added, for at the boundary the likelihood rises towards the outside.
    A small variance counts as zero where a Newton step makes it negative: nlme may stop before it
    is there. Fixed parameters and a fixed σ are not in θ.
    """
    one_of(kind, get_args(Kind), "information")
    model = model_at(snapshot)
    edges, ends = list(_edges(snapshot, model, forms)), _ends(snapshot, model)
    info = information_from(forms, kind).matrix
    if kind == "observed":
        info = info + sum((edge.curvature for edge in edges), np.zeros_like(info))
    scale = np.sqrt(np.diagonal(forms.trace2) / 2)
    scale = np.where(scale > 0, scale, 1.0)
    T = _tangents(np.concatenate([*(edge.constraints for edge in edges), ends]) / scale)
    fixed = ~(np.abs(T) > _RANK).any(axis=1)
    dropped = [d for edge in edges for d in edge.dropped(forms.names, fixed)]
    dropped += _ended(forms.names, ends)
    if idle:
        T, more = _without_idle(forms, T, scale)
        dropped += more
    leading = [forms.names[i] for i in np.abs(T).argmax(axis=0)] if T.size else []
    inner = inverse_information(T.T @ (info / np.outer(scale, scale)) @ T, leading)
    W = T @ inner @ T.T / np.outer(scale, scale)
    return InteriorCovariance(forms.names, W, kind, tuple(dropped))


def _tangents(constraints: Array) -> Array:
    """Orthonormal columns (r, t) that meet the constraints (c, r)."""
    length = np.linalg.norm(constraints, axis=1)
    rows = constraints[length > 0] / length[length > 0, None]
    return np.asarray(null_space(rows, rcond=_RANK)) if len(rows) else np.eye(constraints.shape[1])


def _without_idle(forms: Forms, T: Array, scale: Array) -> tuple[Array, list[Dropped]]:
    """Columns of T without those along which V does not move: PV̇P = 0 and V̇V⁻¹X = 0."""
    expected = T.T @ (forms.trace2 / 2 / np.outer(scale, scale)) @ T
    values, vectors = np.linalg.eigh(expected)
    turned = T @ vectors
    steps = turned / scale[:, None]
    moved = np.einsum("id,jd,ijaa->da", steps, steps, forms.fixed.cross2)
    apart = np.einsum("id,iiaa->da", steps**2, forms.fixed.cross2)
    idle = (values < _IDLE) & (moved <= _IDLE * apart).all(axis=1)
    dropped = []
    for direction in np.abs(turned[:, idle]).T:
        names = [n for n, d in zip(forms.names, direction) if d > 0.1 * direction.max()]
        dropped.append(Dropped(tuple(names), False, "V does not depend on it"))
    return (turned[:, ~idle], dropped) if idle.any() else (T, dropped)


@dataclass(frozen=True)
class _Edge:
    """Where the D of one level stands at the boundary; c constraints on θ̇, zero elsewhere.

    ``touched`` (r,) are the parameters in the constraints. ``curvature`` (r, r) is what bending
    along the set of matrices of this rank adds to −∂²ℓ: N'D̈N = 2BΛ⁻¹B' with B = N'ḊU, where U
    and Λ are the other eigenvectors and values.
    """

    group: str
    constraints: Array
    curvature: Array
    touched: Array

    def dropped(self, names: tuple[str, ...], fixed: Array) -> Iterator[Dropped]:
        whole = tuple(name for name, t, f in zip(names, self.touched, fixed) if t and f)
        partly = tuple(name for name, t, f in zip(names, self.touched, fixed) if t and not f)
        if whole:
            yield Dropped(whole, True, "at zero, the boundary of its range")
        if partly:
            why = f"the covariance matrix of the random effects of {self.group} is singular"
            yield Dropped(partly, False, why)


def _edges(snapshot: FitSnapshot, model: Model, forms: Forms) -> Iterator[_Edge]:
    residual = _residual_variance(model, snapshot.n)
    observed = information_from(forms, "observed").matrix
    start = 0
    for level, D, E in zip(snapshot.levels, model.D, model.E):
        at = slice(start, start := start + len(E))
        share = np.sqrt(np.mean(level.Z**2, axis=0) / residual)
        constraints, curvature = _edge(D, E, share, forms.score[at], observed[at, at])
        wide, square = np.zeros((len(constraints), len(observed))), np.zeros_like(observed)
        wide[:, at], square[at, at] = constraints, curvature
        touched = (np.abs(wide) > _RANK * np.abs(wide).max(axis=1, keepdims=True)).any(axis=0)
        yield _Edge(level.group, wide, square, touched)


def _residual_variance(model: Model, n: int) -> float:
    s = np.ones(n)
    for var, coefs in zip(model.var, model.var_coefs):
        s = s * deviation(var, coefs)
    return float(model.sigma_sq * np.mean(s**2))


def _edge(D: Array, E: Array, share: Array, score: Array, observed: Array) -> tuple[Array, Array]:
    """Constraints (c, n_e) and curvature (n_e, n_e), effects in units of the residual's sd."""
    unit = np.outer(share, share)
    values, vectors = np.linalg.eigh(D * unit)
    scaled = E * unit
    norm = np.einsum("eij,eij->e", scaled, scaled)
    dual = scaled / np.where(norm > 0, norm, 1.0)[:, None, None]  # θ_e = tr(dual_e D)
    null = (values < ZERO_SHARE) | _leaving(values, vectors, scaled, dual, score, observed)
    N, U = vectors[:, null], vectors[:, ~null]
    pairs = np.triu_indices(int(null.sum()))
    constraints = (N.T @ scaled @ N)[:, pairs[0], pairs[1]].T
    slope = N.T @ np.tensordot(score, dual, 1) @ N
    B = N.T @ scaled @ U
    return constraints, -2 * np.einsum("ij,ajk,bik->ab", slope, B / values[~null], B)


def _leaving(
    values: Array, vectors: Array, scaled: Array, dual: Array, score: Array, observed: Array
) -> Array:
    """Small eigenvalues that a Newton step of the likelihood makes negative: nlme was on its way.

    Along nn' the slope of the likelihood is negative, and the eigenvalue no larger than slope over
    curvature.
    """
    steps = np.einsum("ia,eij,ja->ea", vectors, dual, vectors)
    slope, bend = score @ steps, np.einsum("ea,ef,fa->a", steps, observed, steps)
    rate = np.einsum("ea,ia,eij,ja->a", steps, vectors, scaled, vectors)
    beyond = (bend <= 0) | (values * bend + slope * rate <= 0)
    return np.asarray((values < _SMALL_SHARE) & (slope < 0) & beyond)


def _ends(snapshot: FitSnapshot, model: Model) -> Array:
    """A row of the identity (r, r) for each correlation or proportion at the end of its range."""
    kinds = np.array(theta(snapshot).kinds, dtype=object)
    size = np.abs(model.theta)
    ended = np.isin(kinds, ("correlation", "proportion")) & (size > 1 - END)
    ended |= (kinds == "proportion") & (size < END)
    return np.asarray(np.eye(len(size))[ended])


def _ended(names: tuple[str, ...], ends: Array) -> Iterator[Dropped]:
    for i in ends.argmax(axis=1) if len(ends) else ():
        yield Dropped((names[i],), True, "at the end of its range")
