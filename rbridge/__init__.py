"""Linear mixed models by R's nlme from pandas, with variance components whose uncertainty holds.

Importing this package starts no R; the first fit does.
"""

from __future__ import annotations

from . import datasets
from .api import delta_method, gls, lme, load
from .analysis.compare import compare
from .core.snapshot import ApVarUnavailable, FitSnapshot
from .check.crosscheck import Crosscheck
from .analysis.derive import (
    correlations,
    icc,
    r_squared,
    reliability,
    standard_deviations,
    stratum_variances,
    variance_ratio,
)
from .r.doctor import doctor
from .errors import RBridgeError
from .many.models import lme_many
from .r.session import set_isolation
from .results import ApVar, LmeResults, VarcompVcov, ranef_params
from .model.spec import ModelSpec
from .model.structures import (
    corAR1,
    corARMA,
    corCAR1,
    corCompSymm,
    corExp,
    corGaus,
    corLin,
    corNatural,
    corRatio,
    corSpher,
    corSymm,
    pdBlocked,
    pdCompSymm,
    pdDiag,
    pdIdent,
    pdLogChol,
    pdNatural,
    pdSymm,
    varComb,
    varConstPower,
    varConstProp,
    varExp,
    varFixed,
    varIdent,
    varPower,
)
from .analysis.tidy import tidy
from .analysis.variance_at import slope_variance_at, variance_at

__version__ = "0.1.0"

__all__ = [
    "ApVar",
    "ApVarUnavailable",
    "Crosscheck",
    "FitSnapshot",
    "LmeResults",
    "ModelSpec",
    "RBridgeError",
    "VarcompVcov",
    "compare",
    "correlations",
    "datasets",
    "delta_method",
    "doctor",
    "gls",
    "icc",
    "lme",
    "lme_many",
    "load",
    "r_squared",
    "ranef_params",
    "reliability",
    "slope_variance_at",
    "standard_deviations",
    "stratum_variances",
    "tidy",
    "variance_at",
    "variance_ratio",
    "set_isolation",
    "corAR1",
    "corARMA",
    "corCAR1",
    "corCompSymm",
    "corExp",
    "corGaus",
    "corLin",
    "corNatural",
    "corRatio",
    "corSpher",
    "corSymm",
    "pdBlocked",
    "pdCompSymm",
    "pdDiag",
    "pdIdent",
    "pdLogChol",
    "pdNatural",
    "pdSymm",
    "varComb",
    "varConstPower",
    "varConstProp",
    "varExp",
    "varFixed",
    "varIdent",
    "varPower",
]
