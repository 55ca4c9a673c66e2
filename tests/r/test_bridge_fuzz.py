"""Any frame: the fit equals R's own from a CSV file of the same data, or a named error says why.

200 examples, always the same, in the ordinary run; more, and new ones, each night:
``RBRIDGE_FUZZ=2000 pytest tests/r/test_bridge_fuzz.py``.
"""

from __future__ import annotations

import csv
import math
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import rbridge as rb
from rbridge.r.session import session
from tests.support.bridging import define, quoted

EXAMPLES = int(os.environ.get("RBRIDGE_FUZZ", "200"))
MISSING = "<NA>"

# R by itself: text becomes a factor whose levels sort by code point, as here.
ALONE = """function(path, kind, levels, order) {
  d <- utils::read.csv(path, colClasses = "character", na.strings = "<NA>", encoding = "UTF-8")
  d$y <- as.numeric(d$y)
  if (kind == "number") d$x <- as.numeric(d$x)
  if (kind == "logical") d$x <- as.logical(d$x)
  if (kind == "factor") d$x <- factor(enc2utf8(d$x), levels = enc2utf8(levels))
  d <- d[stats::complete.cases(d), ]
  if (kind == "factor") d$x <- factor(d$x)
  d$g <- factor(enc2utf8(d$g), levels = enc2utf8(order))
  fit <- tryCatch(nlme::lme(y ~ x, d, ~ 1 | g), error = function(e) NULL)
  if (is.null(fit)) return(list(beta = numeric(), logLik = NaN))
  list(beta = unname(nlme::fixef(fit)), logLik = as.numeric(stats::logLik(fit)), n = nrow(d))
}"""

NAMES = st.one_of(
    st.sampled_from(
        ["x", "if", "row.names", "check.rows", "stringsAsFactors", "my x", "T", "NA", "pi", "data"]
        + ["größe", "变量", "a`b", "a\\b", "function", "I(x)", "sd", ".", "1", "", "cor", "rbv0001x"]
    ),
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8),
)
TEXTS = st.text(st.characters(whitelist_categories=("L", "N", "P")), min_size=1, max_size=4)

NUMBERS = ["float64", "float32", "int8", "int64", "uint32", "Int64", "Float64", "object", ">f8"]
LOGICALS = ["bool", "boolean", "object"]
FACTORS = ["object", "string", "category", "ordered", "numbers"]


@st.composite
def frames(draw: Any) -> tuple[pd.DataFrame, str, str, str]:
    """A frame with y, a covariate and a group; the names of these two; the covariate's kind."""
    n = draw(st.integers(2, 40))
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    codes = np.sort(rng.integers(0, draw(st.integers(1, 8)), n))
    kind = draw(st.sampled_from(["number", "number", "logical", "factor"]))
    missing = rng.random(n) < draw(st.sampled_from([0, 0, 0.1, 0.5, 1]))
    x = draw(covariates(kind, n, rng, missing))
    y = rng.normal(size=n) * draw(st.sampled_from([1, 1, 1e-3, 1e6]))
    y = pd.Series(y + rng.normal(size=8)[codes] * np.abs(y).mean())
    y[rng.random(n) < draw(st.sampled_from([0, 0, 0.2]))] = np.nan
    group = draw(groups(codes))
    first = draw(NAMES)
    second = draw(NAMES.filter(lambda name: name != first))
    if "y" in (first, second):
        first, second = "x", "g"
    frame = pd.concat([y.rename("y"), x.rename(first), group.rename(second)], axis=1)
    if draw(st.booleans()) and x.dtype != ">f8":  # pandas cannot take rows of big-endian columns
        frame = frame.iloc[rng.permutation(n)]
    return frame, first, second, kind


