"""Fixed effects with the inference that small samples need: tables, hypotheses, tests of terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.fixed_effects.inference import Inference, inference
from ..core.fixed_effects.joint import joint_covariance
from ..core.fixed_effects.pooling import PooledInference
from ..errors import DataError, SpecError
from ..fit.components import Fit
from ..fit.vcov import square
from ..options import one_of
from ..show.report import Report, Reported
from ..show.result_frame import ResultFrame
from .hypotheses import HypothesisLike, rows_of_hypothesis

Asked = Union[Inference, PooledInference]


def inference_of(
    fit: Fit,
    ddf: str | None = None,
    *,
    information: str | None = None,
    kr: str = "linear",
    vcov: str = "model",
    cluster: Any = None,
) -> Inference:
    """How the fixed effects of a fit are tested; :func:`fixed_effects` explains the arguments."""
    codes = None if cluster is None else _cluster_codes(fit, cluster)
    return inference(
        *fit.near,
        ddf,  # type: ignore[arg-type]
        information=information,  # type: ignore[arg-type]
        kr=kr,  # type: ignore[arg-type]
        vcov=vcov,  # type: ignore[arg-type]
        cluster=codes,
    )


def _cluster_codes(fit: Fit, cluster: Any) -> Array:
    """The cluster of each row, in snapshot order."""
    if isinstance(cluster, str):
        return _group_codes(fit, cluster)
    snapshot = fit.snapshot
    n = snapshot.n + snapshot.n_dropped
    if np.shape(cluster) != (n,):
        raise DataError(f"cluster takes a value for each of the {n} rows of the data, as a Series")
    values = _in_order(fit, cluster) if isinstance(cluster, pd.Series) else cluster
    codes = pd.factorize(pd.Series(values).to_numpy())[0][snapshot.rows]
    if (codes < 0).any():
        raise DataError(f"cluster has {int((codes < 0).sum())} missing value(s) in rows of the fit")
    return np.asarray(codes)


def _group_codes(fit: Fit, name: str) -> Array:
    """Of a grouping level by its name, or of the groups of the correlation structure."""
    known = {level.group: level.codes for level in fit.snapshot.levels}
    correlated = fit.spec.groupings()[1] if fit.snapshot.spec else ()
    if fit.snapshot.cor is not None and len(correlated) == 1:
        known.setdefault(correlated[0], fit.snapshot.cor.codes)
    if name not in known:
        raise SpecError(
            f"cluster={name!r} is no grouping level of the fit ({', '.join(known) or 'none'}): "
            f"give the column itself, cluster=data[{name!r}]"
        )
    return known[name]


def _in_order(fit: Fit, cluster: pd.Series) -> pd.Series:
    """The Series in the order of the data, by its labels where they are those of the data."""
    rows = fit.row_labels
    if rows is None or cluster.index.equals(rows):
        return cluster
    if not (cluster.index.is_unique and rows.is_unique and cluster.index.isin(rows).all()):
        raise DataError("the index of cluster is not that of the data: give cluster=data[…]")
    return cluster.reindex(rows)


def caption(asked: Asked, level: float | None = None) -> str:
    """The method in words, with what the boundary took away."""
    limits = "" if level is None else f"; {level:.0%} limits"
    dropped = "".join(f"; {dropped}" for dropped in asked.dropped)
    return f"{asked.description}{limits}{dropped}"


def row_table(asked: Asked, L: Array, level: float, rhs: Array | float = 0.0) -> dict[str, Array]:
    """Columns ``estimate se df t p lower upper`` of the rows of L."""
    rows = asked.rows(L, rhs)
    lower, upper = rows.limits(level)
    columns = {"estimate": rows.estimate, "se": rows.se, "df": rows.df, "t": rows.t, "p": rows.p}
    return {**columns, "lower": lower, "upper": upper}


def fixed_effects(
    fit: Fit,
    ddf: str | None = None,
    *,
    information: str | None = None,
    kr: str = "linear",
    vcov: str = "model",
    cluster: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """The fixed effects with standard errors, degrees of freedom and intervals for small samples.

    Parameters
    ----------
    fit : Fit
    ddf : {"kenward-roger", "satterthwaite", "containment", "residual", "normal"}, optional
        Denominator degrees of freedom. By default Kenward and Roger's, with their correction of
        the standard errors (REML only); with ``vcov="CR2"`` and the like Satterthwaite's.
        ``containment`` is nlme's own.
    information : {"expected", "observed"}, optional
        Whose inverse is the covariance of the variance components: by default the expected
        information for Kenward–Roger (as pbkrtest), the observed one for Satterthwaite (as
        lmerTest, mmrm). SAS takes the observed one for both.
    kr : {"linear", "full"}
        Kenward and Roger's correction without the second derivatives of V (SAS: FIRSTORDER), or
        with them, in SAS's parameters.
    vcov : {"model", "CR0", "CR2", "CR3"}
        Covariance of the estimates: the model's, or the cluster-robust sandwich.
    cluster : str, Series or array, optional
        For the sandwich: a grouping level, or the cluster of each row of the user's data. By
        default the outermost groups.
    level : float
        Of the confidence limits.

    Returns
    -------
    DataFrame
        By coefficient: ``estimate se df t p lower upper``. ``attrs["caption"]`` says the method
        in words, and what stood at the boundary.

    Raises
    ------
    SpecError
        Arguments that do not go together; Kenward–Roger for a fit by ML.
    DataError
        Clusters that cut through groups of the fit; one cluster.
    InformationError
        The components are not identified; the message names them.

    References
    ----------
    Kenward and Roger (1997), Biometrics 53, 983–997; Giesbrecht and Burns (1985), Biometrics 41,
    477–486; Pustejovsky and Tipton (2018), Journal of Business & Economic Statistics 36, 672–683.
    """
    options = {"information": information, "kr": kr, "vcov": vcov, "cluster": cluster}
    return coefficient_table(inference_of(fit, ddf, **options), fit.snapshot.coef_names, level)


def coefficient_table(asked: Asked, names: Sequence[str], level: float) -> pd.DataFrame:
    """By coefficient ``estimate se df t p lower upper``, with its caption."""
    frame = ResultFrame(row_table(asked, np.eye(len(names)), level), index=list(names))
    frame.attrs["caption"] = caption(asked, level)
    return frame


def fixed_effects_vcov(fit: Fit, kind: str, **options: Any) -> pd.DataFrame:
    """Covariance of the fixed effects: ``model``, ``kenward-roger``, ``CR0``, ``CR2``, ``CR3``."""
    one_of(kind, ("model", "kenward-roger", "CR0", "CR2", "CR3"), "kind", quote=True)
    chosen = {"model": {"ddf": "normal"}, "kenward-roger": {"ddf": kind}}.get(kind, {"vcov": kind})
    for name in chosen.keys() & options.keys():
        raise SpecError(f"kind={kind!r} says already what {name} is")
    asked = inference_of(fit, **chosen, **options)
    return square(asked.vcov, list(fit.snapshot.coef_names))


def joint_cov(fit: Fit, information: str = "expected") -> pd.DataFrame:
    """Covariance of the fixed effects and the variance components together.

    Parameters
    ----------
    fit : Fit
    information : {"expected", "observed"}

    Returns
    -------
    DataFrame, (p + r, p + r)
        Zero for components at the boundary of their range.
    """
    one_of(information, ("expected", "observed"), "information", quote=True)
    found = joint_covariance(fit.snapshot, fit.forms, information)  # type: ignore[arg-type]
    return square(found.matrix, list(found.names))


@dataclass(frozen=True)
class HypothesisTest(Reported):
    """F test of a hypothesis about the fixed effects.

    Attributes
    ----------
    rows : tuple of str
        The equations.
    statistic : float
        F; Kenward and Roger's is scaled by their λ.
    df_num, df_den : float
        ``df_den`` is infinite where the statistic times ``df_num`` is χ².
    p : float
    caption : str
        The method in words.
    note : str
        What else there is to say; may be empty.
    """

    rows: tuple[str, ...]
    statistic: float
    df_num: int
    df_den: float
    p: float
    caption: str
    note: str = ""

    def _report(self) -> Report:
        text = f"F({self.df_num}, {self.df_den:.4g}) = {self.statistic:.6g}, p = {self.p:.4g}"
        parts = [("Hypothesis", "\n".join(self.rows)), (self.caption, text)]
        return Report("Test of fixed effects", parts + ([("Note", self.note)] if self.note else []))


def hypothesis_test(fit: Fit, hypothesis: HypothesisLike, **options: Any) -> HypothesisTest:
    """F test of a linear hypothesis about the fixed effects.

    Parameters
    ----------
    fit : Fit
    hypothesis : str, DataFrame, Series, mapping or array
        ``"age = 0, age:sex1 = 0"``: equations in the coefficients; a frame with a row an
        equation and a column a coefficient; or a (q, p) array.
    **options
        ``ddf``, ``information``, ``kr``, ``vcov``, ``cluster``: as :func:`fixed_effects`.

    Returns
    -------
    HypothesisTest

    Raises
    ------
    SpecError
        An unknown coefficient, rows that contradict each other, and as :func:`fixed_effects`.
    """
    return tested(inference_of(fit, **options), hypothesis, fit.snapshot.coef_names)


def tested(asked: Asked, hypothesis: HypothesisLike, names: Sequence[str]) -> HypothesisTest:
    """The F test of a hypothesis by whatever answers for the coefficients."""
    rows = rows_of_hypothesis(hypothesis, names)
    found = asked.test(rows.L, rows.rhs)
    numbers = (found.statistic, found.df_num, found.df_den, found.p)
    return HypothesisTest(rows.labels, *numbers, caption(asked), found.note)
