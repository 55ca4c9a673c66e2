"""The delta method: Cov(g(x)) ≈ J Σ J', with the whole J and the whole Σ.

Treating the estimates as uncorrelated, Σ_i J_i² Σ_ii, is the mistake that started this
project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ApVarError, DataError, InformationError, SnapshotError, SpecError
from . import derivatives, parameters
from .arrays import Array
from .engine.forms import Forms
from .information import information_from
from .snapshot import ApVarUnavailable, FitSnapshot

APVAR_ERROR = 0.05  # of the exact variances: beyond it, nlme's apVar is worth a warning


@dataclass(frozen=True)
class DeltaResult:
    """Transformed estimates.

    Attributes
    ----------
    estimates : (k,) array
        g at the estimates; k = 1 for a scalar g.
    cov : (k, k) array
        J Σ J'.
    jacobian : (k, r) array
        ∂g/∂x at the estimates.
    names : tuple of str
        Names of the k results, where they have any.
    """

    estimates: Array
    cov: Array
    jacobian: Array
    names: tuple[str, ...] = ()


def _real(what: str, value: ArrayLike) -> Array:
    """``value`` as a finite float array."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be real numbers: {error}") from error
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DataError(f"{what} holds {array[where]} at position {where}")
    return array


def checked(estimates: ArrayLike, cov: ArrayLike) -> tuple[Array, Array]:
    """Estimates and their covariance as float arrays of shapes (r,) and (r, r).

    Raises
    ------
    DataError
        A value is not finite, the shapes do not fit, or the covariance is not symmetric or
        has a negative variance.
    """
    x, sigma = _real("estimates", estimates), _real("cov", cov)
    if x.ndim != 1 or sigma.shape != (len(x), len(x)):
        raise DataError(f"estimates of shape {x.shape} do not fit cov of shape {sigma.shape}")
    if (np.diag(sigma) < 0).any():
        raise DataError(f"cov has a negative variance at position {int(np.diag(sigma).argmin())}")
    scale = np.sqrt(np.outer(np.diag(sigma), np.diag(sigma)))
    if (np.abs(sigma - sigma.T) > 1e-6 * scale).any():  # a printed matrix is rounded
        i, j = np.unravel_index(np.abs(sigma - sigma.T).argmax(), sigma.shape)
        raise DataError(f"cov is not symmetric: {sigma[i, j]} at ({i}, {j}), {sigma[j, i]} across")
    return x, sigma


def _jacobian(
    g: Callable[[Array], Array],
    x: Array,
    sigma: Array,
    given: ArrayLike | Callable[..., Any] | None,
) -> Array:
    if given is None:
        return derivatives.jacobian(g, x, [np.abs(x), np.sqrt(np.diag(sigma))])
    return np.array(_real("jacobian", given(x) if callable(given) else given), ndmin=2)


def delta_method(
    g: Callable[[Array], Any],
    estimates: ArrayLike,
    cov: ArrayLike,
    *,
    jacobian: ArrayLike | Callable[[Array], ArrayLike] | None = None,
) -> DeltaResult:
    """Estimate and covariance of a function of estimates.

    Parameters
    ----------
    g : callable
        (r,) array to a scalar or a (k,) array.
    estimates : (r,) array
    cov : (r, r) array
        Covariance of the estimates, symmetric.
    jacobian : (k, r) array, or callable from (r,) to it, optional
        By default complex step where g accepts complex input and is analytic, otherwise
        Richardson-extrapolated differences.

    Returns
    -------
    DeltaResult

    Raises
    ------
    DataError
        Estimates or covariance are not finite or do not fit together.
    SpecError
        g or its Jacobian is not finite, or has the wrong shape.

    Notes
    -----
    Cov(g(x)) ≈ J Σ J', J = ∂g/∂x at the estimates.
    """
    x, sigma = checked(estimates, cov)

    def vector_g(point: Array) -> Array:
        value: Array = np.atleast_1d(np.asarray(g(point)))
        return value

    value = vector_g(x.copy())
    if value.ndim != 1 or value.dtype.kind not in "fiub" or not np.isfinite(value).all():
        raise SpecError(f"g must return finite real numbers, one or a vector; it gave {value}")
    J = _jacobian(vector_g, x, sigma, jacobian)
    if J.shape != (len(value), len(x)):
        raise SpecError(f"jacobian has shape {J.shape}, expected {(len(value), len(x))}")
    if not np.isfinite(J).all():
        row, column = np.argwhere(~np.isfinite(J))[0]
        raise SpecError(f"the derivative of g[{row}] by estimate {column} is not finite")
    return DeltaResult(value.astype(float), J @ sigma @ J.T, J)


def apvar_delta(snapshot: FitSnapshot) -> DeltaResult:
    """Natural parameters of a fit and their covariance, from nlme's ``apVar``.

    Returns
    -------
    DeltaResult
        In the order and with the names of :func:`parameters.theta`.

    Raises
    ------
    ApVarError
        nlme gave no apVar; the message has its reason.
    SnapshotError
        ``Pars`` does not decode to the snapshot's own estimates.
    """
    apvar = snapshot.apvar
    if isinstance(apvar, ApVarUnavailable):
        raise ApVarError(apvar.reason)
    natural = parameters.theta(snapshot)
    values = parameters.natural_from_unconstrained(snapshot, apvar.pars)
    off = ~np.isclose(values, natural.values, rtol=1e-4, atol=1e-8)
    if off.any():
        i = int(off.argmax())
        theirs, ours = f"{values[i]:.6g}", f"{natural.values[i]:.6g}"
        raise SnapshotError(f"Pars gives {natural.names[i]} = {theirs}, the fit {ours}")
    J = parameters.jacobian(snapshot, apvar.pars)
    return DeltaResult(values, J @ apvar.cov @ J.T, J, natural.names)


def apvar_error(snapshot: FitSnapshot, forms: Forms) -> float | None:
    """How far nlme's ``apVar`` is from the exact observed information, which it approximates.

    Returns
    -------
    float or None
        The largest difference between the two covariances of the natural parameters, in units of
        √(b_ii b_jj), b the exact one; None where there is no apVar that decodes, or no exact one.
    """
    try:
        cov = apvar_delta(snapshot).cov
        exact = information_from(forms, "observed").inverse()
    except (ApVarError, SnapshotError, InformationError):
        return None
    root = np.sqrt(np.diag(exact))
    return float(np.max(np.abs(cov - exact) / np.outer(root, root), initial=0.0))
