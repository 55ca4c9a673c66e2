"""What a live fit shows: coding of factors, empty cells, computed variables, types of columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import DataError, SpecError
from rbridge.results import LmeResults
from tests.support import brute
from tests.support.bridging import ask

CODINGS = ("contr.treatment", "contr.sum", "contr.helmert", "contr.poly", "contr.SAS")


@pytest.fixture(scope="module")
def trial() -> pd.DataFrame:
    """Unbalanced: arms, visits as numbers, a flag, columns with spaces and dates."""
    rng = np.random.default_rng(11)
    n = 30
    frame = pd.DataFrame({"s": np.repeat(np.arange(n), 6), "visit": np.tile([1, 2, 3], 2 * n)})
    frame["my arm"] = np.array(["A", "B", "C"])[frame["s"] % 3]
    frame["late"] = np.tile([False] * 3 + [True] * 3, n)
    frame["x"] = rng.normal(size=len(frame))
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["visit"], unit="D")
    frame["y"] = rng.normal(size=len(frame)) + rng.normal(size=n)[frame["s"]] + frame["visit"] / 3
    return frame.sample(frac=0.8, random_state=3).reset_index(drop=True)


@pytest.mark.parametrize("ddf", ["kenward-roger", "containment", "normal"])
def test_type_three_has_one_answer_for_every_coding(trial: Any, ddf: str) -> None:
    base, *others = (
        rb.lme(
            "y ~ x + `my arm` * factor(visit)",
            trial.assign(visit=pd.Categorical(trial["visit"])),
            "~ 1 | s",
            contrasts={"my arm": coding},
            control={"tolerance": 1e-10, "msTol": 1e-12},
        ).anova("III", ddf=ddf)
        for coding in CODINGS
    )
    for other in others:
        # each stops at its own optimum; tests/analysis has one optimum and 1e-9
        pd.testing.assert_frame_equal(other, base, rtol=1e-5, check_exact=False)


@pytest.mark.filterwarnings("ignore:nlme stopped before the optimum")
def test_empty_cells_are_named_and_left_open(trial: Any) -> None:
    empty = trial[~((trial["my arm"] == "A") & trial["late"])]
    options = {"control": {"singular.ok": True}, "correlation": "corCompSymm(form = ~ 1 | s)"}
    fit = rb.gls("y ~ `my arm` * late", empty, **options)
    assert fit.anova().attrs["caption"].endswith("my arm:late has empty cells: A/TRUE")
    means = fit.means("my arm", by="late")
    table = means.to_frame().set_index(["my arm", "late"])
    assert list(means.estimable) == [True, True, True, False, True, True]
    assert table.loc[("A", True)].isna().all() and table.drop(index=("A", True)).notna().all().all()
    assert "empty cells leave open: A/True" in means.caption
    contrasts = means.contrasts(adjust="bonferroni").set_index(["contrast", "late"])
    assert contrasts.loc[("A - B", True)].isna().all()
    one = contrasts.loc[("B - C", True)]  # alone in its family
    assert one["p"] == pytest.approx(
        means.contrasts().set_index(["contrast", "late"])["p"]["B - C", True]
    )
    with pytest.raises(SpecError, match="leave everything open"):
        fit.means("my arm", at={"my arm": "A", "late": True}).to_frame()
    with pytest.raises(SpecError, match="weights='cells' has no average"):
        fit.means("late", at={"my arm": "A"}, weights="cells")


def at_estimates(fit: LmeResults, other: LmeResults) -> LmeResults:
    """With the other's V: under singular.ok nlme counts p wrong, and its optimum is none."""
    moved = replace(fit.snapshot, cor=other.snapshot.cor, sigma=other.sigma)
    A = np.linalg.inv(brute.marginal(moved))
    vcov = np.linalg.inv(moved.X.T @ A @ moved.X)
    return LmeResults(replace(moved, beta=vcov @ moved.X.T @ A @ moved.y, vcov=vcov))


@pytest.mark.filterwarnings("ignore:nlme stopped before the optimum")
def test_a_mean_of_what_is_there_is_that_of_the_model_without_the_empty_cell(trial: Any) -> None:
    empty = trial[~((trial["my arm"] == "A") & trial["late"])]
    cells = empty["my arm"] + empty["late"].map({True: " late", False: ""})
    options = {"correlation": "corCompSymm(form = ~ 1 | s)"}
    other = rb.gls("y ~ cell", empty.assign(cell=cells), **options)
    whole = other.means("cell").to_frame()
    fit = rb.gls("y ~ `my arm` * late", empty, control={"singular.ok": True}, **options)
    fit = at_estimates(fit, other)
    table = fit.means(["my arm", "late"]).to_frame().dropna()
    names = table["my arm"] + table["late"].map({True: " late", False: ""})
    numbers = ["estimate", "se", "df"]
    np.testing.assert_allclose(
        table[numbers], whole.set_index("cell").loc[names, numbers], rtol=1e-5
    )


