"""For tests: a comparison aligned by name, a marker, and one R for the whole run.

In the ``conftest.py`` at the top of your tests::

    pytest_plugins = ["rbridge.testing"]

and then ``from rbridge.testing import assert_varcomp_close, needs_r`` where you need them; for the
fixed effects there are ``assert_fixed_effects_close`` and ``assert_means_close``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Union

import numpy as np
import pandas as pd
import pytest

from .analysis.means import MarginalMeans
from .check.distance import relative_difference
from .errors import InstallationError, SpecError
from .fit.components import Fit
from .fit.vcov import VarcompVcov
from .r.session import session
from .r.versions import r_versions
from .show.cells import table_text

__all__ = [
    "assert_fixed_effects_close",
    "assert_means_close",
    "assert_varcomp_close",
    "needs_r",
    "r_session",
]

Components = Union[VarcompVcov, Fit, pd.Series, pd.DataFrame, Mapping[str, float]]
Coefficients = Union[Fit, pd.Series, pd.DataFrame, Mapping[str, float]]
Means = Union[MarginalMeans, pd.DataFrame, pd.Series]

IN_SE = ("estimate", "lower", "upper")  # what is measured in standard errors
RELATIVE = ("se", "df")
FOLLOWS = ("t", "p")  # from the others
R_NAMES = {  # as R's tables have them: nlme, lme4 and lmerTest, mmrm, emmeans, broom
    **dict.fromkeys(("Value", "Estimate", "emmean", "est."), "estimate"),
    **dict.fromkeys(("Std.Error", "Std. Error", "SE", "std.error"), "se"),
    **dict.fromkeys(("DF", "Df"), "df"),
    **dict.fromkeys(("t-value", "t value", "t.ratio", "z.ratio", "statistic"), "t"),
    **dict.fromkeys(("p-value", "p.value", "Pr(>|t|)"), "p"),
    **dict.fromkeys(("lower.CL", "asymp.LCL", "conf.low"), "lower"),
    **dict.fromkeys(("upper.CL", "asymp.UCL", "conf.high"), "upper"),
}
WORDS = {
    "estimate": "estimates",
    "lower": "lower limits",
    "upper": "upper limits",
    "se": "standard errors",
    "df": "degrees of freedom",
}

needs_r = pytest.mark.usefixtures("r_session")
"""Skips a test where R cannot be had; fails it where RBRIDGE_REQUIRE_R is set."""


@pytest.fixture(scope="session")
def r_session() -> Any:
    """The one R of the test run, started by the first test that asks for it."""
    try:
        found = session()
        r_versions()
    except InstallationError as error:
        missing(f"R cannot be had: {error}")
    return found


def missing(what: str) -> NoReturn:
    """Skip the running test; fail it where RBRIDGE_REQUIRE_R is set."""
    if os.environ.get("RBRIDGE_REQUIRE_R"):
        pytest.fail(f"RBRIDGE_REQUIRE_R is set: {what}")
    pytest.skip(what)


def assert_varcomp_close(
    actual: Components,
    reference: Components,
    *,
    rtol: float = 1e-6,
    rtol_se: float | None = None,
    rename: Mapping[str, str] | None = None,
) -> None:
    """Assert that variance components, and their uncertainty where both have it, agree.

    Parameters
    ----------
    actual, reference : VarcompVcov, LmeResults, Series, DataFrame or mapping
        A Series or mapping holds estimates by name. A DataFrame with columns ``estimate`` and
        ``se`` holds both; a square one with equal row and column names is a covariance matrix.
        Of LmeResults the estimates are compared.
    rtol : float
        Relative tolerance of the estimates. Covariances and correlations near zero are measured
        by their standard error, where the reference has one.
    rtol_se : float, optional
        Of standard errors and of covariance matrices (there by the diagonal); ``rtol`` if absent.
    rename : mapping, optional
        Names in ``actual`` to names in ``reference``.

    Raises
    ------
    AssertionError
        With the table of both, aligned by name; also where only one side has a name.
    """
    __tracebackhide__ = True
    ours, theirs = _parts(actual, rename or {}), _parts(reference, {})
    shared = [part for part in ("estimate", "se", "cov") if part in ours and part in theirs]
    if not shared:
        raise SpecError(f"nothing to compare: {sorted(ours)} with {sorted(theirs)}")
    limits = {"estimate": rtol, "se": rtol if rtol_se is None else rtol_se}
    limits["cov"] = limits["se"]
    _check_limits(**limits)
    for part in shared:
        _same_names(ours[part].index, theirs[part].index, "components")
    failures = [
        text
        for part in shared
        if (text := _compare(part, ours[part], theirs[part], limits[part], theirs.get("se")))
    ]
    if failures:
        raise AssertionError("\n\n".join(failures))


def assert_fixed_effects_close(
    actual: Coefficients,
    reference: Coefficients,
    *,
    tol_se: float = 1e-4,
    rtol: float = 1e-4,
    rename: Mapping[str, str] | None = None,
) -> None:
    """Assert that fixed effects, and their uncertainty where both have it, agree.

    Parameters
    ----------
    actual, reference : LmeResults, DataFrame, Series or mapping
        A Series or mapping holds estimates by coefficient. A DataFrame has one row a coefficient
        and the columns ``estimate se df lower upper``, or those of R's tables (``Value``,
        ``Std.Error``, ``DF`` …), as far as they are there: ``fit.fixed_effects()``, or what R
        printed. Of LmeResults the estimates and their standard errors are compared.
    tol_se : float
        How far estimates and confidence limits may lie apart, in standard errors of the
        reference; in those of ``actual`` where it has none, relative where neither has any.
    rtol : float
        Relative tolerance of standard errors and degrees of freedom; t and p follow from them.
    rename : mapping, optional
        Coefficients in ``actual`` to coefficients in ``reference``.

    Raises
    ------
    AssertionError
        Names each coefficient with both values and their difference; also where only one side
        has a coefficient. What is missing on both sides agrees.
    """
    __tracebackhide__ = True
    ours = _coefficients(actual).rename(index=dict(rename or {}))
    _assert_tables_close(ours, _coefficients(reference), tol_se, rtol, "coefficients")


def assert_means_close(
    actual: Means,
    reference: Means,
    *,
    tol_se: float = 1e-4,
    rtol: float = 1e-4,
    rename: Mapping[str, str] | None = None,
) -> None:
    """Assert that marginal means, or contrasts between them, agree cell by cell.

    Parameters
    ----------
    actual, reference : MarginalMeans, DataFrame or Series
        A DataFrame has the factors' columns, which name the cell, in any order of the rows, and
        ``estimate se df lower upper``, or the columns of emmeans (``emmean``, ``SE``,
        ``lower.CL`` …): ``fit.means("arm", by="visit")``, what its ``contrasts()`` give, or what
        R printed. A Series holds estimates, with the factors as its named index.
    tol_se, rtol : float
        As :func:`assert_fixed_effects_close` has them.
    rename : mapping, optional
        Factors in ``actual`` to factors in ``reference``.

    Raises
    ------
    AssertionError
        Names each cell with both values and their difference; also where only one side has a
        factor or a cell.
    """
    __tracebackhide__ = True
    ours, theirs = _cells(actual, rename or {}), _cells(reference, {})
    if set(ours.index.names) != set(theirs.index.names):
        sides = (", ".join(map(str, table.index.names)) for table in (ours, theirs))
        raise AssertionError(f"cells by other factors (use rename): {' | '.join(sides)}")
    factors = list(theirs.index.names)
    ours, theirs = _labelled(ours, factors), _labelled(theirs, factors)
    _assert_tables_close(ours, theirs, tol_se, rtol, "cells")


def _coefficients(given: Coefficients) -> pd.DataFrame:
    """Estimates and what else there is, by coefficient."""
    if isinstance(given, Fit):
        return pd.DataFrame({"estimate": given.params, "se": given.bse})
    if isinstance(given, pd.DataFrame):
        return given.rename(columns=R_NAMES)
    return pd.DataFrame({"estimate": pd.Series(given, dtype=float)})


def _cells(given: Means, rename: Mapping[str, str]) -> pd.DataFrame:
    """Numbers by cell: whatever is no number of the table names the cell."""
    if isinstance(given, MarginalMeans):
        frame = given.to_frame()
    elif isinstance(given, pd.Series):
        frame = given.rename("estimate").reset_index()
    else:
        frame = given.rename(columns=R_NAMES)
    numbers = {*IN_SE, *RELATIVE, *FOLLOWS}
    factors = [name for name in frame if name not in numbers]
    if not factors:
        raise SpecError(f"no column names the cells: {', '.join(map(str, frame.columns))}")
    return frame.rename(columns=dict(rename)).set_index([rename.get(n, n) for n in factors])


def _labelled(table: pd.DataFrame, factors: Iterable[Any]) -> pd.DataFrame:
    """The table by ``arm=A, visit=1``: 1 and 1.0 are one level."""
    columns = {name: table.index.get_level_values(name) for name in factors}
    told = zip(*([f"{name}={_level(v)}" for v in values] for name, values in columns.items()))
    return table.set_axis([", ".join(cell) for cell in told], axis=0)


def _level(value: object) -> str:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return f"{value:.10g}" if number else str(value)


def _assert_tables_close(
    ours: pd.DataFrame, theirs: pd.DataFrame, tol_se: float, rtol: float, what: str
) -> None:
    __tracebackhide__ = True
    _check_limits(tol_se=tol_se, rtol=rtol)
    columns = [name for name in (*IN_SE, *RELATIVE) if name in ours and name in theirs]
    if not columns:
        names = " with ".join(", ".join(map(str, table.columns)) for table in (ours, theirs))
        raise SpecError(f"nothing to compare: {names}")
    _same_names(ours.index, theirs.index, what)
    ours = ours.loc[theirs.index]
    se = next((table["se"] for table in (theirs, ours) if "se" in table), None)
    limits = {**dict.fromkeys(IN_SE, tol_se), **dict.fromkeys(RELATIVE, rtol)}
    unit = {name: se if name in IN_SE else None for name in columns}
    told = [_apart(name, ours[name], theirs[name], unit[name], limits[name]) for name in columns]
    if found := [text for text in told if text]:
        raise AssertionError("\n\n".join(found))


def _apart(
    name: str, ours: pd.Series, theirs: pd.Series, se: pd.Series | None, limit: float
) -> str:
    """What lies apart in one column: each by name, with both values; or nothing."""
    table = pd.DataFrame({"actual": ours, "reference": theirs}, dtype=float)
    one, other = table["actual"], table["reference"]
    same = (one == other) | (one.isna() & other.isna())  # infinite df; what cannot be estimated
    size = other.abs() if se is None else se.abs().astype(float)
    apart = ((one - other) / size.where(size > 0, 1.0)).mask(same, 0.0)
    bad = ~(apart.abs() <= limit).to_numpy()
    if not bad.any():
        return ""
    unit = "relative" if se is None else "standard errors"
    table[unit] = apart
    table[""] = np.where(bad, "← differs", "")
    names = ", ".join(
        f"{row.Index} ({row.actual:.6g} and {row.reference:.6g}, {far:+.2g} {unit})"
        for row, far in zip(table[bad].itertuples(), apart[bad])
    )
    return f"{WORDS[name]} differ by more than {limit:g} ({unit}): {names}\n{table_text(table)}"


def _check_limits(**limits: float) -> None:
    for name, limit in limits.items():
        if not 0 <= limit < np.inf:
            raise SpecError(f"the tolerance of {name} must be a number with an end, not {limit}")


def _parts(given: Components, rename: Mapping[str, str]) -> dict[str, Any]:
    """Estimates, standard errors and covariance: what there is of them."""
    if isinstance(given, Fit):
        parts: dict[str, Any] = {"estimate": given.varcomp}
    elif isinstance(given, VarcompVcov):
        parts = {"estimate": given.estimates, "se": given.se, "cov": given.cov}
    elif isinstance(given, pd.DataFrame):
        square = list(given.index) == list(given.columns)
        parts = (
            {"cov": given} if square else {c: given[c] for c in ("estimate", "se") if c in given}
        )
    else:
        series = given if isinstance(given, pd.Series) else pd.Series(dict(given))
        parts = {"estimate": series.astype(float)}
    renamed = {name: part.rename(index=dict(rename)) for name, part in parts.items()}
    if "cov" in renamed:
        renamed["cov"] = renamed["cov"].rename(columns=dict(rename))
    return renamed


def _same_names(ours: pd.Index, theirs: pd.Index, what: str) -> None:
    __tracebackhide__ = True
    twice = [name for name in (*ours[ours.duplicated()], *theirs[theirs.duplicated()])]
    if twice:
        raise AssertionError(f"a name stands twice: {twice}")
    if set(ours) != set(theirs):
        only = [f"only in actual: {sorted(set(ours) - set(theirs))}"]
        only.append(f"only in reference: {sorted(set(theirs) - set(ours))}")
        raise AssertionError(f"the {what} have different names (use rename)\n" + "\n".join(only))


def _compare(part: str, ours: Any, theirs: Any, rtol: float, se: pd.Series | None) -> str:
    """What is wrong with one part, or nothing."""
    if part == "cov":
        size = relative_difference(ours, theirs)
        # a NaN fails
        return (
            "" if size <= rtol else f"covariance matrices differ by {size:.3g} (allowed {rtol:g})"
        )
    table = pd.DataFrame({"actual": ours.reindex(theirs.index), "reference": theirs}, dtype=float)
    unit = theirs.abs()
    if part == "estimate" and se is not None:
        unit = np.maximum(unit, se.reindex(theirs.index))
    table["difference"] = (table["actual"] - table["reference"]) / unit.where(unit > 0, 1.0)
    good = (table["difference"].abs() <= rtol).to_numpy()
    if good.all():
        return ""
    table[""] = np.where(good, "", "← differs")
    return f"{WORDS[part]} differ by more than {rtol:g}\n{table_text(table)}"
