"""Which parameters of a larger model are at the edge of their range under a smaller one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from .arrays import Array
from .snapshot import CorStruct, FitSnapshot, RandomLevel, VarFunc

_FREE_COVARIANCES = ("pdLogChol", "pdSymm", "pdNatural")
_NESTED = {
    *(("pdIdent", name) for name in ("pdDiag", "pdCompSymm", "free")),
    *((name, "free") for name in ("pdDiag", "pdCompSymm", "free")),
}
_NONE_IS_INSIDE = ("corAR1", "corCompSymm", "corSymm", "corNatural", "corARMA")


@dataclass(frozen=True)
class Boundary:
    """The null distribution of a likelihood ratio where variances are tested at zero.

    Attributes
    ----------
    df : tuple of int
        Degrees of freedom of the χ² distributions mixed half and half; empty where the ordinary
        χ² holds, or where no mixture is known.
    reason : str
        What is tested, or why there is no mixture.
    """

    df: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        mixture = " + ".join(f"0.5 χ²({df})" for df in self.df)
        return f"{mixture}: {self.reason}" if mixture else self.reason


def mixture_p(ratio: ArrayLike, df: tuple[int, ...]) -> Array:
    """P(χ̄² ≥ ratio) for an equal mixture of χ² distributions; χ²(0) is the point zero."""
    ratio = np.asarray(ratio, float)
    tails = [special.chdtrc(k, ratio) if k else np.where(ratio > 0, 0.0, 1.0) for k in df]
    return np.asarray(np.mean(tails, axis=0))


def boundary(small: FitSnapshot, large: FitSnapshot, df: int) -> Boundary:
    """What a test of ``small`` within ``large`` does to the range of the parameters.

    Parameters
    ----------
    small, large : FitSnapshot
        The same response and rows; ``large`` has ``df`` more parameters.

    Returns
    -------
    Boundary

    Notes
    -----
    One variance at zero with s − 1 further parameters gone or zero inside their range (the new
    effect's covariances, fixed effects, coefficients of a structure): ½χ²(s−1) + ½χ²(s). Two or
    more variances at once have weights that depend on the information; none is claimed here.

    References
    ----------
    Self and Liang (1987), Journal of the American Statistical Association 82, 605–610, case 6 and
    after; Stram and Lee (1994), Biometrics 50, 1171–1177.
    """
    if not _spans(large.X, small.X):
        return Boundary((), "no correction: the fixed effects are not nested")
    why = _within_group(small, large)
    if why:
        return Boundary((), f"no correction: {why}")
    added = _added(small, large)
    if isinstance(added, str):
        return Boundary((), f"no correction: {added}")
    if not added:
        return Boundary((), "")
    if len(added) > 1:
        names = ", ".join(added)
        return Boundary(
            (), f"no correction: several variances at zero ({names}); p-value is too large"
        )
    return Boundary((df - 1, df), f"the variance of {added[0]} at zero")


def _spans(X: Array, part: Array) -> bool:
    """Whether the columns of ``part`` lie in the column space of ``X``."""
    residual = part - X @ np.linalg.lstsq(X, part, rcond=None)[0]
    return bool(np.linalg.norm(residual) <= 1e-8 * np.linalg.norm(part))


def same_span(X: Array, other: Array) -> bool:
    """Whether two designs have the same column space."""
    return X.shape == other.shape and _spans(X, other)


def same_restricted(X: Array, other: Array) -> bool:
    """Whether REML likelihoods under two designs compare: one column space, one det X'X."""
    volumes = [np.linalg.slogdet(design.T @ design)[1] for design in (X, other)]
    return same_span(X, other) and abs(float(volumes[0] - volumes[1])) < 1e-8


def _within_group(small: FitSnapshot, large: FitSnapshot) -> str:
    """Why correlation and variance structures are not nested inside their range; else empty."""
    if small.fixed_sigma != large.fixed_sigma:
        return "sigma is fixed in one of the models"
    return _correlation(small.cor, large.cor) or _variance(small.var, large.var)


def _correlation(old: CorStruct | None, new: CorStruct | None) -> str:
    if old is None and new is None:
        return ""
    if old is None and new is not None and not new.fixed:
        edge = f"{new.cor_class} is at the edge of its range without correlation"
        return "" if new.cor_class in _NONE_IS_INSIDE else edge
    if old is None or new is None or old.cor_class != new.cor_class:
        return "the correlation structures are not nested"
    if old.nugget != new.nugget:
        return "the nugget is tested at zero"
    same = old.fixed == new.fixed and (not new.fixed or np.array_equal(old.values, new.values))
    orders = (old.p, old.q) == (new.p, new.q) or old.cor_class == "corARMA"
    return "" if same and orders else "the correlation structures are not nested"


def _variance(old: Sequence[VarFunc], new: Sequence[VarFunc]) -> str:
    kept, more = new[: len(old)], new[len(old) :]
    if [(v.var_class, v.strata) for v in old] != [(v.var_class, v.strata) for v in kept]:
        return "the variance functions are not nested"
    if any(v.var_class.startswith("varConst") for v in more):
        return "varConstPower and varConstProp are at the edge of their range without weights"
    return ""


def _added(small: FitSnapshot, large: FitSnapshot) -> list[str] | str:
    """Random effects that only ``large`` has, or why their variances are no single zero each."""
    old = {level.group: level for level in small.levels}
    if not set(old) <= {level.group for level in large.levels}:
        return "the grouping levels are not nested"
    added: list[str] = []
    for level in large.levels:
        new = _new_level(level) if level.group not in old else _more(old[level.group], level)
        if isinstance(new, str):
            return new
        added += new
    return added


def _new_level(level: RandomLevel) -> list[str] | str:
    if _family(level) == "pdIdent":  # one variance, whatever the number of effects
        return [f"{level.blocks[0].formula} | {level.group}"]
    if _family(level) in ("free", "pdDiag"):
        return [f"{name} | {level.group}" for name in level.names]
    return f"{_family(level)} random effects of {level.group}"


def _more(old: RandomLevel, new: RandomLevel) -> list[str] | str:
    extra = [name for name in new.names if name not in old.names]
    families = _family(old), _family(new)
    if not set(old.names) <= set(new.names):
        return f"the random effects of {new.group} are not nested"
    if not extra:
        same = families in _NESTED or [b.pd_class for b in old.blocks] == [
            b.pd_class for b in new.blocks
        ]
        return [] if same else f"the pdMats of {new.group} are not nested"
    kept = len(old.names) == 1 or families[0] == families[1]
    if families[1] not in ("free", "pdDiag") or not kept:
        return f"the pdMats of {new.group} differ besides the new effect"
    return [f"{name} | {new.group}" for name in extra]


def _family(level: RandomLevel) -> str:
    """Class of a level's pdMat; every structure of a single effect is the same one."""
    if len(level.blocks) > 1:
        return "pdBlocked"
    name = level.blocks[0].pd_class
    return "free" if name in _FREE_COVARIANCES or len(level.names) == 1 else name
