"""Confidence intervals: nlme's own for the variance components, and Wald ones on θ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ...errors import ApVarError, DataError, SpecError
from ...options import check_share
from ..arrays import Array
from ..delta import checked
from ..parameters import block_labels, free_cor, is_natural, split
from ..snapshot import ApVarUnavailable, FitSnapshot, PdBlock, VarFunc
from ..unconstrained import (
    UNSTRUCTURED,
    cor_natural,
    pd_class,
    pd_matrix,
    upper_by_row,
    var_natural,
    vech,
)


@dataclass(frozen=True)
class Intervals:
    """Rows of nlme's ``intervals(fit, which = "var-cov")``.

    Attributes
    ----------
    part : tuple of str, length k
        ``reStruct.<group>`` (outermost first), ``corStruct``, ``varStruct``, ``sigma``.
    name : tuple of str, length k
        nlme's row names.
    lower, est, upper : (k,) arrays
    level : float
        Confidence level.
    """

    part: tuple[str, ...]
    name: tuple[str, ...]
    lower: Array
    est: Array
    upper: Array
    level: float


# --- one row a parameter, as nlme prints it ---------------------------------------------------


def _printed_as_matrix(block: PdBlock, natural: bool) -> bool:
    """Whether nlme prints variances and covariances, not sd and cor."""
    return block.pd_class in UNSTRUCTURED and not natural


def _block_names(block: PdBlock, natural: bool) -> list[str]:
    if _printed_as_matrix(block, natural):
        return block_labels(block)
    if block.pd_class == "pdIdent":
        return [f"sd({block.formula})"]
    if block.pd_class == "pdCompSymm":
        return ["std. dev", "corr."]
    names, q = block.names, len(block.names)
    cor = [f"cor({names[i]},{names[j]})" for i, j in zip(*upper_by_row(q))]
    return [f"sd({name})" for name in names] + cor[: pd_class(block.pd_class).n_cor(q)]


def _block_values(block: PdBlock, u: Array, natural: bool) -> Array:
    q, described = len(block.names), pd_class(block.pd_class)
    if _printed_as_matrix(block, natural):
        return np.asarray(pd_matrix(block.pd_class, u, q, natural)[vech(q)])
    sd, cor = described.sd_and_cor(u, q)
    return np.append(sd[: described.n_sd(q)], cor[upper_by_row(q)][: described.n_cor(q)])


def _var_names(var: VarFunc) -> list[str]:
    """nlme's names of the free coefficients; a lone const, power or prop loses its stratum."""
    names = [name for name, free in zip(var.names, var.free) if free]
    if var.var_class in ("varConstPower", "varConstProp"):
        stems = [name.split(".")[0] for name in names]
        names = [s if stems.count(s) == 1 else name for s, name in zip(stems, names)]
    return [f"{var.tag}.{name}" if var.tag else name for name in names]


def _rows(snapshot: FitSnapshot) -> list[tuple[str, str]]:
    """Part and name of every row."""
    natural = is_natural(snapshot)
    rows = [
        (f"reStruct.{level.group}", name)
        for level in snapshot.levels
        for block in level.blocks
        for name in _block_names(block, natural)
    ]
    if cor := free_cor(snapshot):
        rows += [("corStruct", name) for name in cor.names]
    rows += [("varStruct", name) for var in snapshot.var for name in _var_names(var)]
    if snapshot.kind == "gls" or not snapshot.fixed_sigma:
        rows.append(("sigma", "sigma"))
    return rows


def _values(snapshot: FitSnapshot, u: Array) -> Array:
    """What nlme prints for ``u``, in the order of :func:`_rows`."""
    natural, parts = is_natural(snapshot), split(snapshot, u, inner_first=True)
    values = [
        _block_values(block, piece, natural)
        for level, pieces in zip(snapshot.levels, parts.levels)
        for block, piece in zip(level.blocks, pieces)
    ]
    if cor := free_cor(snapshot):
        values.append(cor_natural(cor, parts.cor, natural))
    values += [var_natural(var, piece) for var, piece in zip(snapshot.var, parts.var)]
    if snapshot.kind == "gls" and snapshot.fixed_sigma:
        values.append(np.array([snapshot.sigma]))
    return np.concatenate([*values, np.exp(parts.sigma)])


# --- intervals --------------------------------------------------------------------------------


def _sigma_ends(snapshot: FitSnapshot, level: float) -> tuple[float, float]:
    """χ² interval of σ in a gls without other parameters; a point where σ is fixed."""
    if snapshot.fixed_sigma:
        return snapshot.sigma, snapshot.sigma
    df = snapshot.n - (len(snapshot.beta) if snapshot.method == "REML" else 0)
    chi2 = 2 * special.gammaincinv(df / 2, [(1 + level) / 2, (1 - level) / 2])
    lower, upper = snapshot.sigma * np.sqrt(df / chi2)
    return lower, upper


