"""Which parameters of a larger model are at the edge of their range under a smaller one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from .arrays import Array
from .snapshot import CorStruct, FitSnapshot, RandomLevel, VarFunc

_FREE_COVARIANCES = ("pdLogChol", "pdSymm", "pdNatural")
_NESTED = {
    *(("pdIdent", name) for name in ("pdDiag", "pdCompSymm", "free")),
    *((name, "free") for name in ("pdDiag", "pdCompSymm", "pdBlocked", "free")),
}
_NONE_IS_INSIDE = ("corAR1", "corCompSymm", "corSymm", "corNatural", "corARMA")
_UNSTRUCTURED = ("corSymm", "corNatural")


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
    nested : bool
        False where the smaller model is no case of the larger, as far as can be seen here.
    """

    df: tuple[int, ...]
    reason: str
    nested: bool = True

    def __str__(self) -> str:
        mixture = " + ".join(f"0.5 χ²({df})" for df in self.df)
        return f"{mixture}: {self.reason}" if mixture else self.reason


@dataclass(frozen=True)
class _Doubt:
    """Why one part of a model does not lie inside the range of the other's; None where it does."""

    reason: str
    nested: bool = False


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
    small, large = in_row_order(small), in_row_order(large)
    added = _added(small, large)
    parts = (_fixed_part(small, large), _correlation(small.cor, large.cor), _variance(small, large))
    doubts = [part for part in (*parts, added) if isinstance(part, _Doubt)]
    if doubts or isinstance(added, _Doubt):
        worst = min(doubts, key=lambda doubt: doubt.nested)
        return Boundary((), f"no correction: {worst.reason}", worst.nested)
    if not added:
        return Boundary((), "")
    if len(added) > 1:
        names = ", ".join(added)
        return Boundary(
            (), f"no correction: several variances at zero ({names}); p-value is too large"
        )
    return Boundary((df - 1, df), f"the variance of {added[0]} at zero")


def in_row_order(snapshot: FitSnapshot) -> FitSnapshot:
    """The data and designs of a fit in the order of the user's rows."""
    order = np.argsort(snapshot.rows)

    def sorted_part(part: Any, *names: str) -> Any:
        rows = {name: getattr(part, name) for name in names}
        return replace(part, **{name: x[order] for name, x in rows.items() if x is not None})

    return replace(
        snapshot,
        **{name: getattr(snapshot, name)[order] for name in ("X", "y", "fitted", "rows")},
        levels=tuple(sorted_part(level, "Z", "codes") for level in snapshot.levels),
        cor=sorted_part(snapshot.cor, "codes", "covariate") if snapshot.cor else None,
        var=tuple(sorted_part(var, "codes", "covariate") for var in snapshot.var),
    )


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


def _fixed_part(small: FitSnapshot, large: FitSnapshot) -> _Doubt | None:
    """The fixed effects, and sigma where it is fixed."""
    if not _spans(large.X, small.X):
        return _Doubt("the fixed effects are not nested")
    same = small.fixed_sigma and small.sigma == large.sigma
    return _Doubt("sigma is fixed in the larger model") if large.fixed_sigma and not same else None


# --- correlation structures ---------------------------------------------------------------------


def _correlation(old: CorStruct | None, new: CorStruct | None) -> _Doubt | None:
    other = _Doubt("the correlation structures are not nested")
    if new is None:
        return other if old else None
    if old is None:
        return other if new.fixed else _from_none(new)
    if not _same_groups(old.codes, new.codes):
        return other
    if new.fixed and not (old.fixed and np.array_equal(old.values, new.values)):
        return other
    if new.cor_class in _UNSTRUCTURED:
        return None if _fits_a_matrix(old, new) else other
    if _orders(old) and _orders(new) and _same_places(old, new):
        return _more_orders(_orders(old), _orders(new))
    if old.cor_class != new.cor_class or not _same_places(old, new) or old.nugget > new.nugget:
        return other
    return _Doubt("the nugget is tested at zero", True) if new.nugget > old.nugget else None


def _from_none(new: CorStruct) -> _Doubt | None:
    if new.cor_class not in _NONE_IS_INSIDE:
        return _Doubt(f"{new.cor_class} is at the edge of its range without correlation", True)
    return _more_orders((0, 0), _orders(new)) if _orders(new) else None


def _orders(cor: CorStruct) -> tuple[int, ...]:
    """p and q of an ARMA; empty for other structures."""
    if cor.cor_class == "corAR1":
        return (1, 0)
    return (cor.p, cor.q) if cor.cor_class == "corARMA" else ()


