"""The traces and quadratic forms of a fit, by absorption where the groups nest, else dense."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from ...errors import SnapshotError
from ...options import one_of
from ..arrays import Array
from ..snapshot import FitSnapshot
from .absorb import Moments, absorb, absorb_flat
from .by_pattern import by_pattern
from .covariance import NotPositiveDefinite
from .dense import dense_forms
from .forms import FixedForms, Forms, Method, Traces
from .layout import Layout, NotNested, between, layout, map_log_det
from .model import Model, model_at
from .one_level import one_level, terms
from .within import base_moments, base_pairs

_MOST_TERMS = 1_000_000  # beyond which the groups one after another cost less


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
    Time and memory are linear in the rows: the tensors of
    :class:`~rbridge.core.engine.absorb.Moments` are carried from the innermost
    groups outward; the last step eliminates β exactly.
    """
    method = _method(snapshot, method)
    model = _inside(snapshot, theta)
    try:
        design = layout(snapshot)
    except NotNested as error:
        return dense_forms(snapshot, model, method, str(error))
    return _forms(design, model, method, _total(design, model, derivatives))


def design_traces(
    snapshot: FitSnapshot, theta: ArrayLike | None = None, method: Method | None = None
) -> Traces:
    """The part of :func:`contract` in which the response has no part, without reading it.

    Enough for the expected information. Parameters and errors as there.
    """
    method = _method(snapshot, method)
    model = _inside(snapshot, theta)
    try:
        design = layout(snapshot, response=False)
    except NotNested as error:
        return dense_forms(snapshot, model, method, str(error))
    total = _total(design, model, True)
    x = [design.needed(0).index(c) for c in design.x]
    return _traces(design, model, method, total, absorb_flat(total, x))


def _inside(snapshot: FitSnapshot, theta: ArrayLike | None) -> Model:
    model = model_at(snapshot, theta)
    if not model.sigma_sq > 0:
        raise NotPositiveDefinite("σ² is not positive")
    return model


def _method(snapshot: FitSnapshot, method: str | None) -> Method:
    chosen = snapshot.method if method is None else method
    allowed: tuple[Method, ...] = get_args(Method)
    return one_of(chosen, allowed, "method", quote=True, error=SnapshotError)


def _total(design: Layout, model: Model, derivatives: bool) -> Moments:
    """Moments of all the data, as one cell."""
    if len(design.starts) == 1 and not model.structured and terms(design.groups) < _MOST_TERMS:
        return one_level(design, model, derivatives)
    if design.alike is not None:
        return by_pattern(design, model, derivatives)
    by_rows = model.structured and design.strata is None
    chunks = design.chunks(1 + model.n_base) if by_rows else design.chunks_of_cells()
    return reduce(add, (absorbed(design, model, *rows, derivatives) for rows in chunks))


def absorbed(design: Layout, model: Model, start: int, stop: int, derivatives: bool) -> Moments:
    """Moments of some whole outermost groups, with every level absorbed, as one cell."""
    inside = [between(starts, start, stop) for starts in design.starts]
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


def _traces(design: Layout, model: Model, method: Method, total: Moments, flat: Moments) -> Traces:
    """From the moments before and after β is eliminated, with the parameters in θ's order."""
    weight = flat if method == "REML" else total
    order = _theta_order(model, total)
    trace1 = weight.trace1[order]
    return Traces(
        names=model.names,
        method=method,
        path="absorption",
        reason="",
        n=design.n,
        p=len(design.x),
        log_det=total.log_det,
        log_det_x=flat.log_det - total.log_det + map_log_det(design.x_map),
        trace1=trace1,
        trace2=weight.trace2[np.ix_(order, order)],
        trace3=_second_order(model, weight.trace3, trace1),
    )


def _forms(design: Layout, model: Model, method: Method, total: Moments) -> Forms:
    """Eliminate β and put the parameters in θ's order."""
    assert design.y is not None
    columns = design.needed(0)
    x, y = [columns.index(c) for c in design.x], columns.index(design.y)
    flat = absorb_flat(total, x)
    residual = np.eye(len(columns))[y]  # y − Xβ̂ in terms of the columns
    residual[x] = -np.linalg.solve(total.F0[np.ix_(x, x)][..., 0], total.F0[x, y, 0])
    fixed = np.einsum("i,rsij,j->rs", residual, total.F2[..., 0], residual)
    order = _theta_order(model, total)
    square = np.ix_(order, order)
    quad1 = flat.F1[order, y, y, 0]
    return Forms(
        **vars(_traces(design, model, method, total, flat)),
        quad=float(flat.F0[y, y, 0]),
        quad1=quad1,
        quad2=flat.F2[:, :, y, y, 0][square],
        quad2_fixed=fixed[square],
        quad3=_second_order(model, flat.F3[:, y, y, 0], quad1),
        fixed=_fixed_forms(design, model, total, residual, order),
    )


def _fixed_forms(
    design: Layout, model: Model, total: Moments, residual: Array, order: Array
) -> FixedForms:
    """What the moments say of X before it is eliminated."""
    columns = design.needed(0)
    x = np.array([columns.index(c) for c in design.x], dtype=int)
    cross1 = total.F1[np.ix_(order, x, x)][..., 0]
    return FixedForms(
        x_map=design.x_map,
        cross=total.F0[np.ix_(x, x)][..., 0],
        cross1=cross1,
        cross2=total.F2[np.ix_(order, order, x, x)][..., 0],
        cross3=_second_order(model, total.F3[:, x][:, :, x][..., 0], cross1),
        residual1=(total.F1[..., 0] @ residual)[np.ix_(order, x)],
    )


def _theta_order(model: Model, total: Moments) -> Array:
    """Where each parameter of θ stands in the order of absorption: base, levels inner to outer.

    Empty where no derivatives were asked for.
    """
    if not len(total.F1):
        return np.arange(0)
    sizes = [model.n_base + (not model.fixed_sigma), *(len(E) for E in reversed(model.E))]
    base, *levels = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    return np.concatenate([*reversed(levels), base])


def _second_order(model: Model, pairs: Array, one: Array) -> Array:
    """Forms of V̈ in the order of θ: zero for τ; ∂²V/∂σ²∂c = (∂V/∂c)/σ² for c of R and S."""
    out = np.zeros((len(one), *one.shape))
    for value, (a, b) in zip(pairs, base_pairs(model.n_base)):
        a, b = model.n_tau + a, model.n_tau + b
        out[a, b] = out[b, a] = value
    if len(one) and not model.fixed_sigma:
        base = slice(model.n_tau, model.n_tau + model.n_base)
        out[-1, base] = out[base, -1] = one[base] / model.sigma_sq
    return out
