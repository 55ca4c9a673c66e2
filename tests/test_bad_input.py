"""Bad input: over a hundred kinds, each with its message; R is never asked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import DataError, FormulaError, RBridgeError, SpecError


@pytest.fixture(autouse=True)
def no_r(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> None:
        raise AssertionError("R was asked")

    monkeypatch.setattr("rbridge.r.nlme.session", asked)


def frame(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    base = {"y": rng.normal(size=12), "x": rng.normal(size=12), "g": np.repeat([1, 2, 3, 4], 3)}
    return pd.DataFrame({**base, "t": [0, 1, 2] * 4, "s": ["a", "b", "c"] * 4, **columns})


def refused(error: type[RBridgeError], message: str, **arguments: Any) -> None:
    data = arguments.pop("data", None)
    kind = arguments.pop("kind", "lme")
    given = {"fixed": "y ~ x", "random": "~ 1 | g", **arguments}
    if kind == "gls":
        given = {"model": given["fixed"], **{k: v for k, v in given.items() if k != "random"}}
        given.pop("fixed")
    with pytest.raises(error, match=message):
        getattr(rb, kind)(data=frame() if data is None else data, **given)


# --- security: text is data ---------------------------------------------------------------------

HOSTILE = [
    'system("id")',
    'base::system("id")',
    'base:::system("id")',
    '`system`("id")',
    '"system"("id")',
    '(system)("id")',
    'eval(parse(text = "1"))',
    'source("/etc/passwd")',
    'get("system")("id")',
    "do.call(system, 'id')",
    "I((function() x)())",
    "I(function(z) z)",
    "I(\\(z) z)",
    "(x <- 1)",
    "(x <<- 1)",
    "(1 -> x)",
    "I(x = system('id'))",
    "assign('x', 1)",
    "Sys.setenv(A = 1)",
    "file('/etc/passwd')",
    "library(stats)",
    "x |> system()",
    "x; system('id')",
    "x\nsystem('id')",
    "{system('id')}",
    "x[system('id')]",
    "x[[1]]",
    "x$y",
    "x@y",
    "?system",
    "x %system% x",
    "match.fun('system')",
    "sapply(x, system)",
    "Reduce(`+`, x)",
    "log(~ system('id'))",
    "I(~ x)",
    "environment()",
    "quit()",
    "repeat 1",
    "if (TRUE) x",
    "poly(x, 2)(1)",
    ".Internal(quit())",
    "offset(x)",
    "unknown(x)",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("argument", ["fixed", "lhs", "random", "form", "weights", "constructor"])
def test_no_text_reaches_r_as_code(argument: str, text: str) -> None:
    given: dict[str, Any] = {
        "fixed": {"fixed": f"y ~ {text}"},
        "lhs": {"fixed": f"{text} ~ x"},
        "random": {"random": f"~ {text} | g"},
        "form": {"correlation": f"corAR1(form = ~ {text} | g)"},
        "weights": {"weights": f"varPower(form = ~ {text})"},
        "constructor": {"correlation": f"corAR1({text})"},
    }[argument]
    refused(SpecError, ".", **given)


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_contrasts_and_options_are_from_a_list(text: str) -> None:
    refused(SpecError, "is none of contr", fixed="y ~ s", contrasts={"s": text})
    refused(SpecError, "control has no", control={text: 1})
    refused(SpecError, "must be 'nlminb' or 'optim'", control={"opt": text})
    refused(SpecError, "must be 'Nelder-Mead'", control={"optimMethod": text})
    refused(SpecError, "must be a number, not negative", control={"sigma": text})
    refused(SpecError, "method must be", method=text)
    refused(SpecError, "na_action must be", na_action=text)
    refused(SpecError, "there is no corStruct|cannot|expected|constructor", correlation=text)
    refused(SpecError, "metric must be", correlation=rb_spatial(text))


def rb_spatial(text: str) -> dict[str, Any]:
    return {"class": "corExp", "form": "~ t | g", "metric": text}


def test_a_column_with_a_hostile_name_is_a_column() -> None:
    data = frame().rename(columns={"x": "system('id')"})
    with pytest.raises(AssertionError, match="R was asked"):  # it is accepted
        rb.lme("y ~ `system('id')`", data, "~ 1 | g")


# --- everything else ----------------------------------------------------------------------------

ONE = pd.Series(1, index=range(12))
MATRIX = [[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]

BAD: list[tuple[type[RBridgeError], str, dict[str, Any]]] = [
    # formulas
    (FormulaError, "needs a '~'", {"fixed": "y"}),
    (FormulaError, "'=' cannot stand here", {"fixed": "y = x"}),
    (FormulaError, "must be text, not int", {"fixed": 3}),
    (FormulaError, "must be text, not NoneType", {"fixed": None}),
    (FormulaError, "end of the text", {"fixed": ""}),
    (FormulaError, "end of the text", {"fixed": "y ~"}),
    (FormulaError, "needs a response", {"fixed": "~ x"}),
    (FormulaError, "'~' may stand only once", {"fixed": "y ~ x ~ g"}),
    (FormulaError, "groups belong into random", {"fixed": "y ~ x | g"}),
    (FormulaError, "expected, found the end", {"fixed": "y ~ log(x"}),
    (FormulaError, "cannot stand here", {"fixed": "y ~ x)"}),
    (FormulaError, "cannot stand here", {"fixed": "y ~ x x"}),
    (FormulaError, "cannot read '#'", {"fixed": "y ~ x # comment"}),
    (FormulaError, "too long \\(limit 10000\\)", {"fixed": "y ~ " + " + ".join(["x"] * 5000)}),
    (
        FormulaError,
        "nested too deeply \\(limit 60\\)",
        {"fixed": "y ~ " + "(" * 200 + "x" + ")" * 200},
    ),
    (FormulaError, "nested too deeply", {"fixed": "y ~ " + "(" * 4000 + "x" + ")" * 4000}),
    (FormulaError, "nested too deeply", {"fixed": "y ~ x" + " - x" * 2000}),
    (FormulaError, "nlme ignores offset", {"fixed": "y ~ offset(x)"}),
    (FormulaError, "'cbind' is not among", {"fixed": "cbind(y, x) ~ 1"}),
    (FormulaError, "'\\|' may stand only once", {"random": "~ x | g | s"}),
    (SpecError, "terms and groups", {"random": "~ x"}),
    (SpecError, "terms and groups", {"random": "~ 1 | g * s"}),
    (SpecError, "terms and groups", {"random": "x ~ 1 | g"}),
    (SpecError, "columns joined by '/'", {"random": "~ 1 | log(g)"}),
    (SpecError, "columns joined by '/'", {"random": "~ 1 | g + s"}),
    (SpecError, "random must be", {"random": {}}),
    (SpecError, "random must be", {"random": None}),
    (SpecError, "random must be", {"random": ["~ 1 | g"]}),
    (SpecError, "name the group", {"random": "list(~ 1)"}),
    (SpecError, "must be a pdMat", {"random": {"g": 1}}),
    (SpecError, "one-sided", {"random": {"g": "~ 1 | s"}}),
    # structures
    (SpecError, "there is no corStruct 'corAr1'; did you mean corAR1", {"correlation": "corAr1()"}),
    (SpecError, "there is no pdMat", {"random": {"g": "pdfoo(~ 1)"}}),
    (SpecError, "there is no varFunc 'corAR1'", {"weights": "corAR1()"}),
    (SpecError, "no argument 'vlaue'", {"correlation": "corAR1(vlaue = 0.5)"}),
    (SpecError, "too many arguments", {"correlation": "corAR1(0.5, ~ 1, FALSE, 3)"}),
    (SpecError, "give a number or numbers", {"correlation": "corAR1('a')"}),
    (SpecError, "only literal values", {"correlation": "corAR1(x)"}),
    (SpecError, "needs the value to hold", {"correlation": "corAR1(fixed = TRUE)"}),
    (SpecError, "orders, not both zero", {"correlation": "corARMA(form = ~ 1 | g)"}),
    (SpecError, "orders, not both zero", {"correlation": "corARMA(p = -1, q = 1)"}),
    (SpecError, "metric must be", {"correlation": "corExp(form = ~ t, metric = 'great circle')"}),
    (SpecError, "give '~ time \\| group'", {"correlation": "corAR1(form = y ~ t)"}),
    (SpecError, "name the strata", {"weights": "varIdent(form = ~ 1)"}),
    (SpecError, "one-sided formula", {"weights": "varPower(form = y ~ x)"}),
    (SpecError, "two or more variance functions", {"weights": "varComb(varPower())"}),
    (SpecError, "takes list", {"random": {"g": "pdBlocked(~ 1)"}}),
    (SpecError, "two or more formulas", {"random": {"g": "pdBlocked(list(~ 1))"}}),
    (SpecError, "correlation must be a corStruct", {"correlation": 0.5}),
    (SpecError, "weights must be a varFunc", {"weights": [1, 2]}),
    (
        SpecError,
        "there is no stratum 'z' \\(strata: a, b, c\\)",
        {"weights": "varIdent(c(z = 2), form = ~ 1 | s)"},
    ),
    # options
    (SpecError, "did you mean 'maxIter'", {"control": {"maxiter": 5}}),
    (SpecError, "control must be a dict", {"control": "maxIter=5"}),
    (SpecError, "contrasts must be a dict", {"contrasts": "contr.sum"}),
    (SpecError, "whole number", {"control": {"maxIter": "a"}}),
    (SpecError, "whole number", {"control": {"maxIter": 1.5}}),
    (SpecError, "whole number", {"control": {"niterEM": -1}}),
    (SpecError, "whole number", {"control": {"msMaxIter": True}}),
    (SpecError, "not negative, not nan", {"control": {"tolerance": float("nan")}}),
    (SpecError, "not negative, not inf", {"control": {"msTol": float("inf")}}),
    (SpecError, "True or False", {"control": {"returnObject": 1}}),
    (SpecError, "True or False", {"control": {"apVar": "FALSE"}}),
    (SpecError, "has no 'singular.ok' for lme", {"control": {"singular.ok": True}}),
    (SpecError, "has no 'niterEM' for gls", {"kind": "gls", "control": {"niterEM": 5}}),
    (SpecError, "method must be 'REML' or 'ML', not 'reml'", {"method": "reml"}),
    (SpecError, "na_action must be", {"na_action": "omit"}),
    # contrasts
    (SpecError, "is none of contr.treatment", {"fixed": "y ~ s", "contrasts": {"s": "sum"}}),
    (SpecError, "'x' is not a categorical", {"contrasts": {"x": "contr.sum"}}),
    (SpecError, "'z' is not a categorical", {"contrasts": {"z": "contr.sum"}}),
    (SpecError, "name or a matrix", {"fixed": "y ~ s", "contrasts": {"s": 3}}),
    (SpecError, "name or a matrix", {"fixed": "y ~ s", "contrasts": {"s": [["a"]]}}),
    (SpecError, "3 rows and at most 2", {"fixed": "y ~ s", "contrasts": {"s": [[1.0], [2.0]]}}),
    (SpecError, "3 rows and at most 2", {"fixed": "y ~ s", "contrasts": {"s": np.eye(3)}}),
    (
        SpecError,
        "3 rows and at most 2",
        {"fixed": "y ~ s", "contrasts": {"s": [[1, 2], [1], [1, 2]]}},
    ),
    (SpecError, "finite and independent", {"fixed": "y ~ s", "contrasts": {"s": [[1, 1]] * 3}}),
    (
        SpecError,
        "finite and independent",
        {"fixed": "y ~ s", "contrasts": {"s": [[np.nan, 1], [1, 0], [0, 1]]}},
    ),
    (
        SpecError,
        "the rows are named",
        {"fixed": "y ~ s", "contrasts": {"s": pd.DataFrame(MATRIX, index=["a", "b", "z"])}},
    ),
    (SpecError, "3 rows and at most 2", {"fixed": "y ~ s", "contrasts": {"s": {"rows": 3}}}),
    # frames
    (DataError, "must be a pandas DataFrame, not dict", {"data": {"y": [1]}}),
    (DataError, "must be a pandas DataFrame, not ndarray", {"data": np.eye(3)}),
    (DataError, "must be a pandas DataFrame, not str", {"data": "data.csv"}),
    (DataError, "no rows", {"data": frame().iloc[:0]}),
    (DataError, "no columns", {"data": pd.DataFrame(index=range(3))}),
    (DataError, "no column 'z' \\(columns", {"fixed": "y ~ z"}),
    (DataError, "no column 'h'", {"random": "~ 1 | h"}),
    (DataError, "no column 'time'", {"correlation": "corAR1(form = ~ time | g)"}),
    (DataError, "no column 'v'", {"weights": "varPower(form = ~ v)"}),
    (DataError, "'.' for all other columns", {"fixed": "y ~ ."}),
    (DataError, "'x' stands 2 times", {"data": pd.concat([frame(), frame()[["x"]]], axis=1)}),
    (DataError, "'3' is not text", {"data": frame().rename(columns={"x": 3}), "fixed": "y ~ `3`"}),
    # columns
    (DataError, "column 'x' is complex", {"data": frame(x=ONE * 1j)}),
    (DataError, "'x' has 12 infinite", {"data": frame(x=ONE * np.inf)}),
    (DataError, "'x' holds periods", {"data": frame(x=pd.period_range("2020", periods=12))}),
    (DataError, "'x' holds intervals", {"data": frame(x=pd.interval_range(0, 12))}),
    (DataError, "'x' holds integers beyond", {"data": frame(x=ONE * 2**60)}),
    (
        DataError,
        "'x' holds integers beyond",
        {"data": frame(x=pd.Series([2**53 + 1, None] * 6, dtype="Int64"))},
    ),
    (
        DataError,
        "'x' holds integers beyond",
        {"data": frame(x=pd.Series([10**400] * 12, dtype=object))},
    ),
    (DataError, "'x' has no data", {"data": frame(x=pd.Series([None] * 12, dtype=object))}),
    (DataError, "'x' mixes or holds int, str", {"data": frame(x=[1, "a"] * 6)}),
    (DataError, "'x' mixes or holds list", {"data": frame(x=[[1]] * 12)}),
    (DataError, "'x' mixes or holds bytes", {"data": frame(x=[b"a"] * 12)}),
    (
        DataError,
        "'x' mixes or holds time",
        {"data": frame(x=pd.date_range("2020", periods=12).time)},
    ),
    (DataError, "'x' has text with a NUL", {"data": frame(x=["a\0b"] * 12)}),
    (
        DataError,
        "'x' has text that is not valid",
        {"data": frame(x=pd.Series(["a\ud800"] * 12, dtype=object))},
    ),
    (DataError, "'x': categories read the same", {"data": frame(x=pd.Categorical([1, "1"] * 6))}),
    (
        DataError,
        "'x' mixes dates and times",
        {
            "data": frame(
                x=pd.Series([dt.datetime(2020, 1, 1), dt.date(2020, 1, 1)] * 6, dtype=object)
            )
        },
    ),
    (
        DataError,
        "'x' mixes time zones",
        {
            "data": frame(
                x=[pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020", tz="Asia/Tokyo")] * 6
            )
        },
    ),
    (DataError, "'x' has a level written like", {"data": frame(x=["rbv0001x", "b"] * 6)}),
    # the response and the groups
    (DataError, "response 's' must be numeric, not text such as 'a'", {"fixed": "s ~ x"}),
    (
        DataError,
        "response 'b' must be numeric, not logical",
        {"fixed": "b ~ x", "data": frame(b=ONE > 0)},
    ),
    (
        DataError,
        "response 'd' must be numeric, not datetime",
        {"fixed": "d ~ x", "data": frame(d=pd.date_range("2020", periods=12))},
    ),
    (
        DataError,
        "response 'd' must be numeric, not difftime",
        {"fixed": "d ~ x", "data": frame(d=pd.timedelta_range("1D", periods=12))},
    ),
    (DataError, "'s' in as.numeric\\(s\\) must be numeric", {"fixed": "as.numeric(s) ~ x"}),
    (DataError, "'s' in log\\(s\\) must be numeric", {"fixed": "log(s) ~ x"}),
    (DataError, "'g' has one group", {"data": frame(g=ONE)}),
    (DataError, "'g' has as many groups as rows", {"data": frame(g=range(12))}),
    (
        DataError,
        "'g' holds a datetime and cannot group",
        {"data": frame(g=pd.date_range("2020", periods=12))},
    ),
    (
        DataError,
        "missing values in 'x' \\(2\\), 'g' \\(1\\)",
        {
            "data": frame(x=[None, None, *range(10)], g=[1, None, *([1, 2] * 5)]),
            "na_action": "raise",
        },
    ),
    (
        DataError,
        "no complete rows: 'x' misses every value",
        {"data": frame(x=ONE * np.nan, y=[None, *range(11)])},
    ),
    (
        DataError,
        "no complete rows: every row misses a value in 'y', 'x'",
        {"data": frame(y=[1.0, None] * 6, x=[None, 1.0] * 6)},
    ),
    (DataError, "column 'y' is the same in every row: nothing to fit", {"data": frame(y=ONE * 5)}),
    (
        DataError,
        "column 'y' is the same in every row",
        {"data": frame(y=[0.0] * 11 + [None]), "kind": "gls"},
    ),
    (
        DataError,
        "no column 'g': it is in the index, use data.reset_index\\(\\)",
        {"data": frame().set_index("g")},
    ),
    (DataError, "no column 'Y'; did you mean 'y'\\?", {"fixed": "Y ~ x"}),
    (
        DataError,
        "column 't': 0 stands twice for g '2', and corAR1 needs each time once",
        {"correlation": "corAR1(form = ~ t | g)", "data": frame(t=[0, 1, 2, 0, 0, *range(1, 8)])},
    ),
    (
        DataError,
        "column 'x': 0.5 stands twice for g/s '1/a', and corCAR1 needs",
        {
            "random": "~ 1 | g/s",
            "correlation": "corCAR1(form = ~ x | g)",
            "data": frame(x=[0.5, 0.5, *range(10)], g=[1, 1, 1, 2, 2, 2] * 2, s=["a", "a"] * 6),
        },
    ),
    (
        DataError,
        "column 't': 1 stands twice in the data, and corARMA",
        {"kind": "gls", "correlation": "corARMA(form = ~ t, p = 1)", "data": frame(t=[1] * 12)},
    ),
    *(
        (
            DataError,
            f"column 's' is a factor, and {kind} needs numbers",
            {"weights": f"{kind}(form = ~ s)"},
        )
        for kind in ("varPower", "varExp", "varConstPower", "varConstProp")
    ),
    *(
        (DataError, "column 't' has zeros, at which the variance of var.* is 0", {"weights": w})
        for w in (
            *("varPower(form = ~ t)", "varFixed(~ t)", "varPower(form = ~ t | s)"),
            "varComb(varIdent(form = ~ 1 | s), varPower(form = ~ t))",
            "varPower(form = ~ t, fixed = 0.5)",
        )
    ),
    (
        DataError,
        "column 't': 1 stands twice for g/s '4/b', and corSymm needs",
        {
            "correlation": "corSymm(form = ~ t | g/s)",
            "data": frame(s=["a", "b", "b"] * 4, t=[1, 1, 2] * 3 + [1, 1, 1]),
        },
    ),
    (FormulaError, "random needs a '~' and no brackets: '~ 1 \\| g'", {"random": "(1|g)"}),
    (FormulaError, "random needs a '~' and no brackets: '~ x \\| g'", {"random": "x | g"}),
]


def test_a_frame_in_the_formulas_place_is_told() -> None:
    calls: list[tuple[Any, ...]] = [(rb.lme, "~ 1 | g"), (rb.gls,), (rb.lm_list, "g")]
    for call, *group in calls:
        with pytest.raises(FormulaError, match="the formula stands first, then the data"):
            call(frame(), "y ~ x", *group)


@pytest.mark.parametrize("error, message, arguments", BAD, ids=range(len(BAD)))
def test_bad_input(error: type[RBridgeError], message: str, arguments: dict[str, Any]) -> None:
    refused(error, message, **arguments)


def test_there_are_a_hundred() -> None:
    words = [{name: a for name, a in each.items() if name != "data"} for _, _, each in BAD]
    assert len({(message, str(said)) for (_, message, _), said in zip(BAD, words)}) >= 100
