"""The names that ``import rbridge as rb`` gives, from wherever they live.

They say that they are of :mod:`rbridge`, so that what is pickled or printed outlives the next move.
"""

from __future__ import annotations

from . import datasets
from .analysis.compare import compare
from .analysis.derive import (
    correlations,
    icc,
    r_squared,
    reliability,
    standard_deviations,
    stratum_variances,
    variance_ratio,
)
from .analysis.lm_list import LmList, compare_fits, lm_list
from .analysis.pool import pool
from .analysis.ranef import ranef_params
from .analysis.simulated import simulated_lrt
from .analysis.tidy import tidy
from .analysis.variance_at import slope_variance_at, variance_at
from .api import gls, lme
from .check.crosscheck import Crosscheck
from .core.snapshot import ApVarUnavailable, FitSnapshot
from .errors import RBridgeError
from .fit.vcov import NamedApVar as ApVar
from .fit.vcov import VarcompVcov, delta_method
from .many.models import lme_many
from .model import structures as _structures
from .model.spec import ModelSpec
from .model.structures import *  # noqa: F401, F403
from .r.doctor import doctor
from .r.session import set_isolation
from .repeated import load, mmrm
from .results import LmeResults

__all__ = [
    "ApVar",
    "ApVarUnavailable",
    "Crosscheck",
    "FitSnapshot",
    "LmList",
    "LmeResults",
    "ModelSpec",
    "RBridgeError",
    "VarcompVcov",
    "compare",
    "compare_fits",
    "correlations",
    "datasets",
    "delta_method",
    "doctor",
    "gls",
    "icc",
    "lm_list",
    "lme",
    "lme_many",
    "load",
    "mmrm",
    "pool",
    "r_squared",
    "ranef_params",
    "reliability",
    "simulated_lrt",
    "slope_variance_at",
    "standard_deviations",
    "stratum_variances",
    "tidy",
    "variance_at",
    "variance_ratio",
    "set_isolation",
]
__all__ += _structures.__all__

for _name in set(__all__) - {"datasets"}:
    _public = globals()[_name]
    _public.__module__, _public.__name__, _public.__qualname__ = "rbridge", _name, _name
