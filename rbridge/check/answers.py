"""Every covariance of the components that can be had, and why not the others."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from ..errors import ApVarError, InformationError, LmeInfoUnsupported, RPackageError, RWarning
from ..fit.components import Fit
from ..fit.vcov import VarcompVcov

LMEINFO_ROWS = 20_000  # lmeInfo takes some 10 s there


class Reference(Protocol):
    """Who answers for lmeInfo: ``fit.lmeinfo`` itself, or a record of what it said."""

    def fisher_info(self, type: str = "expected") -> pd.DataFrame:
        ...

    def varcomp_vcov(self, type: str = "expected") -> VarcompVcov:
        ...

    def extract_varcomp(self) -> pd.Series:
        ...


@dataclass(frozen=True)
class Answers:
    """What a cross-check compares.

    Attributes
    ----------
    fit : Fit
    lmeinfo : Reference
    found : mapping of a method (``delta``, ``observed``, ``average``, ``expected``, ``lmeInfo``)
        to its answer
    reasons : mapping of each other method to why there is no answer
    uninstalled : bool
        lmeInfo could have answered, and is not there.
    """

    fit: Fit
    lmeinfo: Reference
    found: Mapping[str, VarcompVcov]
    reasons: Mapping[str, str]
    uninstalled: bool

    def has(self, *methods: str) -> bool:
        return all(method in self.found for method in methods)

    def vcov(self, method: str) -> VarcompVcov:
        return self.found[method]

    def why_not(self, method: str) -> str:
        return self.reasons[method]


def gather(fit: Fit, reference: Reference | None = None, asked: bool | None = None) -> Answers:
    """Ask everybody.

    Parameters
    ----------
    fit : Fit
    reference : Reference, optional
        Recorded answers of lmeInfo, in place of ``fit.lmeinfo``.
    asked : bool, optional
        Whether to ask ``fit.lmeinfo``; by default up to 20 000 rows.
    """
    found: dict[str, VarcompVcov] = {}
    reasons: dict[str, str] = {}
    for method in ("delta", "observed", "average", "expected"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RWarning)  # gap A says the same
                found[method] = fit.varcomp_vcov(method)
        except (ApVarError, InformationError) as error:
            reasons[method] = str(error)
    source: Reference = reference or fit.lmeinfo
    uninstalled = False
    try:
        if reference is None:
            _may_ask(fit, asked)
        found["lmeInfo"] = source.varcomp_vcov("expected")
    except (LmeInfoUnsupported, RPackageError) as error:
        reasons["lmeInfo"] = str(error)
        uninstalled = isinstance(error, RPackageError)
    return Answers(fit, source, found, reasons, uninstalled)


def _may_ask(fit: Fit, asked: bool | None) -> None:
    """Refuse where lmeInfo is not wanted, or would take minutes and nobody insists."""
    if asked is False:
        raise LmeInfoUnsupported("lmeInfo was not asked")
    if asked is None and fit.nobs > LMEINFO_ROWS:
        raise LmeInfoUnsupported(
            f"lmeInfo's time grows with the square of the rows ({fit.nobs} here): "
            "crosscheck(lmeinfo=True) asks it all the same"
        )
