"""A fit as one frame with broom.mixed's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.parameters import tau_basis
from ..core.quantities.quantity import Quantity, component_quantities, sd_and_cor
from ..errors import RBridgeError, SpecError
from ..fit.components import Fit
from ..fit.vcov import METHODS, SOURCES
from ..options import one_of
from ..show.result_frame import ResultFrame
from .derive import derived, values
from .fixed_effects import fixed_effects, inference_of

EFFECTS = ("fixed", "ran_pars")
SCALES = {"variance": "log", "scale": "log", "correlation": "Fisher z", "proportion": "logit"}
NLME = "containment (nlme)"
FIXED = {
    **{"estimate": "estimate", "std_error": "se", "statistic": "t", "df": "df", "p_value": "p"},
    **{"conf_low": "lower", "conf_high": "upper"},
}
COLUMNS = (
    *("effect", "group", "term", "estimate", "std_error", "statistic", "df", "p_value"),
    *("conf_low", "conf_high", "conf_method"),
)


def tidy(
    fit: Fit,
    effects: Sequence[str] = EFFECTS,
    *,
    scale: str = "sdcor",
    level: float = 0.95,
    method: str = "expected",
    **inference: Any,
) -> pd.DataFrame:
    """One row a parameter, with broom.mixed's column names (dots as underscores).

    Parameters
    ----------
    fit : Fit
    effects : sequence of {"fixed", "ran_pars"}
    scale : {"sdcor", "vcov"}
        Random effects as standard deviations and correlations, or variances and covariances.
    level : float
    method : {"expected", "observed", "average", "delta"}
        Covariance of the variance components.
    **inference
        ``ddf``, ``information``, ``kr``, ``vcov``, ``cluster``: the fixed effects as
        :func:`rbridge.analysis.fixed_effects.fixed_effects` tests them. Without any of them they
        have nlme's standard errors and degrees of freedom.

    Returns
    -------
    DataFrame
        ``effect group term estimate std_error statistic df p_value conf_low conf_high
        conf_method``. Terms as in ``broom.mixed::tidy.lme``: ``sd_(Intercept)``,
        ``cor_age.(Intercept)``, ``sd_Observation`` in the group ``Residual``; within-group
        coefficients (``cor_params`` …) in the groups ``corStruct`` and ``varStruct``. Intervals: t
        for fixed effects; else on the log (Fisher z) scale where there is one.
        ``conf_method`` says which, or why there is none; ``attrs["method"]`` by which covariance.

    Raises
    ------
    SpecError
        An unknown effect or scale.
    """
    one_of(method, METHODS, "method")
    unknown = [name for name in effects if name not in EFFECTS]
    if isinstance(effects, str) or unknown or scale not in ("sdcor", "vcov"):
        raise SpecError(f"effects are a list of {', '.join(EFFECTS)}; scale is 'sdcor' or 'vcov'")
    frames = [
        _fixed(fit, level, inference) if name == "fixed" else _random(fit, scale, level, method)
        for name in effects
    ]
    frame = ResultFrame(pd.concat(frames, ignore_index=True)[list(COLUMNS)])
    frame.attrs["method"] = f"random part: standard errors by {SOURCES[method]}"
    return frame


def _fixed(fit: Fit, level: float, inference: Mapping[str, Any]) -> pd.DataFrame:
    table, method = _by_nlme(fit, level), NLME
    if inference:
        table = fixed_effects(fit, level=level, **inference)
        method = inference_of(fit, **inference).description
    said = {"effect": "fixed", "group": "fixed", "conf_method": f"t, {level:.0%}, {method}"}
    numbers = table[list(FIXED.values())].set_axis(list(FIXED), axis=1)
    return numbers.assign(term=list(table.index), **said)


def _by_nlme(fit: Fit, level: float) -> pd.DataFrame:
    ends = fit.conf_int(level)
    tested = {"estimate": fit.params, "se": fit.bse, "t": fit.tvalues, "df": fit.df_resid}
    return pd.DataFrame({**tested, "p": fit.pvalues, **ends})


def _random(fit: Fit, scale: str, level: float, method: str) -> pd.DataFrame:
    named = _terms(fit, scale)
    wanted = {label: quantity for label, (_, _, quantity) in named.items()}
    frame = pd.DataFrame(
        {
            "effect": "ran_pars",
            "group": [group for group, _, _ in named.values()],
            "term": [term for _, term, _ in named.values()],
        },
        index=list(named),
        columns=list(COLUMNS),
    )
    numbers = [name for name in COLUMNS if name not in ("effect", "group", "term", "conf_method")]
    frame[numbers] = frame[numbers].astype(float)
    frame["estimate"] = values(fit, wanted)
    try:
        result = derived(fit, wanted, method)
        ends = result.conf_int(level, scale="log")
    except RBridgeError as error:
        frame["conf_method"] = f"none: {error}"
        return frame
    frame["std_error"], frame["conf_low"], frame["conf_high"] = result.se, ends.lower, ends.upper
    frame["conf_method"] = [
        f"Wald, {SCALES.get(kind, 'natural')}, {level:.0%}" for kind in result.kinds
    ]
    return frame


def _terms(fit: Fit, scale: str) -> dict[str, tuple[str, str, Quantity]]:
    """Group, broom's term and the quantity, by label, in the order of θ."""
    snapshot, words = fit.snapshot, ("sd", "cor") if scale == "sdcor" else ("var", "cov")
    components, roots = component_quantities(snapshot), list(sd_and_cor(snapshot).items())
    found = {}
    for level in snapshot.levels:
        for label, E in zip(*tau_basis(level)):
            name, quantity = roots.pop(0) if scale == "sdcor" else (label, components[label])
            inner = label[len(f"Tau.{level.group}.var(") : -1]
            later, earlier = (level.names[k] for k in np.argwhere(E)[0][::-1])
            pair = f"{later}.{earlier}" if inner == f"{later},{earlier}" else inner
            found[name] = (level.group, f"{words[0 if E.trace() else 1]}_{pair}", quantity)
    for label, quantity in components.items():
        if label.startswith(("cor_params", "var_params")):
            found[label] = (f"{label[:3]}Struct", label, quantity)
    if not snapshot.fixed_sigma:
        label, quantity = roots[-1] if scale == "sdcor" else ("sigma_sq", components["sigma_sq"])
        found[label] = ("Residual", f"{words[0]}_Observation", quantity)
    return found