def intervals(snapshot: FitSnapshot, level: float = 0.95) -> Intervals:
    """nlme's confidence intervals of the variance components.

    Parameters
    ----------
    snapshot : FitSnapshot
    level : float

    Returns
    -------
    Intervals
        Rows, order and names of nlme, but for two labels that nlme gets wrong: a ``corSymm``
        under ``natural=FALSE`` is unnamed there, and a grouping factor used twice lends its
        first rows' names to both levels.

    Raises
    ------
    ApVarError
        nlme gave no apVar; the message has its reason.
    SpecError
        ``level`` is not between 0 and 1.

    Notes
    -----
    u ± z·se on nlme's unconstrained scale; each whole vector of endpoints is then transformed
    at once. Where several u make one coefficient (ARMA of order 2 and more, ``natural=FALSE``)
    ``lower`` can therefore exceed ``upper``, as in nlme. A gls with σ as its only parameter has
    σ √(N/χ²_N), N the residual degrees of freedom under REML and the number of rows under ML.

    References
    ----------
    ``intervals.lme`` and ``intervals.gls`` of nlme 3.1.
    """
    check_share(level)
    rows = _rows(snapshot)
    part, name = tuple(part for part, _ in rows), tuple(name for _, name in rows)
    apvar = snapshot.apvar
    if isinstance(apvar, ApVarUnavailable):
        if set(part) != {"sigma"}:
            message = "cannot get confidence intervals on var-cov components"
            raise ApVarError(f"{message}: {apvar.reason}")
        ends = _sigma_ends(snapshot, level)
        lower, est, upper = (np.array([value]) for value in (ends[0], snapshot.sigma, ends[1]))
        return Intervals(part, name, lower, est, upper, level)
    reach = special.ndtri((1 + level) / 2) * np.sqrt(np.diag(apvar.cov))
    with np.errstate(over="ignore", invalid="ignore"):  # at the boundary se can be in the hundreds
        lower, est, upper = (_values(snapshot, apvar.pars + sign * reach) for sign in (-1, 0, 1))
    return Intervals(part, name, lower, est, upper, level)


def unbounded(kind: str, x: float) -> tuple[float, float]:
    """A number of some kind on a scale without bounds, and the derivative of that scale there."""
    if kind in ("variance", "scale"):
        return float(np.log(x)), 1 / x
    if kind == "correlation":
        return float(np.arctanh(x)), 1 / (1 - x**2)
    if kind == "proportion":
        return float(np.log(x / (1 - x))), 1 / (x * (1 - x))
    return x, 1.0


def bounded(kind: str, value: Array) -> Array:
    """Inverse of :func:`unbounded` for an array of values."""
    if kind in ("variance", "scale"):
        return np.asarray(np.exp(value))
    if kind == "correlation":
        return np.asarray(np.tanh(value))
    return np.asarray(1 / (1 + np.exp(-value)) if kind == "proportion" else value)


def wald(
    estimates: ArrayLike,
    cov: ArrayLike,
    level: float = 0.95,
    *,
    scale: Literal["natural", "log"] = "natural",
    kinds: Sequence[str] = (),
) -> tuple[Array, Array]:
    """Wald confidence intervals of estimates.

    Parameters
    ----------
    estimates : (r,) array
    cov : (r, r) array
    level : float
    scale : {"natural", "log"}
        ``natural``: x ± z·se. ``log``: the same on a scale without bounds, and back.
    kinds : sequence of str, length r
        For ``log``: ``Theta.kinds``. Variances and scales go by log, correlations by Fisher's
        z, proportions by logit; covariances and coefficients have no bounds and stay natural.

    Returns
    -------
    lower, upper : (r,) arrays

    Raises
    ------
    SpecError
        An unknown scale, kinds of the wrong length, a level outside (0, 1).
    DataError
        Estimates and covariance do not fit, or an estimate lies on its bound.

    Notes
    -----
    se on the scale h is |h'(x)|·se(x), the delta method.
    """
    check_share(level)
    x, sigma = checked(estimates, cov)
    reach = special.ndtri((1 + level) / 2) * np.sqrt(np.diag(sigma))
    if scale == "natural":
        return x - reach, x + reach
    if scale != "log" or len(kinds) != len(x):
        raise SpecError(f"scale must be 'natural', or 'log' with {len(x)} kinds; got {scale!r}")
    ends = []
    for i, kind in enumerate(kinds):
        with np.errstate(all="ignore"):
            value, slope = unbounded(kind, x[i])
        if not np.isfinite([value, slope]).all():
            raise DataError(f"{kind} {i} is {x[i]:g}, on its bound: no interval on the log scale")
        with np.errstate(over="ignore"):  # at the boundary an end may be infinite
            ends.append(bounded(kind, value + np.array([-1, 1]) * slope * reach[i]))
    lower, upper = np.array(ends).reshape(-1, 2).T
    return lower, upper
