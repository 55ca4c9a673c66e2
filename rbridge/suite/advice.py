"""What to look at where a model is not in order, by what was found."""

from __future__ import annotations

from collections.abc import Iterable

from ..check.findings import FAILURE, UNCHECKED, WARNING, Finding
from ..check.tolerances import CHECK, DRIFT

_DRIFT = (
    "Are R, nlme and BLAS the same as in the record? Then the data or the model moved. If not, run "
    "with engine = 'pinned': what stays apart at the exact optimum is no noise of the search. A "
    "change that is meant is recorded again (rbridge record --yes)"
)
_FORMULA = (
    "One formula by two programs: a fault here, or in this version of lmeInfo. Does the record "
    "(--against) still agree without R (--no-r)? Then lmeInfo moved"
)
_OPTIMUM = "The search stopped early: engine = 'pinned' has nlme's numbers at the optimum itself"
_LIKELIHOOD = "The fit and the formulas speak of two models: is the structure written as in R?"
_APVAR = "nlme's finite differences: prefer the exact informations, and see fit.diagnose()"
_OBSERVED = (
    "Both informations are right, and apart where a design is not balanced: the tolerance is the "
    "suite's. Where one is missing, fit.diagnose() says what the data do not identify"
)
_EXPECT = "The exception has outlived its reason: take expect out of the suite, or mend it"
_RECORD = "The record was edited by hand or damaged: take it back from version control"
_DATA = "Was the data file meant to change? Then record again; else take it back"
_FIT = "The message says what R or the data lack; rbridge doctor shows the installation"

ADVICE: dict[str, str] = {
    **{code: _DRIFT for code in DRIFT},
    **{code: _FORMULA for code in CHECK if code not in ("log-likelihood", "optimum", "A", "B")},
    "log-likelihood": _LIKELIHOOD,
    "convergence": _OPTIMUM,
    "optimum": _OPTIMUM,
    "A": _APVAR,
    "B": _OBSERVED,
    "expect": _EXPECT,
    "record": _RECORD,
    "data": _DATA,
    "fit": _FIT,
}


def advice(findings: Iterable[Finding]) -> list[str]:
    """What to look at, each once, of the findings that are not in order.

    A record that is missing, stale or unreadable says itself what to do, and a timeout too.
    """
    bad = [f for f in findings if f.level in (FAILURE, UNCHECKED, WARNING)]
    bad = [f for f in bad if (f.code, f.level) != ("record", UNCHECKED)]
    return list(dict.fromkeys(ADVICE[f.code] for f in bad if f.code in ADVICE))
