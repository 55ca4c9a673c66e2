"""lmeInfo's own answer: where it is right as it is, or made right by harmless means.

Random effects and groups cross under names that lmeInfo reads rightly (its regular expressions
lose ``I(x^2)`` or anything with "sd" in it), and ids sort as nlme sorts them. A fixed corStruct,
which lmeInfo takes as free, is cut out of its information matrix: the information about the other
parameters is the same. Everything else that lmeInfo cannot do, or does wrongly, is refused here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.parameters import theta
from ..core.snapshot import FitSnapshot, PdBlock, RandomLevel, VarFunc
from ..errors import LmeInfoUnsupported, RError, SpecError
from .locate import INSTALL_LMEINFO
from .nlme import Fitted
from .versions import require

TYPES = ("expected", "average")
_PD = {"pdLogChol", "pdSymm", "pdDiag"}
_COR = {"corAR1", "corCAR1", "corCompSymm", "corSymm"}
_VAR = {"varFixed", "varIdent", "varPower", "varExp", "varConstPower"}


def unsupported(snapshot: FitSnapshot) -> str:
    """Why lmeInfo cannot serve this model; empty where it can."""
    reasons = [
        _reml_reason(snapshot),
        *(_pd_reason(level) for level in snapshot.levels),
        _cor_reason(snapshot),
        *(_var_reason(part) for part in snapshot.var),
        "lmeInfo does not take varComb" if len(snapshot.var) > 1 else "",
    ]
    return "; ".join(dict.fromkeys(filter(None, reasons)))


def _reml_reason(snapshot: FitSnapshot) -> str:
    if snapshot.kind == "lme" and snapshot.method == "REML" and snapshot.fixed_sigma:
        return "lmeInfo would answer at R's estimates, which are not REML where sigma is fixed"
    return ""


def _pd_reason(level: RandomLevel) -> str:
    if len(level.blocks) > 1:
        return "lmeInfo does not take pdBlocked"
    name = level.blocks[0].pd_class
    return "" if name in _PD else f"lmeInfo does not take {name} (only {', '.join(sorted(_PD))})"


def _cor_reason(snapshot: FitSnapshot) -> str:
    cor = snapshot.cor
    if cor is None:
        return ""
    simple_arma = cor.cor_class == "corARMA" and cor.p + cor.q == 1
    if cor.cor_class not in _COR and not simple_arma:
        return f"lmeInfo has no derivatives for {cor.cor_class} of this form"
    if cor.cor_class in ("corAR1", "corCAR1") and cor.values[0] == 0:
        return "lmeInfo divides by zero where the autocorrelation is exactly 0"
    if cor.codes[-1] == 0:
        return "lmeInfo fails where the correlation has a single group"
    return ""


def _var_reason(part: VarFunc) -> str:
    name = part.var_class
    if name not in _VAR:
        return f"lmeInfo has no derivatives for {name}"
    partly_fixed = bool(part.strata) and not part.free.all() and part.free.any()
    if name in ("varPower", "varExp", "varConstPower") and (partly_fixed or _one_fixed(part)):
        return f"lmeInfo's derivatives are wrong for a partly fixed {name}"
    return ""


def _one_fixed(part: VarFunc) -> bool:
    return part.var_class == "varConstPower" and not part.free.all()


def fisher_info(fitted: Fitted, kind: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """lmeInfo's Fisher information of the variance components.

    Returns
    -------
    names, matrix
        Labels of the native core, and the (r, r) matrix in that order.

    Raises
    ------
    LmeInfoUnsupported, RPackageError, SpecError
    """
    if kind not in TYPES:
        raise SpecError(f"lmeInfo computes {' and '.join(TYPES)} information, not {kind!r}")
    names, theirs = _names(fitted.snapshot)
    answer = _ask(fitted, "fisher_info", kind)
    at = _positions(answer["names"], theirs)
    return names, answer["matrix"][np.ix_(at, at)]


def extract_varcomp(fitted: Fitted) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """lmeInfo's estimates of the variance components, under the labels of the native core."""
    names, theirs = _names(fitted.snapshot)
    answer = _ask(fitted, "extract_varcomp", "")
    given = tuple(".".join(dict.fromkeys(name.split("."))) for name in answer["names"])
    return names, answer["values"][_positions(given, theirs)]


def _ask(fitted: Fitted, what: str, kind: str) -> dict[str, Any]:
    reason = unsupported(fitted.snapshot)
    if reason:
        raise LmeInfoUnsupported(reason)
    require(fitted.handle.r, "lmeInfo", INSTALL_LMEINFO)
    try:
        value: dict[str, Any] = fitted.handle.ask("reference", what, kind)
    except RError as error:
        raise LmeInfoUnsupported(f"lmeInfo fails on this model: {error.message}") from error
    return value


def _names(snapshot: FitSnapshot) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels of θ, and the labels that lmeInfo gives the same parameters here."""
    levels = tuple(_neutral(level, i + 1) for i, level in enumerate(snapshot.levels))
    neutral = replace(snapshot, levels=levels)
    return theta(snapshot).names, theta(neutral).names


def _neutral(level: RandomLevel, number: int) -> RandomLevel:
    effects = tuple(f"z{number:02d}x{i + 1:03d}x" for i in range(len(level.names)))
    block = PdBlock(level.blocks[0].pd_class, effects)
    return replace(level, group=f"g{number:02d}x", names=effects, blocks=(block,))


def _positions(given: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """Where each wanted name stands; lmeInfo may give more (a fixed corStruct), never fewer."""
    missing = [name for name in wanted if name not in given]
    if missing or len(set(given)) < len(given):
        raise LmeInfoUnsupported(f"lmeInfo's labels {given} do not match the parameters {wanted}")
    return [given.index(name) for name in wanted]
