"""Tests of the terms of the fixed effects: types I, II, III, and nlme's marginal ones."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..core.arrays import Array
from ..core.fixed_effects.containment import containment_df
from ..core.fixed_effects.estimable import (
    TermHypothesis,
    design_root,
    empty_cells,
    marginal,
    type_one,
    type_three,
    type_two,
    weighted_root,
)
from ..core.snapshot import FixedTerms
from ..errors import SpecError
from ..fit.components import Fit
from ..options import one_of
from ..show.result_frame import ResultFrame
from .fixed_effects import caption, inference_of
from .grid import terms_of

TYPES = ("I", "II", "III", "marginal")
_SHOWN = 3  # empty cells in a caption


def anova(fit: Fit, type: str = "III", ddf: str | None = None, **options: Any) -> pd.DataFrame:
    """F tests of the terms of the fixed effects.

    Parameters
    ----------
    fit : Fit
    type : {"I", "II", "III", "marginal"}
        ``I``: each term after those before it. ``II``: after all that do not contain it. ``III``:
        SAS's estimable functions, whatever the contrasts. ``marginal``: nlme's, the coefficients
        of the term as they are coded.
    ddf, **options
        As for :func:`rbridge.analysis.fixed_effects.fixed_effects`. ``type="I"`` and
        ``"marginal"`` with ``ddf="containment"`` are nlme's ``anova(fit)`` and
        ``anova(fit, type="marginal")``.

    Returns
    -------
    DataFrame
        By term ``df_num df_den F p``; ``attrs["caption"]`` says the method, and names
        combinations of levels without a row. A term about which nothing can be estimated has
        ``df_num`` 0 and empty numbers.

    Raises
    ------
    SpecError
        Another type, and as :func:`rbridge.analysis.fixed_effects.fixed_effects`.

    References
    ----------
    Goodnight (1980), Communications in Statistics: Theory and Methods 9, 167–180.
    """
    one_of(type, TYPES, "type", quote=True)
    terms = terms_of(fit)
    asked = inference_of(fit, ddf, **options)
    nlme = containment_df(fit.snapshot, terms.assign).terms if ddf == "containment" else None
    rows = {}
    for hypothesis in _hypotheses(fit, terms, type, nlme is not None):
        if not len(hypothesis.L):
            rows[hypothesis.label] = [0, float("nan"), float("nan"), float("nan")]
            continue
        df = None if nlme is None else float(nlme[_number(terms, hypothesis.label)])
        test = asked.test(hypothesis.L, df_den=df)
        rows[hypothesis.label] = [test.df_num, test.df_den, test.statistic, test.p]
    if not rows:
        raise SpecError("the fixed effects have no term to test")
    columns = ["df_num", "df_den", "F", "p"]
    frame = ResultFrame(pd.DataFrame.from_dict(rows, orient="index", columns=columns))
    frame["df_num"] = frame["df_num"].astype(int)
    words = "marginal tests" if type == "marginal" else f"type {type} tests"
    frame.attrs["caption"] = f"{words}; {caption(asked)}{_empty(terms)}"
    return frame


def _hypotheses(fit: Fit, terms: FixedTerms, type: str, nlme: bool) -> list[TermHypothesis]:
    if type == "III":
        return type_three(terms)
    if type == "marginal":
        return marginal(terms)
    root: Array = weighted_root(fit.snapshot.vcov) if nlme else design_root(fit.snapshot)
    return type_one(terms, root) if type == "I" else type_two(terms, root)


def _number(terms: FixedTerms, label: str) -> int:
    """The term's number as nlme counts: without an intercept the first term is 0."""
    labels = ["(Intercept)", *terms.labels]
    return labels.index(label)


def _empty(terms: FixedTerms) -> str:
    """The combinations without a row, in words."""
    parts = []
    for label, cells in empty_cells(terms).items():
        listed = ", ".join("/".join(cell) for cell in cells[:_SHOWN])
        more = f" and {len(cells) - _SHOWN} more" if len(cells) > _SHOWN else ""
        parts.append(f"; {label} has empty cells: {listed}{more}")
    return "".join(parts)
