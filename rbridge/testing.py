"""For tests: a comparison aligned by name, a marker, and one R for the whole run.

In the ``conftest.py`` at the top of your tests::

    pytest_plugins = ["rbridge.testing"]

and then ``from rbridge.testing import assert_varcomp_close, needs_r`` where you need them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn, Union

import numpy as np
import pandas as pd
import pytest

from .check.distance import relative_difference
from .errors import InstallationError, SpecError
from .fit.components import Fit
from .fit.vcov import VarcompVcov
from .r.session import session
from .r.versions import r_versions
from .show.cells import table_text

__all__ = ["assert_varcomp_close", "needs_r", "r_session"]

Components = Union[VarcompVcov, Fit, pd.Series, pd.DataFrame, Mapping[str, float]]

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
    for name, limit in limits.items():
        if not 0 <= limit < np.inf:
            raise SpecError(f"the tolerance of {name} must be a number with an end, not {limit}")
    for part in shared:
        _same_names(ours[part].index, theirs[part].index)
    failures = [
        text
        for part in shared
        if (text := _compare(part, ours[part], theirs[part], limits[part], theirs.get("se")))
    ]
    if failures:
        raise AssertionError("\n\n".join(failures))


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


def _same_names(ours: pd.Index, theirs: pd.Index) -> None:
    __tracebackhide__ = True
    twice = [name for name in (*ours[ours.duplicated()], *theirs[theirs.duplicated()])]
    if twice:
        raise AssertionError(f"a name stands twice: {twice}")
    if set(ours) != set(theirs):
        only = [f"only in actual: {sorted(set(ours) - set(theirs))}"]
        only.append(f"only in reference: {sorted(set(theirs) - set(ours))}")
        raise AssertionError("the components have different names (use rename)\n" + "\n".join(only))


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
    words = {"estimate": "estimates", "se": "standard errors"}[part]
    return f"{words} differ by more than {rtol:g}\n{table_text(table)}"
