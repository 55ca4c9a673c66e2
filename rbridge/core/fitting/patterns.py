"""Many responses on one design with one grouping level: their likelihoods at many D's at once.

Groups with equal Z'Z share every matrix of the random effects, so that an evaluation costs as
much as there are such patterns, not as there are groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InformationError
from ..arrays import Array, group_starts
from ..engine.layout import map_log_det
from ..parameters import tau_basis
from ..snapshot import FitSnapshot

_DEPENDENT = 1e-13  # of an eigenvalue of Z'Z, its columns in units of their own
_SINGULAR = 1e-12  # of a column of X beside the others, likewise
_NOTHING = 1e-13  # of residuals beside the response: rounding


@dataclass(frozen=True)
class SharedDesign:
    """What all responses share. P patterns of groups; c = Z'B for a group's rows of B.

    Attributes
    ----------
    Q, T : (n, p) and (p, p) arrays
        X = QT, Q orthonormal.
    E : (e, q, q) array
        D = Σ δ_e E_e, in units of σ².
    Z, codes : (n, q) and (n,) arrays
    starts : (m,) int array
        First row of each group.
    order, bounds : (m,) and (P,) int arrays
        The groups by pattern, and where each pattern begins among them.
    G, inverse : (P, q, q) arrays
        Z'Z of the patterns and a generalised inverse G⁻.
    counts : (P,) array
        How many groups each pattern has.
    c : (m, q, p) array
        Z'Q of the groups by pattern.
    within : (p, p) array
        Q'Q less what the groups' own least squares explain, Σ c'G⁻c.
    between : (P q², p²) array
        Σ c ⊗ c over the groups of a pattern.
    """

    Q: Array
    T: Array
    E: Array
    Z: Array
    codes: Array
    starts: Array
    order: Array
    bounds: Array
    G: Array
    inverse: Array
    counts: Array
    c: Array
    within: Array
    between: Array

    @property
    def numbers(self) -> int:
        """How many numbers a response and its forms take, about."""
        n, p = self.Q.shape
        return n + (self.G.size + p**2) * (p + (len(self.E) + 2) ** 2)

    @property
    def log_det_map(self) -> float:
        """log det T'T."""
        return map_log_det(self.T)


def shared_design(snapshot: FitSnapshot) -> SharedDesign:
    """The shared part, for a snapshot with one level.

    Raises
    ------
    InformationError
        The columns of X are linearly dependent.
    """
    (level,) = snapshot.levels
    lengths = np.sqrt(np.einsum("ij,ij->j", snapshot.X, snapshot.X))
    Q, T = np.linalg.qr(snapshot.X / np.where(lengths > 0, lengths, 1.0))
    if np.abs(np.diagonal(T)).min(initial=1.0) < _SINGULAR:
        raise InformationError("the fixed-effects design is singular")
    starts = group_starts(level.codes)
    G = np.stack([_sums(level.Z * z[:, None], starts) for z in level.Z.T], axis=1)
    distinct, pattern = np.unique(G.reshape(len(G), -1), axis=0, return_inverse=True)
    order, G = np.argsort(pattern.reshape(-1), kind="stable"), distinct.reshape(-1, *G.shape[1:])
    counts = np.bincount(pattern.reshape(-1))
    bounds, inverse = np.cumsum(counts) - counts, _generalised_inverse(G)
    c, rest = _split(Q, level.Z, level.codes, starts, order, inverse, counts)
    between = _between(c, c, bounds)
    shape = (G.size, Q.shape[1] ** 2)
    return SharedDesign(
        *(Q, T * lengths, tau_basis(level)[1], level.Z, level.codes, starts, order, bounds),
        *(G, inverse, counts.astype(float), c, rest.T @ rest, between.reshape(shape)),
    )


def _sums(rows: Array, starts: Array) -> Array:
    return np.asarray(np.add.reduceat(rows, starts, axis=0))


def _generalised_inverse(G: Array) -> Array:
    unit = np.sqrt(np.diagonal(G, axis1=1, axis2=2))
    unit = np.where(unit > 0, unit, 1.0)
    both = unit[:, :, None] * unit[:, None, :]
    values, vectors = np.linalg.eigh(G / both)
    kept = values > _DEPENDENT * values[:, -1:]
    inverse = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)
    return np.asarray((vectors * inverse[:, None, :]) @ vectors.swapaxes(1, 2) / both)


