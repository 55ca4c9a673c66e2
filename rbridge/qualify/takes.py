"""What is taken of a fit, through the public interface: each gives a look-up of its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.compare import compare
from ..core.intervals.satterthwaite import satterthwaite
from ..fit.vcov import VarcompVcov
from ..results import LmeResults

LookUp = Callable[..., Any]
Fits = Sequence[LmeResults]
Options = Mapping[str, Any]


def _number(fits: Fits, options: Options) -> LookUp:
    fit = fits[0]
    return lambda what: -2 * fit.llf if what == "minus two llf" else getattr(fit, what)


def _estimate(fits: Fits, options: Options) -> LookUp:
    return lambda name: fits[0].params[name]


def _se(fits: Fits, options: Options) -> LookUp:
    return lambda name: fits[0].bse[name]


def _component(fits: Fits, options: Options) -> LookUp:
    return lambda name: fits[0].varcomp[name]


def _variance(fits: Fits, options: Options) -> LookUp:
    return lambda group, effect: fits[0].cov_re[group].loc[effect, effect]


def _sd(fits: Fits, options: Options) -> LookUp:
    return lambda group, effect: np.sqrt(fits[0].cov_re[group].loc[effect, effect])


def _correlation(fits: Fits, options: Options) -> LookUp:
    def found(group: str, one: str, other: str) -> Any:
        D = fits[0].cov_re[group]
        return D.loc[one, other] / np.sqrt(D.loc[one, one] * D.loc[other, other])

    return found


def _random_effect(fits: Fits, options: Options) -> LookUp:
    return lambda group, label, effect: fits[0].random_effects[group].loc[label, effect]


def _fixed_effects(fits: Fits, options: Options) -> LookUp:
    frame = fits[0].fixed_effects(**options)
    return lambda coefficient, column: frame.loc[coefficient, column]


def _percent(fits: Fits, options: Options) -> LookUp:
    """Of logarithms: ratios in per cent."""
    frame = fits[0].fixed_effects(**options)
    return lambda coefficient, column: 100 * np.exp(frame.loc[coefficient, column])


def _anova(fits: Fits, options: Options) -> LookUp:
    frame = fits[0].anova(**options)
    return lambda term, column: frame.loc[term, column]


def _test(fits: Fits, options: Options) -> LookUp:
    return lambda hypothesis, what: getattr(fits[0].test(hypothesis, **options), what)


def _interval(fits: Fits, options: Options) -> LookUp:
    frame = fits[0].intervals(**options)
    return lambda part, name, column: frame.loc[(part, name), column]


def _compare(fits: Fits, options: Options) -> LookUp:
    frame = compare(*fits)
    return lambda model, column: frame.loc[int(model), column]


def _mean(fits: Fits, options: Options) -> LookUp:
    return _row_of(fits[0].means(**options).to_frame())


def _difference(fits: Fits, options: Options) -> LookUp:
    """Each mean less that of the first level."""
    return _row_of(fits[0].means(**options).contrasts("reference"))


def _row_of(frame: pd.DataFrame) -> LookUp:
    """``"arm = TRT, visit = VIS2"``: the row with these values."""

    def found(row: str, column: str) -> Any:
        wanted = dict(part.split(" = ") for part in row.split(", "))
        kept = frame
        for name, value in wanted.items():
            kept = kept[kept[name].astype(str) == value]
        return kept[column].item()

    return found


def _derived(fits: Fits, options: Options) -> LookUp:
    """A function of the variance components with Wald limits."""

    def found(expression: str, what: str) -> Any:
        result = fits[0].derive(f"x = {expression}", **options)
        return _of_derived(result, what, *result.conf_int(0.95).loc["x", ["lower", "upper"]])

    return found


def _variance_limits(fits: Fits, options: Options) -> LookUp:
    """A variance with Satterthwaite's limits."""

    def found(expression: str, what: str) -> Any:
        result = fits[0].derive(f"x = {expression}", **options)
        lower, upper = satterthwaite(result.estimates, result.se**2, 0.95)
        return _of_derived(result, what, lower[0], upper[0])

    return found


def _of_derived(result: VarcompVcov, what: str, lower: Any, upper: Any) -> Any:
    return {"estimate": result.estimates["x"], "lower": lower, "upper": upper}[what]


TAKES: dict[str, Callable[[Fits, Options], LookUp]] = {
    "number": _number,
    "estimate": _estimate,
    "se": _se,
    "component": _component,
    "variance": _variance,
    "sd": _sd,
    "correlation": _correlation,
    "random_effect": _random_effect,
    "fixed_effects": _fixed_effects,
    "percent": _percent,
    "anova": _anova,
    "test": _test,
    "interval": _interval,
    "compare": _compare,
    "mean": _mean,
    "difference": _difference,
    "derived": _derived,
    "variance_limits": _variance_limits,
}