def _more_orders(old: tuple[int, ...], new: tuple[int, ...]) -> _Doubt | None:
    """ARMA(p, q) within ARMA(p', q')."""
    more = [b - a for a, b in zip(old, new)]
    if min(more) < 0:
        return _Doubt("the correlation structures are not nested")
    text = f"under ARMA{old} the further coefficients of ARMA{new} cancel and cannot be told apart"
    return _Doubt(text, True) if min(more) > 0 else None


def _fits_a_matrix(old: CorStruct, new: CorStruct) -> bool:
    """Whether the places of an unstructured matrix say all that the old correlation depends on."""
    place = new.covariate[:, 0]
    if old.cor_class in _UNSTRUCTURED:
        return bool(np.array_equal(old.covariate, new.covariate))
    return old.cor_class == "corCompSymm" or _is_function(place, old.covariate)


def _same_places(old: CorStruct, new: CorStruct) -> bool:
    """Whether the rows have the same places, but for where each group begins to count."""
    if old.cor_class == "corCompSymm":
        return True
    if old.covariate.shape != new.covariate.shape or old.metric != new.metric:
        return False
    first = np.unique(old.codes, return_index=True, return_inverse=True)
    start = first[1][first[2]]
    a, b = (cor.covariate - cor.covariate[start] for cor in (old, new))
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(a).max()))))


def _relabelled(codes: Array) -> Array:
    """Codes by first appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse])


def _same_groups(codes: Array, other: Array) -> bool:
    return bool(np.array_equal(_relabelled(codes), _relabelled(other)))


def _is_function(x: Array, y: Array) -> bool:
    """Whether rows with the same x have the same y."""
    pairs = np.unique(np.column_stack([x, y]), axis=0)
    return len(pairs) == len(np.unique(x))


# --- variance functions -------------------------------------------------------------------------


def _variance(small: FitSnapshot, large: FitSnapshot) -> _Doubt | None:
    """The best of all ways to find each variance function of the smaller model in the larger."""
    old, new = small.var, large.var
    if old and small.spec.get("weights", small) == large.spec.get("weights"):
        return None  # also fitted(.), whose values are each fit's own
    if len(old) > len(new):
        return _Doubt("the variance functions are not nested")
    ways = [_matched(old, way) for way in permutations(new)]
    return min(ways, key=lambda doubt: 2 - doubt.nested if doubt else 0)


def _matched(old: Sequence[VarFunc], new: Sequence[VarFunc]) -> _Doubt | None:
    doubts = [_in_variance(a, b) for a, b in zip(old, new)] + [_neutral(v) for v in new[len(old) :]]
    found = [doubt for doubt in doubts if doubt]
    return min(found, key=lambda doubt: doubt.nested) if found else None


def _in_variance(old: VarFunc, new: VarFunc) -> _Doubt | None:
    other = _Doubt("the variance functions are not nested")
    if not _same_covariate(old, new) or not _coarser(old, new) or not _fixed_alike(old, new):
        return other
    if old.var_class == new.var_class or (old.var_class, new.var_class) == ("varFixed", "varPower"):
        return None
    if new.var_class == "varConstPower" and old.var_class in ("varPower", "varFixed"):
        return _Doubt("the constant of varConstPower is tested at zero; p-value is too large", True)
    return other


def _neutral(new: VarFunc) -> _Doubt | None:
    """A variance function against none."""
    if new.var_class.startswith("varConst"):
        text = "varConstPower and varConstProp are at the edge of their range without weights"
        return _Doubt(text, True)
    inside = new.var_class != "varFixed" and _all_free(new)
    return None if inside else _Doubt("the variance functions are not nested")


def _same_covariate(old: VarFunc, new: VarFunc) -> bool:
    if old.covariate is None or new.covariate is None:
        return old.covariate is new.covariate
    return bool(np.allclose(old.covariate, new.covariate, rtol=1e-9, atol=0))


def _coarser(old: VarFunc, new: VarFunc) -> bool:
    """Whether each stratum of ``new`` lies in one of ``old``."""
    if old.codes is None or len(old.strata) < 2:
        return True
    return new.codes is not None and _is_function(new.codes, old.codes)


def _all_free(var: VarFunc) -> bool:
    """No coefficient is held fixed but the 1 of varIdent's reference."""
    return int((~var.free.astype(bool)).sum()) == (var.var_class == "varIdent")


