"""Expected, average and observed information about the variance components, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InformationError, SpecError
from ..options import one_of
from . import parameters
from .arrays import Array
from .engine.contractions import contract, design_traces
from .engine.forms import Forms, Method, Path, Traces
from .engine.model import model_at
from .snapshot import FitSnapshot

Kind = Literal["expected", "average", "observed"]
_SINGULAR = 1e-12  # smallest admissible ratio of eigenvalues, parameters in units of their own


@dataclass(frozen=True)
class Information:
    """Information about θ.

    Attributes
    ----------
    names : tuple of str, length r
    matrix : (r, r) array
        Rows and columns as ``names``.
    kind : {"expected", "average", "observed"}
    method : {"REML", "ML"}
    path : {"absorption", "dense"}
        How it was computed.
    reason : str
        Why the dense path was taken; empty otherwise.
    """

    names: tuple[str, ...]
    matrix: Array
    kind: Kind
    method: Method
    path: Path
    reason: str = ""

    @property
    def condition(self) -> float:
        """Condition number, every parameter in units of its own information; inf if singular."""
        if not np.isfinite(self.matrix).all():
            return np.inf
        values = _spectrum(self.matrix)[1]
        if not len(values):
            return 1.0
        return float(values[-1] / values[0]) if values[0] > 0 else np.inf

    def inverse(self) -> Array:
        """Covariance matrix of the estimates of θ, (r, r).

        Raises
        ------
        InformationError
            The matrix is not positive definite; the message names the parameters of the
            direction without information.
        """
        return inverse_information(self.matrix, self.names)


def information(
    snapshot: FitSnapshot,
    kind: Kind = "expected",
    theta: ArrayLike | None = None,
    method: Method | None = None,
) -> Information:
    """Information about the variance components θ.

    Parameters
    ----------
    snapshot : FitSnapshot
    kind : {"expected", "average", "observed"}
    theta : (r,) array, optional
        Where to evaluate, in the order of :func:`rbridge.core.parameters.theta`; by default at
        the estimates.
    method : {"REML", "ML"}, optional
        By default that of the fit.

    See Also
    --------
    information_from : further kinds from one pass over the data.

    Notes
    -----
    With W = P (REML) or V⁻¹ (ML) and ∂²V = 0 where V is linear in θ:

    * expected: ½ tr W V̇_r W V̇_s
    * average: ½ y'P V̇_r W V̇_s Py
    * observed: −½ tr W V̇_r W V̇_s + y'P V̇_r P V̇_s Py + ½ tr W V̈_rs − ½ y'P V̈_rs Py, minus the
      Hessian of the log-likelihood; under ML that with β profiled out.

    References
    ----------
    Gilmour, Thompson and Cullis (1995), Biometrics 51, 1440–1450.
    """
    one_of(kind, get_args(Kind), "kind")
    if kind == "expected":
        return _expected(design_traces(snapshot, theta, method))
    return information_from(contract(snapshot, theta, method), kind)


def information_from(forms: Forms, kind: Kind) -> Information:
    """One kind of information from what :func:`~.engine.contractions.contract` gave."""
    one_of(kind, get_args(Kind), "kind")
    if kind == "expected":
        return _expected(forms)
    if kind == "average":
        matrix = (forms.quad2 if forms.method == "REML" else forms.quad2_fixed) / 2
    else:
        matrix = forms.quad2 - forms.trace2 / 2 + (forms.trace3 - forms.quad3) / 2
    return Information(forms.names, matrix, kind, forms.method, forms.path, forms.reason)


def _expected(of: Traces) -> Information:
    return Information(of.names, of.trace2 / 2, "expected", of.method, of.path, of.reason)


def inverse_information(matrix: Array, names: Sequence[str]) -> Array:
    """Inverse of an (r, r) information matrix.

    Raises
    ------
    InformationError
        The matrix is not positive definite; the message names the parameters of the direction
        without information.
    """
    if not np.isfinite(matrix).all():
        guilty = ", ".join(n for n, row in zip(names, matrix) if not np.isfinite(row).all())
        raise InformationError(f"the information is not finite in {guilty}: change the units")
    scale, values, vectors = _spectrum(matrix)
    if len(values) and values[0] <= _SINGULAR * values[-1]:
        weight = np.abs(vectors[:, 0])
        guilty = ", ".join(names[i] for i in np.flatnonzero(weight > 0.1 * weight.max()))
        what = "is singular" if values[0] > -_SINGULAR * values[-1] else "has a negative direction"
        raise InformationError(f"the information {what} in {guilty}: not identified by these data")
    inverse = (vectors / values) @ vectors.T
    return np.asarray(inverse / np.outer(scale, scale))


@dataclass(frozen=True)
class StratumVariances:
    """θ with σ² and the ratios of a varIdent replaced by the variance of each stratum.

    Attributes
    ----------
    names, kinds : tuples of str, length t
        As :class:`~rbridge.core.parameters.Theta`; the strata last, ``sigma_sq.<stratum>``.
    values : (t,) array
    jacobian : (t, r) array
        Derivatives by θ: ``jacobian @ cov @ jacobian.T`` is the covariance matrix of ``values``.
    """

    names: tuple[str, ...]
    values: Array
    kinds: tuple[str, ...]
    jacobian: Array


def stratum_variances(snapshot: FitSnapshot) -> StratumVariances:
    """Within-group variance of each stratum of a varIdent, σ²_k = σ² δ_k², fixed δ_k included.

    Raises
    ------
    SpecError
        The model has not exactly one varIdent.
    """
    if [var.var_class for var in snapshot.var].count("varIdent") != 1:
        raise SpecError("variances of strata need a model with exactly one varIdent")
    theta, model = parameters.theta(snapshot), model_at(snapshot)
    place = [var.var_class for var in snapshot.var].index("varIdent")
    var, before = snapshot.var[place], snapshot.var[:place]
    free, r = np.flatnonzero(var.free), len(theta.values)
    first = model.n_tau + model.n_cor + int(sum(other.free.sum() for other in before))
    ratios = first + np.arange(len(free))
    strata = np.zeros((len(var.strata), r))
    strata[free, ratios] = 2 * model.sigma_sq * var.values[free]
    if not model.fixed_sigma:
        strata[:, -1] = var.values**2
    kept = np.setdiff1d(np.arange(r), [*ratios, *([] if model.fixed_sigma else [r - 1])])
    return StratumVariances(
        (*(theta.names[i] for i in kept), *(f"sigma_sq.{name}" for name in var.strata)),
        np.append(theta.values[kept], model.sigma_sq * var.values**2),
        (*(theta.kinds[i] for i in kept), *("variance" for _ in var.strata)),
        np.concatenate([np.eye(r)[kept], strata]),
    )


def _spectrum(matrix: Array) -> tuple[Array, Array, Array]:
    """Scale that gives the diagonal ±1, and eigenvalues (ascending) and vectors after scaling."""
    diagonal = np.abs(np.diagonal(matrix))
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    return scale, values, vectors
