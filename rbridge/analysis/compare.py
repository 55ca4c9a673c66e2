"""Likelihood-ratio tests between fits, as nlme's ``anova``, and where a variance is at zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..core.nesting import Boundary, boundary, mixture_p, same_restricted, same_span
from ..core.snapshot import FitSnapshot
from ..errors import DataError, SpecError
from ..fit.components import Fit
from ..show.result_frame import ResultFrame

LOWER = (
    "no p-value: a larger model cannot have the lower likelihood, unless one of the fits is not at "
    "its maximum (fit.diagnose()) or the models are not nested"
)
NOT_NESTED = "if the models are not nested, as it seems here, the p-value means nothing"
FIXED_BY_ML = (
    "fixed effects by a likelihood ratio: in small samples the p-value is too small; fit.anova() "
    "has F tests"
)


def compare(*fits: Fit, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Compare fits of the same data, each with the one before it.

    Parameters
    ----------
    *fits : Fit
        Two or more, by the same method.
    names : sequence of str, optional
        Row labels; by default the numbers 1, 2, ….

    Returns
    -------
    DataFrame
        As nlme's ``anova(fit1, fit2, …)``: ``Model df AIC BIC logLik Test L.Ratio p-value``, the
        last three where the number of parameters differs; no p-value where the larger model has
        the lower likelihood. Then ``p_boundary`` and ``mixture``: the p-value by a mixture of χ²
        distributions where the larger model's new variance is tested at zero (else empty), and
        which mixture, or why none; and ``note``: what makes the p-value doubtful.

    Raises
    ------
    SpecError
        Fewer than two fits, different methods, or REML with different fixed effects.
    DataError
        Different rows or responses.

    Notes
    -----
    At zero a variance lies on the edge of its range, and the ordinary χ² is conservative. Adding
    one random effect with its q − 1 covariances: 0.5 χ²(q−1) + 0.5 χ²(q); one variance:
    0.5 χ²(0) + 0.5 χ²(1). Asymptotic in the number of groups.

    A likelihood-ratio test of fixed effects (by ML) rejects too often in small samples, and the
    more so the fewer the groups: :meth:`rbridge.LmeResults.anova` has F tests of them.

    References
    ----------
    Stram and Lee (1994), Biometrics 50, 1171–1177; Pinheiro and Bates (2000), section 2.4.1.
    """
    if len(fits) < 2 or (names is not None and len(names) != len(fits)):
        raise SpecError("compare takes two or more fits, and a name for each or none")
    for fit in fits[1:]:
        _comparable(fits[0].snapshot, fit.snapshot)
    rows = [_row(k, fit) for k, fit in enumerate(fits, 1)]
    for k, (one, two) in enumerate(pairwise(fits), 1):
        rows[k].update(_test(one, two, f"{k} vs {k + 1}"))
    index = list(names) if names is not None else range(1, len(fits) + 1)
    return ResultFrame(rows, index=pd.Index(index))


def _row(number: int, fit: Fit) -> dict[str, Any]:
    return {
        "Model": number,
        "df": fit.df_model,
        "AIC": fit.aic,
        "BIC": fit.bic,
        "logLik": fit.llf,
        "Test": "",
        "L.Ratio": np.nan,
        "p-value": np.nan,
        "p_boundary": np.nan,
        "mixture": "",
        "note": "",
    }


def _test(one: Fit, two: Fit, label: str) -> dict[str, Any]:
    """The test between two fits; nothing where they have as many parameters."""
    df = two.df_model - one.df_model
    if df == 0:
        return {}
    ratio = 2 * abs(two.llf - one.llf)
    small, large = (one, two) if df > 0 else (two, one)
    test = {"Test": label, "L.Ratio": ratio}
    if large.llf < small.llf - 1e-6:
        why = "no correction: the larger model has the lower likelihood"
        return {**test, "mixture": why, "note": _joined(LOWER, *below_optimum(small, large))}
    found = boundary(small.snapshot, large.snapshot, abs(df))
    if found.df:
        test["p_boundary"] = float(mixture_p(ratio, found.df))
    p = float(special.chdtrc(abs(df), ratio))
    return {**test, "p-value": p, "mixture": str(found), "note": _note(small, large, found)}


def _note(small: Fit, large: Fit, found: Boundary) -> str:
    """What makes the p-value doubtful."""
    fixed = FIXED_BY_ML if len(small.params) < len(large.params) else ""
    return _joined(*below_optimum(small, large), fixed if found.nested else NOT_NESTED)


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def below_optimum(small: Fit, large: Fit) -> Iterator[str]:
    """Fits that are no maximum, of which the ratio says nothing."""
    for name, fit in (("smaller", small), ("larger", large)):
        if below := fit.below_maximum():
            yield f"the fit of the {name} model stands {below}: use engine='pinned'"


def _comparable(one: FitSnapshot, two: FitSnapshot) -> None:
    """Refuse what a likelihood ratio cannot compare."""
    if one.method != two.method:
        raise SpecError(f"the fits are by {one.method} and {two.method}: refit by one method")
    a, b = np.argsort(one.rows), np.argsort(two.rows)
    if one.n != two.n or not np.array_equal(one.rows[a], two.rows[b]):
        counts = f"({one.n} and {two.n})"
        raise DataError(f"the fits are on different rows {counts}: drop missing values first")
    if not np.array_equal(one.y[a], two.y[b]):
        raise DataError("the fits have different responses")
    if one.method == "REML" and not same_restricted(one.X[a], two.X[b]):
        same = same_span(one.X[a], two.X[b])
        what = "coded differently" if same else "different"
        advice = "give both the same contrasts, units and origins, or " if same else ""
        told = "REML likelihoods do not compare"
        raise SpecError(f"fixed effects {what}: {told}; {advice}use method='ML'")