def _fixed_alike(old: VarFunc, new: VarFunc) -> bool:
    """Whether what is fixed in ``new`` is fixed in ``old``, and to the same."""
    if _all_free(new):
        return True
    if old.var_class != new.var_class or old.strata != new.strata:
        return False
    fixed = ~new.free.astype(bool)
    same = np.array_equal(old.values[fixed], new.values[fixed])
    return bool(same and not old.free.astype(bool)[fixed].any())


# --- random effects -----------------------------------------------------------------------------


def _added(small: FitSnapshot, large: FitSnapshot) -> list[str] | _Doubt:
    """Random effects that only ``large`` has, or why their variances are no single zero each."""
    old, new = ({level.group: level for level in fit.levels} for fit in (small, large))
    added: list[str] = []
    more: list[str] | _Doubt
    for group in [*new, *(group for group in old if group not in new)]:
        if group not in new:
            hosts = [host for host in new.values() if _absorbs(host, old[group], old)]
            more = [] if hosts else _Doubt("the grouping levels are not nested by name")
        elif any(_absorbs(new[group], old[lost], old) for lost in old if lost not in new):
            more = []  # its covariances are those of the levels that it absorbs
        else:
            more = _more(old[group], new[group]) if group in old else _new_level(new[group])
        if isinstance(more, _Doubt):
            return more
        added += more
    return added


def _absorbs(host: RandomLevel, inner: RandomLevel, old: Mapping[str, RandomLevel]) -> bool:
    """Whether an inner level of the smaller model is part of an unstructured level of the larger.

    ``~ 1 | worker/machine`` is ``~ machine - 1 | worker`` with equal variances and covariances:
    the rows of the host's design tell the inner groups apart, the same way in every outer group.
    """
    if _family(host) != "free" or (host.group in old and not _spans(host.Z, old[host.group].Z)):
        return False
    q = len(host.names)
    kinds, kind = np.unique(np.hstack([host.Z, inner.Z]), axis=0, return_inverse=True)
    classes = np.arange(len(kinds))
    pairs = np.unique(np.column_stack([inner.codes, kind]), axis=0)
    for one, other in zip(pairs, pairs[1:]):  # kinds of rows within one inner group
        if one[0] == other[0]:
            classes[classes == classes[other[1]]] = classes[one[1]]
    if not _same_groups(host.codes * len(kinds) + classes[kind], inner.codes):
        return False
    effects = [kinds[:, q:] * (classes == k)[:, None] for k in np.unique(classes)]
    of_inner = np.hstack(effects)
    return _spans(kinds[:, :q], of_inner) and int(np.linalg.matrix_rank(of_inner)) == q


def _new_level(level: RandomLevel) -> list[str] | _Doubt:
    if _family(level) == "pdIdent":  # one variance, whatever the number of effects
        return [f"{level.blocks[0].formula} | {level.group}"]
    if _family(level) in ("free", "pdDiag"):
        return [f"{name} | {level.group}" for name in level.names]
    return _Doubt(f"{_family(level)} random effects of {level.group}", True)


def _more(old: RandomLevel, new: RandomLevel) -> list[str] | _Doubt:
    families = _family(old), _family(new)
    by_name = _same_columns(old, new)
    inside = by_name or (families[1] == "free" and _spans(new.Z, old.Z))
    if not inside or not _same_groups(old.codes, new.codes):
        return _Doubt(f"the random effects of {new.group} are not nested")
    extra = len(new.names) - len(old.names)
    if not extra:
        blocks = [[(b.pd_class, {*b.names}) for b in level.blocks] for level in (old, new)]
        same = families in _NESTED or (families[0] == families[1] and blocks[0] == blocks[1])
        return [] if same else _Doubt(f"the pdMats of {new.group} are not nested")
    kept = len(old.names) == 1 or families[0] == families[1]
    if families[1] not in ("free", "pdDiag") or not kept:
        nested = families[1] == "free"
        return _Doubt(f"the pdMats of {new.group} differ besides the new effect", nested)
    names = [name for name in new.names if name not in old.names]
    if not by_name:
        names = ["a further effect"] * extra
    return [f"{name} | {new.group}" for name in names]


def _same_columns(old: RandomLevel, new: RandomLevel) -> bool:
    """Whether the effects of ``old`` stand in ``new`` by name, with the same design."""
    if not set(old.names) <= set(new.names):
        return False
    return bool(np.array_equal(old.Z, new.Z[:, [new.names.index(name) for name in old.names]]))


def _family(level: RandomLevel) -> str:
    """Class of a level's pdMat; every structure of a single effect is the same one."""
    if len(level.blocks) > 1:
        return "pdBlocked"
    name = level.blocks[0].pd_class
    return "free" if name in _FREE_COVARIANCES or len(level.names) == 1 else name