def test_computed_variables_ask_r_for_their_rows(trial: Any) -> None:
    fit = rb.lme("y ~ `my arm` * poly(x, 2) + log(visit)", trial, "~ 1 | s")
    found = fit.means("my arm", at={"x": [0.5], "visit": 2})
    new = pd.DataFrame({"my arm": ["A", "B", "C"], "x": 0.5, "visit": 2.0})
    np.testing.assert_allclose(found.to_frame()["estimate"], fit.predict(new, level=0), rtol=1e-10)
    assert list(fit.anova().index) == ["my arm", "poly(x, 2)", "log(visit)", "my arm:poly(x, 2)"]
    loaded = LmeResults(fit.snapshot)
    pd.testing.assert_frame_equal(loaded.anova(), fit.anova())
    with pytest.raises(DataError, match="a grid with poly.* needs the fit in R"):
        loaded.means("my arm")


def test_dates_and_flags_are_columns_of_a_grid(trial: Any) -> None:
    fit = rb.lme("y ~ `my arm` + late * day", trial, "~ 1 | s")
    with pytest.raises(SpecError, match="'day' is neither a factor nor a number: give at="):
        fit.means("late")
    day = pd.Timestamp("2024-01-02")
    table = fit.means("late", at={"day": day}).to_frame()
    assert list(table["late"]) == [False, True]
    new = pd.DataFrame(
        {"my arm": ["A", "B", "C"] * 2, "late": [False] * 3 + [True] * 3, "day": day}
    )
    points = fit.predict(new, level=0).groupby(new["late"]).mean()
    np.testing.assert_allclose(table["estimate"], points, rtol=1e-10)


def test_numbers_as_factors_keep_their_values(trial: Any) -> None:
    fit = rb.lme("y ~ `my arm` * factor(visit)", trial, "~ 1 | s")
    means = fit.means("visit", by="my arm")
    assert list(means.to_frame()["visit"]) == [1.0, 2.0, 3.0] * 3
    assert list(means.contrasts("consecutive")["contrast"]) == ["2 - 1", "3 - 2"] * 3
    labelled = trial.assign(visit=pd.Categorical(trial["visit"]))
    other = rb.lme("y ~ `my arm` * visit", labelled, "~ 1 | s").means("visit", at={"visit": [1, 3]})
    chosen = fit.means("visit", at={"visit": [1, 3]}).to_frame()
    np.testing.assert_allclose(other.to_frame()["estimate"], chosen["estimate"], rtol=1e-9)


def test_tests_are_nlmes_own(trial: Any) -> None:
    """anova(fit), type = "marginal", Terms = and L = of R."""
    fit = rb.lme("y ~ x + `my arm` * factor(visit)", trial, "~ 1 | s")
    for kind, code in (("I", "anova(m)"), ("marginal", "anova(m, type = 'marginal')")):
        theirs = ask(f"unclass(nlme::{code.replace('anova', 'anova.lme')})[1:4]", fit)
        ours = fit.anova(kind, ddf="containment")
        for column, name in (("df_num", "numDF"), ("df_den", "denDF"), ("F", "F-value")):
            np.testing.assert_allclose(ours[column], theirs[name], rtol=1e-8)
    term = ask("unclass(nlme::anova.lme(m, Terms = 3))[1:4]", fit)
    names = [name for name in fit.params.index if name in ("my armB", "my armC")]
    found = fit.test(", ".join(f"`{name}` = 0" for name in names), ddf="containment")
    numbers = [found.df_num, found.df_den, found.statistic]
    expected = [np.ravel(term[name])[0] for name in ("numDF", "denDF", "F-value")]
    np.testing.assert_allclose(numbers, expected, rtol=1e-8)
    place = list(fit.params.index).index("x")
    row = np.eye(len(fit.params))[place]
    contrast = ask(f"unclass(nlme::anova.lme(m, L = {_vector(row)}))[1:3]", fit)
    found = fit.test(row, ddf="containment")
    expected = [np.ravel(contrast[name])[0] for name in ("numDF", "denDF", "F-value")]
    np.testing.assert_allclose([found.df_num, found.df_den, found.statistic], expected, rtol=1e-8)


def _vector(row: Any) -> str:
    return f"c({', '.join(map(str, row))})"


@pytest.mark.parametrize("engine", ["pinned", "native"])
@pytest.mark.parametrize("away", [0, 2010, 1e4])
def test_slopes_of_years_have_the_degrees_of_freedom_of_balanced_data(
    engine: str, away: float, r: Any
) -> None:
    """14 subjects in two arms: the difference of their mean slopes has 12, wherever time is 0."""
    rng = np.random.default_rng(5)
    s, year = np.repeat(np.arange(14), 8), np.tile(np.linspace(-10, 10, 8), 14)
    b = rng.normal(size=(14, 2))[s]
    frame = pd.DataFrame({"s": s, "arm": np.array(["a", "b"])[s % 2], "year": year + away})
    frame["y"] = b[:, 0] + (0.15 * b[:, 1] + 0.08) * year + 0.7 * rng.normal(size=len(s))
    fit = rb.lme("y ~ year * arm", frame, "~ year | s", engine=engine)
    slopes = ["year", "year:armb"]
    for ddf in ("kenward-roger", "satterthwaite"):
        np.testing.assert_allclose(fit.fixed_effects(ddf).df[slopes], 12, rtol=1e-3)
    assert fit.predict(interval="confidence").notna().all(axis=None)
    assert fit.diagnose().regular
