"""Hostile names, labels, values and arguments: an answer in the user's words, or a sentence."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import DataError, FitError, RBridgeError, RWarning, SnapshotError, SpecError
from rbridge.model.formula import quoted
from tests.support.grades import graded

NAMES = [
    *("a~b", "a b", "if", "TRUE", "NULL", "function", "a`b", "a\\b", 'a"b', "a'b", "a|b", "a/b"),
    *("a:b", "a*b", "a^b", "a+b", "-a", "(a)", "[a]", "{a}", "a$b$c", "a%in%b", "a@b", "a#b"),
    *("<script>", "a\nb", "a\tb", "a\rb", "a\x01b", "a\x7fb", "\u202eab", "é", "中文", "😀", "_a"),
    *(".a", ".", "..1", "1a", "1", "a.b", "rbv0001x", "rbg0000x", "rbl00000000000x", "sd", "x1y"),
    *("row.names", "Intercept", "(Intercept)", "sigma", "pi", "y ~ x", "0", " ", "a" * 200, "%s"),
    *("NA", "NaN", "c", "I", "log", "data", "random", "fitted(.)", "group", "lme", "check.names"),
]


def _data(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=n), "g": np.repeat(np.arange(10), 6)})
    data["h"] = rng.choice(["a", "b"], n)
    return data.assign(y=data.x + rng.normal(size=10)[data.g] + rng.normal(size=n))


@pytest.fixture(scope="module")
def plain() -> Any:
    return rb.lme("y ~ x + h", _data(), "~ 1 | g")


@pytest.mark.parametrize("name", graded([name for name in NAMES if name != "."], NAMES[::3]))
def test_a_covariate_of_any_name(name: str, plain: Any, tmp_path: Path) -> None:
    fit = rb.lme(f"y ~ {quoted(name)} + h", _data().rename(columns={"x": name}), "~ 1 | g")
    assert fit.params.to_numpy() == pytest.approx(plain.params.to_numpy())
    assert name.strip() in fit.params.index[1] or "\\" in fit.params.index[1]
    new = _data().rename(columns={"x": name}).head(3)
    assert fit.predict(new).to_numpy() == pytest.approx(fit.fittedvalues[:3].to_numpy())
    report = fit.summary()
    assert str(report) and report._repr_html_() and fit.crosscheck().to_markdown()
    fit.save(tmp_path / "fit")
    assert rb.load(tmp_path / "fit").params.equals(fit.params)


@pytest.mark.parametrize("name", graded(NAMES, NAMES[1::3]))
def test_a_group_a_level_and_a_response_of_any_name(name: str, plain: Any) -> None:
    data = _data().rename(columns={"y": name, "g": "g "})
    data["h"] = pd.Categorical(np.where(data.h == "a", "a", name), categories=["a", name])
    try:
        fit = rb.lme(f"{quoted(name)} ~ x + h", data, {"g ": "~ 1"})
    except DataError as refused:
        assert (
            "written like rbridge's own" in str(refused)
            or "R's word" in str(refused)
            or (name in ("a", "."))
        )
        return
    assert fit.params.to_numpy() == pytest.approx(plain.params.to_numpy())
    assert list(fit.random_effects) == ["g "] and str(fit.summary())


def test_a_response_with_a_tilde_is_simulated_and_one_of_many() -> None:
    data = _data().rename(columns={"y": "a~b"})
    fit = rb.lme("`a~b` ~ x", data, "~ 1 | g")
    assert len(fit.bootstrap(3, seed=1).estimates) == len(_estimates())
    many = rb.lme_many("~ x", data, "~ 1 | g", outcomes=["a~b", "exp(`a~b`)"], progress=False)
    assert list(many.outcome) == ["a~b", "exp(`a~b`)"]
    assert many["fixed.x"][0] == pytest.approx(fit.params["x"])


def _estimates() -> Any:
    return rb.lme("y ~ x", _data(), "~ 1 | g").bootstrap(3, seed=1).estimates


def test_labels_that_join_to_one_text_are_refused() -> None:
    data = _data()
    data["s"] = np.where(data.g < 3, "a/b", np.where(data.g < 6, "a", data.g.astype(str)))
    data["c"] = np.where(data.g < 3, "c", np.where(data.g < 6, "b/c", (data.index % 2).astype(str)))
    with pytest.raises(DataError, match="'s' and 'c' are both written 'a/b/c'"):
        rb.lme("y ~ x", data, "~ 1 | s/c")
    data["s"], data["c"] = data.s.str.replace("/", "*"), data.c.str.replace("/", "*")
    assert len(rb.lme("y ~ x", data, "~ 1 | s/c").random_effects) == 2
    with pytest.raises(DataError, match="both written 'a.b.c'"):
        rb.gls("y ~ x", data, weights="varIdent(form = ~ 1 | s*c)")


def test_texts_like_the_neutral_labels() -> None:
    with pytest.raises(DataError, match="written like rbridge's own"):
        rb.lme("y ~ I(h == 'rbl99990000000x') + x", _data(), "~ 1 | g")
    groups = _data().assign(g=lambda d: d.g.map("rbl999900000{}x".format))
    labels = rb.lme("y ~ x", groups, "~ 1 | g").random_effects["g"].index
    assert list(labels) == [f"rbl999900000{i}x" for i in range(10)]


def test_a_column_labelled_na_is_no_matter() -> None:
    data = _data()
    data[pd.NA] = 1.0
    assert rb.lme("y ~ x", data, "~ 1 | g").nobs == 60
    with pytest.raises(DataError, match="no column 'zz'"):
        rb.lme("y ~ zz", data, "~ 1 | g")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signalling_nan_is_refused_by_its_column() -> None:
    values = [Decimal("sNaN"), *map(Decimal, range(59))]
    with pytest.raises(DataError, match="column 'x' holds a signalling NaN"):
        rb.gls("y ~ x", _data().assign(x=values))


@pytest.mark.parametrize("rows", [0.5, True, -1, 0])
def test_snapshots_whose_rows_are_no_positions_are_refused(rows: Any, plain: Any) -> None:
    stored = plain.snapshot.to_dict()
    held = stored["snapshot"]["fields"]["rows"]
    where = held if isinstance(held, list) else next(v for v in held.values() if len(v) == 60)
    where[:] = [rows] * 60
    with pytest.raises(SnapshotError, match="rows"):
        FitSnapshot.from_dict(stored)


def test_errors_of_predict_have_the_users_words_and_no_numbers_of_the_data() -> None:
    fit = rb.gls("y ~ factor(round(x)) + log(x + 9)", _data())
    secret = _data().head(3).assign(x=[-1234.5, 0.0, 0.0])
    with pytest.raises(DataError) as caught:
        fit.predict(secret)
    assert "1234" not in str(caught.value) and "rbv" not in str(caught.value)


# --- messages that say what to do ----------------------------------------------------------------


def _fails(**model: Any) -> str:
    data = _data()
    data = data.assign(v=[f"v{i % 6}" for i in range(60)], k=[i % 6 for i in range(60)])
    data = data.assign(t=1.6e9 + data.index)
    with pytest.raises(RBridgeError) as caught:
        rb.lme(model.pop("fixed", "y ~ x"), data, model.pop("random", "~ 1 | g"), **model)
    assert isinstance(caught.value, (DataError, FitError, SpecError))
    return str(caught.value)


def test_what_to_do_is_said() -> None:
    assert "group is missing" in _fails(random="pdDiag(~ x)")
    assert "numbers: 1, 2, 3" in _fails(correlation="corAR1(form = ~ v | g)")
    assert "1, 2, 3 … without a gap" in _fails(correlation="corSymm(form = ~ k | g)")
    assert "subtract its mean" in _fails(fixed="y ~ t")
    few = {"msMaxEval": 1, "msMaxIter": 1}
    assert "msMaxEval" in _fails(random="~ x | g", control=few)


@pytest.mark.parametrize(
    "given, advice",
    [
        ({"groups": "g"}, "lme has no argument 'groups'; the groups stand in random"),
        ({"random": "~ 1 | g", "reml": True}, "'reml'; the method is 'REML' or 'ML'"),
        ({"random": "~ 1 | g", "re_formula": "~ x"}, "'re_formula'; the terms stand in random"),
        ({"random": "~ 1 | g", "wieghts": None}, "'wieghts'; did you mean 'weights'"),
    ],
)
def test_arguments_of_other_packages(given: dict[str, Any], advice: str) -> None:
    with pytest.raises(SpecError, match=advice):
        rb.lme("y ~ x", _data(), **given)


def test_gls_has_no_random_effects() -> None:
    with pytest.raises(SpecError, match="gls has no argument 'random'.*use rb.lme"):
        rb.gls("y ~ x", _data(), random="~ 1 | g")  # type: ignore[call-arg]


def test_blocks_may_be_the_text_of_a_constructor() -> None:
    texts = rb.pdBlocked(["~ 1", "pdIdent(~ h - 1)", "pdDiag(form = ~ x - 1)"])
    assert texts == rb.pdBlocked([rb.pdSymm("~ 1"), rb.pdIdent("~ h - 1"), rb.pdDiag("~ x - 1")])
    with pytest.raises(SpecError, match="corAR1"):
        rb.pdBlocked(["~ 1", "corAR1(~ 1)"])


def test_a_function_may_ask_for_estimates_by_name(plain: Any) -> None:
    cov = plain.cov_params()
    by_name = rb.delta_method(lambda b: b["x"] / b["hb"], plain.params, cov)
    by_place = rb.delta_method(lambda b: b[1] / b[2], plain.params, cov)
    assert by_name.estimates.equals(by_place.estimates)
    assert by_name.cov.to_numpy() == pytest.approx(by_place.cov.to_numpy(), rel=1e-9)
    with pytest.raises(KeyError, match="nobody"):
        rb.delta_method(lambda b: b["nobody"], plain.params, cov)


def test_two_coefficients_of_one_name_are_not_taken_for_one() -> None:
    data = _data().assign(a=np.tile(["a", "bx"], 30), ab=np.tile(["a", "a", "x"], 20))
    fit = rb.lme("y ~ a + ab", data, "~ 1 | g")
    told = "'abx' names two coefficients: rename a column, or a level of a factor"
    for asked in (
        lambda: fit.test("abx = 0"),
        lambda: fit.derive("beta(abx) / sigma"),
        lambda: fit.effect_size({"abx": 1.0}, {"sigma_sq": 1.0}),
        fit.coef,
    ):
        with pytest.raises(SpecError, match=told):
            asked()
    for engine in ("nlme", "native"):
        table = rb.lme_many("y ~ a + ab", data, "~ 1 | g", engine=engine, progress=False)
        assert table.reason.tolist() == [told]
    assert fit.test([0, 0, 1]).df_num == 1


@pytest.mark.parametrize("engine", ["nlme", "pinned", "native"])
def test_text_that_was_meant_as_numbers_is_said_and_kept(engine: str, tmp_path: Path) -> None:
    data = _data().assign(k=[str(i % 6) if i % 7 else "." for i in range(60)])
    told = "column 'k' is text, nearly all of it numbers, and taken as a factor; not a number: '.'"
    with pytest.warns(RWarning, match=told) as caught:
        fit = rb.lme("y ~ k", data, "~ 1 | g", engine=engine)
    assert [w.filename for w in caught] == [__file__]
    assert len(fit.params) == 7 and fit.warnings_ == (
        f"{told} (9): make it missing, or write factor(k)",
    )
    fit.save(tmp_path / "fit")
    assert rb.load(tmp_path / "fit").warnings_ == fit.warnings_
    with pytest.warns(RWarning, match=told) as caught:
        table = rb.lme_many("y ~ k", data, "~ 1 | g", by="h", engine=engine, progress=False)
    assert len(caught) == 1 and len(table) == 2
    with pytest.warns(RWarning, match=told):
        rb.lm_list("y ~ k", data, "h")


def test_a_path_that_leads_nowhere(plain: Any, tmp_path: Path) -> None:
    path = tmp_path / "no" / "f.zip"
    with pytest.raises(FileNotFoundError, match="f.zip: there is no such folder to write to") as no:
        plain.save(path)
    assert isinstance(no.value, RBridgeError) and str(no.value).startswith(str(path))
    with pytest.raises(RBridgeError, match="f.zip: there is no such file") as no:
        rb.load(path)
    assert isinstance(no.value, FileNotFoundError)
    with pytest.raises(RBridgeError, match="/dev/full: cannot be written: No space left"):
        plain.save("/dev/full")