def _split(
    B: Array, Z: Array, codes: Array, starts: Array, order: Array, inverse: Array, counts: Array
) -> tuple[Array, Array]:
    """c = Z'B of the groups by pattern, (m, q, k), and B less the groups' least squares on Z."""
    c = np.stack([_sums(B * z[:, None], starts) for z in Z.T], axis=1)
    fitted = np.empty_like(c)
    fitted[order] = np.repeat(inverse, counts.astype(int), axis=0) @ c[order]
    rest = B.copy()
    for j, z in enumerate(Z.T):
        rest -= z[:, None] * fitted[codes, j]
    return c[order], rest


def _between(left: Array, right: Array, bounds: Array) -> Array:
    """Σ over the groups of a pattern of c ⊗ d: (m, q, k), (m, q, l) to (P, q, q, k, l)."""
    m, q, k = left.shape
    parts = zip(np.split(left, bounds[1:]), np.split(right, bounds[1:]))
    products = [x.reshape(len(x), -1).T @ y.reshape(len(y), -1) for x, y in parts]
    shape = (len(bounds), q, k, q, right.shape[2])
    return np.asarray(np.array(products).reshape(shape).transpose(0, 1, 3, 2, 4))


@dataclass(frozen=True)
class Responses:
    """B responses on one design, as residuals r of ordinary least squares.

    Attributes
    ----------
    beta : (B, p) array
        Of those least squares, for the columns of X.
    within_x, within : (B, p) and (B,) arrays
        Q'r and r'r less what the groups' own least squares explain.
    between_x, between : (B, P q², p) and (B, P q²) arrays
        Σ c ⊗ d and Σ d ⊗ d over the groups of a pattern, d = Z'r.
    """

    beta: Array
    within_x: Array
    within: Array
    between_x: Array
    between: Array

    def __getitem__(self, at: Array) -> Responses:
        return Responses(*(value[at] for value in vars(self).values()))


def responses(design: SharedDesign, Y: Array) -> Responses:
    """What is needed of (B, n) responses."""
    y, Q = Y.T, design.Q
    first = Q.T @ y
    r: Array = y - Q @ first
    again = Q.T @ r
    r -= Q @ again
    r[:, np.linalg.norm(r, axis=0) <= _NOTHING * np.linalg.norm(y, axis=0)] = 0
    d, rest = _split(
        *(r, design.Z, design.codes, design.starts, design.order, design.inverse, design.counts)
    )
    mixed = _between(design.c, d, design.bounds).reshape(-1, Q.shape[1], len(Y))
    squares = np.add.reduceat(d[:, :, None] * d[:, None], design.bounds, axis=0)
    return Responses(
        beta=np.linalg.solve(design.T, first + again).T,
        within_x=(design.Q.T @ rest).T,
        within=np.einsum("nb,nb->b", rest, rest),
        between_x=np.ascontiguousarray(mixed.transpose(2, 0, 1)),
        between=np.ascontiguousarray(squares.reshape(-1, len(Y)).T),
    )


@dataclass(frozen=True)
class ManyForms:
    """:class:`~rbridge.core.engine.forms.Forms` of B responses, each at its own D, with σ² = 1.

    Attributes
    ----------
    log_det, log_det_x, quad : (B,) arrays
    trace1, quad1 : (B, e) arrays
    trace2, quad2 : (B, e, e) arrays
    beta : (B, p) array
        Generalised least squares.
    """

    log_det: Array
    log_det_x: Array
    quad: Array
    trace1: Array
    quad1: Array
    trace2: Array
    quad2: Array
    beta: Array


@dataclass(frozen=True)
class _Random:
    """The random effects' part at each D: weights of c ⊗ c by patterns, and traces of V⁻¹.

    ``zero`` (B, 1, P q²) gives B'V⁻¹B, ``first`` (B, e, P q²) B'V⁻¹V̇V⁻¹B, and ``second`` with one
    V̇ more, for the pairs of :func:`_pairs`, as ``trace2``.
    """

    zero: Array
    first: Array
    second: Array
    log_det: Array
    trace1: Array
    trace2: Array


