"""The traces and quadratic forms of a fit, by absorption where the groups nest, else dense."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import SnapshotError
from .absorb import Moments, absorb, absorb_flat
from .base import base_moments, base_pairs
from .dense import dense_forms
from .forms import Forms, Method
from .layout import Layout, NotNested, layout
from .model import Model, model_at
from .snapshot import FitSnapshot

Array = NDArray[Any]


def contract(
    snapshot: FitSnapshot,
    theta: ArrayLike | None = None,
    method: Method | None = None,
    *,
    derivatives: bool = True,
) -> Forms:
    """Everything that the log-likelihood, its gradient and the informations need, in one pass.

    Parameters
    ----------
    snapshot : FitSnapshot
    theta : (r,) array, optional
        Where to evaluate, in the order of :func:`rbridge.core.parameters.theta`; by default at
        the estimates.
    method : {"REML", "ML"}, optional
        By default that of the fit.
    derivatives : bool
        False leaves out what only derivatives need: enough for the log-likelihood.

    Raises
    ------
    InformationError
        V is not positive definite at ``theta``, or X'V⁻¹X is singular.

    Notes
    -----
    Time and memory are linear in the rows: the tensors of :class:`~rbridge.core.absorb.Moments`
    are carried from the innermost groups outward; the last step eliminates β exactly.
    """
    method = _method(snapshot, method)
    model = model_at(snapshot, theta)
    try:
        design = layout(snapshot)
    except NotNested as error:
        return dense_forms(snapshot, model, method, str(error))
    ranges = design.chunks()
    total = reduce(add, (_chunk(design, model, *rows, derivatives) for rows in ranges))
    return _forms(design, model, method, total, derivatives)


def _method(snapshot: FitSnapshot, method: str | None) -> Method:
    chosen = snapshot.method if method is None else method
    if chosen == "REML" or chosen == "ML":
        return chosen
    raise SnapshotError(f"method is {chosen!r}, expected 'REML' or 'ML'")


def _chunk(design: Layout, model: Model, start: int, stop: int, derivatives: bool) -> Moments:
    """Moments of some whole outermost groups, with every level absorbed, as one cell."""
    inside = [s[slice(*np.searchsorted(s, (start, stop)))] - start for s in design.starts]
    cells = inside[-1] if inside else None
    moments = base_moments(design, model, start, stop, cells, derivatives)
    present: tuple[int, ...] = tuple(range(len(design.columns)))
    for level in reversed(range(len(inside))):
        z, keep = design.z[level], design.needed(level)
        outer = np.searchsorted(inside[level], inside[level - 1]) if level else None
        E = model.E[level] if derivatives else model.E[level][:0]
        at = [[present.index(column) for column in wanted] for wanted in (z, keep)]
        moments = absorb(moments, at[0], model.D[level], E, at[1], outer)
        present = keep
    return moments


def _forms(
    design: Layout, model: Model, method: Method, total: Moments, derivatives: bool
) -> Forms:
    """Eliminate β, put the parameters in θ's order and add σ²."""
    columns = design.needed(0)
    x, y = [columns.index(c) for c in design.x], columns.index(design.y)
    flat = absorb_flat(total, x)
    weight = flat if method == "REML" else total
    log_det_x = flat.log_det - total.log_det
    quad, quad1 = float(flat.F0[y, y, 0]), flat.F1[:, y, y, 0]
    residual = np.eye(len(columns))[y]  # y − Xβ̂ in terms of the columns
    residual[x] = -np.linalg.solve(total.F0[np.ix_(x, x)][..., 0], total.F0[x, y, 0])
    fixed = np.einsum("i,rsij,j->rs", residual, total.F2[..., 0], residual)
    size = design.n - len(x) if method == "REML" else design.n  # tr W V
    trace1, trace2 = _in_order(model, derivatives, size, weight.trace1, weight.trace2)
    quad1_, quad2 = _in_order(model, derivatives, quad, quad1, flat.F2[:, :, y, y, 0])
    return Forms(
        model.names,
        method,
        "absorption",
        "",
        design.n,
        len(x),
        total.log_det,
        log_det_x,
        quad,
        trace1,
        quad1_,
        trace2,
        quad2,
        _in_order(model, derivatives, quad, quad1, fixed)[1],
        _second_order(model, weight.trace3, trace1),
        _second_order(model, flat.F3[:, y, y, 0], quad1_),
    )


def _in_order(
    model: Model, derivatives: bool, zero: float, one: Array, two: Array
) -> tuple[Array, Array]:
    """First and second-order forms from the order of absorption to that of θ, with σ² added.

    V is homogeneous of degree 1 in (τ, σ²), so σ² ∂V/∂σ² = V − Σ_e τ_e ∂V/∂τ_e: the forms of σ²
    follow from those of τ and of V itself (``zero`` is the form of V).
    """
    if not derivatives:
        return one, two
    order = _theta_order(model)
    one, two = one[order], two[np.ix_(order, order)]
    if model.fixed_sigma:
        return one, two
    tau, n_tau = model.theta[: model.n_tau], model.n_tau
    scale = (zero - tau @ one[:n_tau]) / model.sigma_sq
    mixed = (one - tau @ two[:n_tau]) / model.sigma_sq
    corner = (scale - tau @ mixed[:n_tau]) / model.sigma_sq
    return np.append(one, scale), np.block([[two, mixed[:, None]], [mixed, corner]])


def _theta_order(model: Model) -> Array:
    """Where each parameter of θ stands in the order of absorption: base, levels inner to outer."""
    sizes = [model.n_base, *(len(E) for E in reversed(model.E))]
    base, *levels = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    return np.concatenate([*reversed(levels), base])


def _second_order(model: Model, pairs: Array, one: Array) -> Array:
    """Forms of V̈ in the order of θ: zero for τ; ∂²V/∂σ²∂c = (∂V/∂c)/σ² for c of R and S."""
    out = np.zeros((len(one), len(one)))
    if not len(one):
        return out
    base = slice(model.n_tau, model.n_tau + model.n_base)
    for value, (a, b) in zip(pairs, base_pairs(model.n_base)):
        out[model.n_tau + a, model.n_tau + b] = out[model.n_tau + b, model.n_tau + a] = value
    if not model.fixed_sigma:
        out[-1, base] = out[base, -1] = one[base] / model.sigma_sq
    return out
