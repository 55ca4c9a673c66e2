"""nlme and lmeInfo: the data's place, what gls forgets, memory."""

from __future__ import annotations

import gc
import os

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import DataError, FitError
from rbridge.r.session import session
from tests.support.bridging import define, grouped, in_r


def test_the_data_are_not_inlined_in_the_call(ask_r):
    frame = grouped(2000, 10)
    fit = rb.lme("y ~ x", frame, "~ 1 | g")
    assert ask_r("nchar(paste(deparse(m$call), collapse = ''))", fit)[0] < 500
    assert ask_r("nchar(paste(utils::capture.output(print(m)), collapse = ''))", fit)[0] < 2000


@pytest.mark.parametrize(
    "code",
    [
        "nrow(nlme::getData(m))",
        "length(predict(m))",
        "nrow(eval(stats::update(m, method = 'ML', evaluate = FALSE), asNamespace('nlme'))$data)",
        "nrow(stats::anova(m)) * 30",
        "length(nlme::intervals(m, which = 'fixed')) * 60",
        "{ set.seed(1); nlme::simulate.lme(m, nsim = 1)$null; 60 }",
        "nrow(nlme::ranef(m, augFrame = TRUE)) * 5",
        "length(nlme::Variogram(m)) * 20",
        "length(lmeInfo::Fisher_info(m)) * 15",
    ],
)
def test_nlmes_methods_find_the_data(ask_r, lmeinfo_installed, code):
    fit = rb.lme("y ~ x", grouped(), "~ 1 | g")
    assert ask_r(code, fit)[0] == 60


def test_gls_keeps_its_data_in_the_fitted_order(ask_r, lmeinfo_installed):
    frame = grouped().assign(t=list(range(5)) * 12)
    shuffled = frame.sample(frac=1, random_state=1)
    cor = rb.corAR1(form="~ t | g")
    fits = [rb.gls("y ~ x", data, correlation=cor) for data in (frame, shuffled)]
    for fit in fits:
        assert ask_r("nrow(nlme::getData(m))", fit)[0] == 60
    infos = [fit.lmeinfo.varcomp_vcov().cov for fit in fits]
    np.testing.assert_allclose(*infos, rtol=1e-6)


@pytest.mark.parametrize("kind", ["lme", "gls"])
def test_missing_values_equal_complete_cases(kind, lmeinfo_installed):
    frame = grouped().assign(v=np.linspace(1, 2, 60))
    frame.loc[[3, 17], "v"] = np.nan
    frame.loc[[20], "x"] = np.nan
    weights = rb.varPower("~ v")

    def fit(data):
        random = {"random": "~ 1 | g"} if kind == "lme" else {}
        return getattr(rb, kind)("y ~ x", data, **random, weights=weights)

    dropped, complete = fit(frame), fit(frame.dropna())
    assert dropped.snapshot.n_dropped == 3
    assert dropped.varcomp.equals(complete.varcomp)
    assert dropped.lmeinfo.varcomp_vcov().cov.equals(complete.lmeinfo.varcomp_vcov().cov)


def test_a_new_group_is_refused_or_told():
    fit = rb.lme("y ~ x", grouped(), "~ 1 | g")
    new = pd.DataFrame({"x": [0.0, 0.0], "g": [0, 99]})
    with pytest.raises(DataError, match="'g': 1 group\\(s\\) not in the fit: '99'"):
        fit.predict(new)
    with pytest.warns(match="taken as 0"):
        shown = fit.predict(new, unseen="population")
    assert shown[1] == pytest.approx(fit.params.iloc[0]) and shown.notna().all()


def test_a_date_is_no_datetime_in_new_data():
    days = pd.date_range("2020-01-01", periods=60)
    fit = rb.lme("y ~ d", grouped().assign(d=days), "~ 1 | g")
    with pytest.raises(DataError, match="'d' was datetime in the fit and is date now"):
        fit.predict(grouped().assign(d=days.date))


def test_contrasts_with_named_rows_follow_the_levels():
    frame = grouped().assign(s=["b", "a", "c"] * 20)
    matrix = pd.DataFrame({"l": [1.0, 0, -1], "q": [1.0, -2, 1]}, index=["a", "b", "c"])
    fit = rb.lme("y ~ s", frame, "~ 1 | g", contrasts={"s": matrix})
    turned = rb.lme("y ~ s", frame, "~ 1 | g", contrasts={"s": matrix.loc[["c", "a", "b"]]})
    assert list(fit.params.index) == ["(Intercept)", "sl", "sq"]
    assert fit.params.equals(turned.params)
    again = rb.api.fit_spec(rb.ModelSpec.from_dict(turned.snapshot.spec), frame)
    assert again.params.equals(fit.params)


def test_released_models_leave_r():
    define("counted", "function() c(length(ls(models)), length(ls(shelf, all.names = TRUE)))")
    gc.collect()
    before = session().call("counted").value.tolist()
    fits = [rb.lme("y ~ x", grouped(), "~ 1 | g") for _ in range(5)]
    assert session().call("counted").value.tolist() == [n + 5 for n in before]
    del fits
    gc.collect()
    assert session().call("counted").value.tolist() == before


def resident() -> float:
    """Megabytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def grows(n: int, work) -> float:
    work(n // 4)
    in_r("invisible(gc())[1]")
    before = resident()
    work(n)
    gc.collect()
    in_r("invisible(gc())[1]")
    return resident() - before


def test_memory_is_flat_over_many_fits():
    n = int(os.environ.get("RBRIDGE_MANY_FITS", "150"))
    frame = grouped()

    def work(count: int) -> None:
        for _ in range(count):
            rb.lme("y ~ x", frame, "~ 1 | g")

    assert grows(n, work) < max(3, n * 0.006)  # 2 000 fits: 12 MB at most, 4 to 8 measured


def test_failed_fits_cost_only_nlmes_own_leak():
    frame = grouped().assign(twice=lambda d: 2 * d.x)

    def work(count: int) -> None:
        for _ in range(count):
            with pytest.raises(FitError):
                rb.lme("y ~ x + twice", frame, "~ 1 | g")

    assert grows(150, work) < 4