def _pairs(e: int) -> tuple[Array, Array]:
    a, b = np.triu_indices(e)
    return a, b


def _random(design: SharedDesign, delta: Array) -> _Random:
    """With G = Z'Z and N = (I + DG)⁻¹: V⁻¹Z = ZN, and Z'V⁻¹Z = GN.

    B'V⁻¹B is what the groups' own least squares leave plus Σ c'NG⁻c: nothing is subtracted,
    however large D is.
    """
    E, G, flat = design.E, design.G, (*delta.shape[:1], -1, design.G.size)
    a, b = _pairs(len(E))
    N = np.linalg.inv(np.eye(len(G[0])) + np.tensordot(delta, E, 1)[:, None] @ G)
    sign, log_det = np.linalg.slogdet(N)
    NE, H = N[:, None] @ E[:, None], (G @ N)[:, None]
    EH = E[:, None] @ H
    return _Random(
        zero=(N @ design.inverse).reshape(flat),
        first=(NE @ N[:, None].swapaxes(-1, -2)).reshape(flat),
        second=(NE[:, a] @ H @ NE[:, b].swapaxes(-1, -2)).reshape(flat),
        log_det=np.where((sign > 0).all(axis=1), -log_det @ design.counts, np.nan),
        trace1=np.einsum("p,bepii->be", design.counts, EH),
        trace2=np.einsum("p,bkpij,bkpji->bk", design.counts, EH[:, a], EH[:, b]),
    )


def many_forms(design: SharedDesign, data: Responses, delta: Array, restricted: bool) -> ManyForms:
    """The forms of each response at its (B, e) elements of D/σ²; NaN where V is not positive."""
    e, p = len(design.E), design.Q.shape[1]
    random = _random(design, delta)
    cross = design.within + (random.zero @ design.between).reshape(-1, p, p)
    mixed = data.within_x + (random.zero @ data.between_x)[:, 0]
    C = np.linalg.inv(cross)
    change = (C @ mixed[..., None])[..., 0]
    by_x, squares = _of_residuals(design, data, change)
    rows, (a, b) = random.first @ by_x, _pairs(e)
    projected = np.einsum("bki,bkj,bij->bk", rows[:, a], rows[:, b], C)
    trace1, trace2 = random.trace1, random.trace2
    if restricted:
        CF = (random.first @ design.between).reshape(-1, e, p, p) @ C[:, None]
        traces = (C.reshape(-1, p * p) @ design.between.T)[..., None]
        trace1 = trace1 - np.einsum("bepp->be", CF)
        trace2 = trace2 - 2 * (random.second @ traces)[..., 0]
        trace2 += np.einsum("bkij,bkji->bk", CF[:, a], CF[:, b])
    explained = np.einsum("bp,bp->b", mixed, change)
    return ManyForms(
        log_det=random.log_det,
        log_det_x=np.linalg.slogdet(cross)[1] + design.log_det_map,
        quad=data.within + (random.zero @ data.between[..., None])[:, 0, 0] - explained,
        trace1=trace1,
        quad1=(random.first @ squares)[..., 0],
        trace2=_square(trace2, e),
        quad2=_square((random.second @ squares)[..., 0] - projected, e),
        beta=data.beta + np.linalg.solve(design.T, change.T).T,
    )


def _of_residuals(design: SharedDesign, data: Responses, change: Array) -> tuple[Array, Array]:
    """Σ c ⊗ d and Σ d ⊗ d, (B, P q², p) and (B, P q², 1), with d = Z'(r − Q change)."""
    p, q = design.Q.shape[1], design.Z.shape[1]
    by_x: Array = data.between_x - (design.between.reshape(-1, p, p) @ change.T).transpose(2, 0, 1)
    once = ((data.between_x + by_x) @ change[..., None]).reshape(len(change), -1, q, q)
    both = (once + once.swapaxes(-1, -2)) / 2
    return by_x, data.between[..., None] - both.reshape(len(change), -1, 1)


def _square(pairs: Array, e: int) -> Array:
    """Symmetric (B, e, e) from the (B, e(e+1)/2) elements of its upper triangle."""
    place = np.zeros((e, e), dtype=int)
    a, b = _pairs(e)
    place[a, b] = place[b, a] = np.arange(len(a))
    return np.asarray(pairs[:, place])