@st.composite
def covariates(draw: Any, kind: str, n: int, rng: Any, missing: Any) -> pd.Series:
    if kind == "number":
        values = pd.Series(rng.integers(-50, 50, n).astype(float))
        dtype = draw(st.sampled_from(NUMBERS))
        if dtype not in ("Int64", "Float64", "float64", "object"):
            return values.abs().astype(np.dtype(dtype)) if dtype[0] == "u" else values.astype(dtype)
        values = values.astype(dtype)
        values[missing] = None if dtype == "object" else pd.NA if dtype[0] in "IF" else np.nan
        return values
    if kind == "logical":
        values = pd.Series(rng.random(n) < 0.5)
        dtype = draw(st.sampled_from(LOGICALS))
        values = values.astype(dtype)
        if dtype != "bool":
            values[missing] = np.nan if dtype == "object" else pd.NA
        return values
    return draw(factors(n, rng, missing))


@st.composite
def factors(draw: Any, n: int, rng: Any, missing: Any) -> pd.Series:
    dtype = draw(st.sampled_from(FACTORS))
    levels = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    if dtype == "numbers":
        levels = list(range(10, 10 + len(levels)))[::-1]
    picked = [levels[i] for i in rng.integers(0, len(levels), n)]
    present = [None if gone else value for value, gone in zip(picked, missing)]
    if dtype in ("object", "string"):
        return pd.Series(present, dtype=dtype)
    return pd.Series(pd.Categorical(present, levels, ordered=False))


@st.composite
def groups(draw: Any, codes: Any) -> pd.Series:
    form = draw(st.sampled_from(["int", "float", "text", "category"]))
    if form == "text":
        return pd.Series([f"g{c}" for c in codes])
    if form == "category":
        return pd.Series(pd.Categorical([f"é {c}" for c in codes]))
    return pd.Series(codes * (0.5 if form == "float" else 1))


def alone(frame: pd.DataFrame, x: str, g: str, kind: str, path: Path) -> dict[str, Any]:
    """R's own fit of the CSV file; levels and order of groups by the same fixed rule."""
    plain = pd.DataFrame({"y": [repr(float(v)) for v in frame["y"]]})
    plain["x"] = [MISSING if pd.isna(v) else _text(v, kind) for v in frame[x]]
    plain["g"] = [str(v) for v in frame[g]]
    plain.loc[plain.y == "nan", "y"] = MISSING
    plain.to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    seen: Any = []
    if kind == "factor":
        categories = isinstance(frame[x].dtype, pd.CategoricalDtype)
        seen = frame[x].cat.categories if categories else sorted(frame[x].dropna().unique())
    order = frame[g].drop_duplicates().sort_values()
    arguments = str(path), kind, tuple(map(str, seen)), tuple(map(str, order))
    value: dict[str, Any] = session().call("alone", *arguments).value
    return value


def _text(value: Any, kind: str) -> str:
    if kind == "logical":
        return "TRUE" if value else "FALSE"
    return repr(float(value)) if kind == "number" else str(value)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    define("alone", ALONE)
    return tmp_path_factory.mktemp("fuzz") / "data.csv"


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="RBRIDGE_FUZZ" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(frames())
def test_the_fit_is_rs_own_or_a_named_error(path: Path, made: Any) -> None:
    frame, x, g, kind = made
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = rb.lme(f"y ~ {quoted(x)}", frame, f"~ 1 | {quoted(g)}")
        except rb.RBridgeError as error:
            event(type(error).__name__)
            assert str(error).strip()
            return
        theirs = alone(frame, x, g, kind, path)
    event("fitted")
    if math.isnan(theirs["logLik"][0]) or math.isnan(fit.llf):
        event("R alone fails")  # a border case that another order of the rows decides
        return
    assert fit.nobs == theirs["n"][0] == int(frame.notna().all(axis=1).sum())
    assert fit.llf == pytest.approx(theirs["logLik"][0], abs=1e-4 * max(1, abs(fit.llf)))
    scale = max(1e-12, float(fit.bse.abs().max()))
    np.testing.assert_allclose(fit.params, theirs["beta"], rtol=1e-4, atol=1e-3 * scale)
    assert fit.params.index[0] == "(Intercept)"
    assert all(name.startswith(x) for name in fit.params.index[1:])
