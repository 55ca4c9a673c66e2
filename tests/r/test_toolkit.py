"""Derived quantities, profiles, tests and bootstrap intervals against R's own answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.core.intervals.resampling import bootstrap_intervals
from rbridge.testing import missing

CRITICAL = 3.841458820694124  # qchisq(0.95, 1)


# --- compare: nlme's anova -----------------------------------------------------------------------

COLUMNS = ["Model", "df", "AIC", "BIC", "logLik", "L.Ratio", "p-value"]


def anova(ask_r: Any, *fits: Any) -> Any:
    """R's table; the fits meet in R's global environment."""
    names = [f".rb{k}" for k in range(len(fits))]
    for name, fit in zip(names, fits):
        ask_r(f"assign('{name}', m, globalenv()); 0", fit)
    table = f"a <- anova({', '.join(names)}); rm({', '.join(names)}, envir = globalenv()); "
    code = f"sapply(c({str(COLUMNS)[1:-1]}), function(k) as.numeric(a[[k]]), USE.NAMES = FALSE)"
    return ask_r(table + code)


@pytest.fixture(scope="module")
def ladder(orthodont: pd.DataFrame) -> list[Any]:
    diag = {"subject": rb.pdDiag("~ age")}
    return [
        rb.gls("distance ~ age", orthodont),
        rb.lme("distance ~ age", orthodont, "~ 1 | subject"),
        rb.lme("distance ~ age", orthodont, diag),
        rb.lme("distance ~ age", orthodont, "~ age | subject"),
        rb.lme("distance ~ age", orthodont, "~ age | subject", weights="varIdent(form = ~1 | sex)"),
    ]


def test_compare_is_anova(ladder: list[Any], ask_r: Any) -> None:
    table = rb.compare(*ladder)
    theirs = anova(ask_r, *ladder)
    np.testing.assert_allclose(table[COLUMNS].to_numpy(float), theirs, rtol=1e-9)
    chi = "pchisq({}, c({}), lower.tail = FALSE)"
    for row, df in ((1, "0, 1"), (2, "0, 1")):
        expected = ask_r(f"mean({chi.format(table['L.Ratio'].iloc[row], df)})")
        assert table.p_boundary.iloc[row] == pytest.approx(float(np.ravel(expected)[0]), rel=1e-9)
    assert table.p_boundary.iloc[[3, 4]].isna().all()


def test_slope_with_covariance(ladder: list[Any], ask_r: Any) -> None:
    """Pinheiro and Bates's random slope against the random intercept: 0.5 χ²(1) + 0.5 χ²(2)."""
    table = rb.compare(ladder[1], ladder[3])
    theirs = anova(ask_r, ladder[1], ladder[3])
    np.testing.assert_allclose(table["p-value"].iloc[1], theirs[1, -1], rtol=1e-8)
    ratio = table["L.Ratio"].iloc[1]
    p = ask_r(f"0.5 * sum(pchisq({ratio}, 1:2, lower.tail = FALSE))")
    assert table.p_boundary.iloc[1] == pytest.approx(float(np.ravel(p)[0]), rel=1e-9)
    assert table.mixture.iloc[1].startswith("0.5 χ²(1) + 0.5 χ²(2): the variance of age | subject")


def test_compare_under_ml_and_its_refusals(orthodont: pd.DataFrame, ask_r: Any) -> None:
    def fits(fixed: str) -> dict[str, Any]:
        return {m: rb.lme(fixed, orthodont, "~ 1 | subject", method=m) for m in ("ML", "REML")}

    with_sex, without = fits("distance ~ age * sex"), fits("distance ~ age")
    theirs = anova(ask_r, without["ML"], with_sex["ML"])
    table = rb.compare(without["ML"], with_sex["ML"])
    np.testing.assert_allclose(table[COLUMNS].to_numpy(float), theirs, rtol=1e-9)
    assert np.isnan(table.p_boundary.iloc[1])
    with pytest.raises(rb.RBridgeError, match="use method='ML'"):
        rb.compare(without["REML"], with_sex["REML"])
    summed = rb.lme(
        "distance ~ age * sex", orthodont, "~ 1 | subject", contrasts={"sex": "contr.sum"}
    )
    with pytest.raises(rb.RBridgeError, match="coded differently"):
        rb.compare(with_sex["REML"], summed)
    with pytest.raises(rb.RBridgeError, match="different rows"):
        rb.compare(without["REML"], rb.lme("distance ~ age", orthodont[4:], "~ 1 | subject"))


# --- profile: nlme's own maxima with a coefficient held ------------------------------------------


def test_profile_of_a_correlation_is_nlmes_fit_with_it_fixed() -> None:
    data = rb.datasets.load("ovary")
    form = "follicles ~ sin(2*pi*time) + cos(2*pi*time)"

    def fit(**cor: Any) -> Any:
        tight = {"tolerance": 1e-8, "msTol": 1e-9}
        structure = rb.corAR1(form="~ 1 | mare", **cor)
        return rb.lme(form, data, "~ 1 | mare", correlation=structure, control=tight)

    free = fit()
    row = free.profile("Phi").conf_int().loc["Phi"]
    assert row.estimate == pytest.approx(free.varcomp["cor_params"], abs=2e-4)
    for end in (row.lower, row.upper):
        drop = 2 * (free.llf - fit(value=end, fixed=True).llf)
        assert drop == pytest.approx(CRITICAL, abs=2e-3)


def test_profile_of_a_power_is_nlmes_fit_with_it_fixed() -> None:
    data = rb.datasets.load("dialyzer")
    form = "rate ~ (pressure + I(pressure^2)) * qb"

    def fit(**power: Any) -> Any:
        return rb.gls(form, data, weights=rb.varPower("~ pressure", **power))

    free = fit()
    row = free.profile("power").conf_int().loc["power"]
    for end in (row.lower, row.upper):
        assert 2 * (free.llf - fit(fixed=end).llf) == pytest.approx(CRITICAL, abs=2e-3)


def test_profile_reaches_zero_where_anova_says(ladder: list[Any]) -> None:
    """ζ at variance zero is the root of the likelihood ratio against the fit without the effect."""
    profile = ladder[2].profile("var(subject, age)")
    curve = profile.by_name["var(subject, age)"]
    assert curve.lower == 0.0 and "bound 0" in curve.note
    ratio = rb.compare(ladder[1], ladder[2])["L.Ratio"].iloc[1]
    assert ratio < CRITICAL and curve.zeta[0] ** 2 == pytest.approx(ratio, rel=1e-3)


def test_intervals_side_by_side(seed_fit: Any, ask_r: Any) -> None:
    table = seed_fit.intervals(methods=["nlme", "wald", "log", "satterthwaite", "profile"])
    nlme = table[table.method == "nlme"].set_index("component")
    random = "as.numeric(as.matrix(nlme::intervals(m, which = 'var-cov')$reStruct[[1]]))"
    sd = np.reshape(ask_r(random, seed_fit), (3, -1)).T
    rows = ["Tau.subject.var((Intercept))", "Tau.subject.var(age)"]
    np.testing.assert_allclose(nlme.loc[rows, ["lower", "upper"]], sd[:2, [0, 2]] ** 2, rtol=1e-8)
    cor = nlme.loc["Tau.subject.cor(age,(Intercept))", ["lower", "upper"]].astype(float)
    np.testing.assert_allclose(cor, sd[2, [0, 2]], rtol=1e-8)
    sigma = ask_r("as.numeric(nlme::intervals(m, which='var-cov')$sigma)", seed_fit)
    ends = nlme.loc["sigma_sq", ["lower", "upper"]].astype(float)
    np.testing.assert_allclose(ends, np.ravel(sigma)[[0, 2]] ** 2, rtol=1e-8)
    assert (table.groupby("method").size() >= 3).all()


# --- bootstrap intervals: R's boot ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["percentile", "basic", "bca"])
def test_bootstrap_intervals_are_boots(kind: str, ask_r: Any) -> None:
    if not np.ravel(ask_r("nzchar(system.file(package = 'boot'))"))[0]:
        missing("R's package boot is not installed")
    code = f"""
        set.seed(3); x <- rexp(40)
        b <- boot::boot(x, function(d, i) var(d[i]), R = 999)
        L <- boot::empinf(b, type = 'jack')  # by default a regression
        ci <- boot::boot.ci(b, 0.9, type = '{dict(percentile='perc').get(kind, kind)}', L = L)
        left <- sapply(seq_along(x), function(i) var(x[-i]))
        c(b$t0, tail(as.numeric(ci[[4]]), 2), left, b$t)
    """
    values = np.ravel(ask_r(code))
    t0, ends, left, t = values[0], values[1:3], values[3:43], values[43:]
    given = (t[:, None], [t0], 0.9, kind, left[:, None])
    found = bootstrap_intervals(*given)  # type: ignore[arg-type]
    np.testing.assert_allclose(np.ravel(found), ends, rtol=1e-10)


# --- derived quantities --------------------------------------------------------------------------


def test_r_squared_is_muMIns_formula(ladder: list[Any], ask_r: Any) -> None:
    """r.squaredGLMM of MuMIn, written out: it needs no package."""
    code = """
        f <- var(fitted(m, level = 0)); s2 <- m$sigma^2
        Z <- model.matrix(formula(m)[-2], m$data)
        D <- as.matrix(m$modelStruct$reStruct[[1]]) * s2
        r <- sum(diag(Z %*% D %*% t(Z))) / nrow(Z)
        c(f, f + r) / (f + r + s2)
    """
    theirs = np.ravel(ask_r(code, ladder[3]))
    np.testing.assert_allclose(rb.r_squared(ladder[3]).estimates, theirs, rtol=1e-9)


def test_r_squared_of_mumins_example(orthodont: pd.DataFrame) -> None:
    """The example of MuMIn's help page; its output as its users quote it."""
    fit = rb.lme("distance ~ sex * age", orthodont, "~ 1 | subject")
    np.testing.assert_allclose(rb.r_squared(fit).estimates, [0.4098416, 0.7827266], atol=5e-7)


def test_satterthwaite_df_of_the_total_is_lmeinfos(
    orthodont: pd.DataFrame, ask_r: Any, lmeinfo_installed: None
) -> None:
    """lmeInfo::g_mlm has ν = 2 (r'θ)²/Var(r'θ) for the total variance r'θ."""
    fit = rb.lme("distance ~ age + sex", orthodont, "~ 1 | subject")
    code = "g <- lmeInfo::g_mlm(m, p_const = c(0, 0, 1), r_const = c(1, 1)); c(g$nu, g$delta_AB)"
    nu, delta = np.ravel(ask_r(code, fit))
    found = fit.derive("total", "d = beta(sexFemale) / sqrt(total)")
    total = found.estimates["total"]
    assert 2 * total**2 / found.se["total"] ** 2 == pytest.approx(nu, rel=1e-7)
    assert found.estimates["d"] == pytest.approx(delta, rel=1e-9)


def test_variance_at_is_the_diagonal_of_getVarCov(orthodont: pd.DataFrame, ask_r: Any) -> None:
    fit = rb.lme(
        "distance ~ age",
        orthodont,
        "~ 1 | subject",
        correlation=rb.corExp(form="~ age | subject"),
        weights=rb.varComb(rb.varIdent("~ 1 | sex"), rb.varPower("~ age")),
    )
    code = "as.numeric(diag(nlme::getVarCov(m, individuals = {}, type = 'marginal')[[1]]))"
    labels = fit.snapshot.levels[0].labels
    for k in (0, len(labels) - 1):
        one = orthodont[orthodont.subject.astype(str) == labels[k]]
        found = rb.variance_at(fit, {"age": one.age.to_numpy(), "sex": one.sex.iloc[0]})
        theirs = np.ravel(ask_r(code.format(k + 1), fit))
        np.testing.assert_allclose(found.estimates, theirs, rtol=1e-9)


def test_stratum_variances_are_those_of_varcomp_vcov(orthodont: pd.DataFrame) -> None:
    fit = rb.lme("distance ~ age", orthodont, "~ 1 | subject", weights="varIdent(form = ~1 | sex)")
    found = rb.stratum_variances(fit)
    sigma = fit.sigma * fit.snapshot.var[0].values
    np.testing.assert_allclose(found.estimates, sigma**2, rtol=1e-12)
    residual = rb.variance_at(fit, {"sex": list(fit.snapshot.var[0].strata)}, of="residual")
    np.testing.assert_allclose(residual.cov, found.cov, rtol=1e-10)


def test_tidy_has_brooms_terms(seed_fit: Any, ask_r: Any) -> None:
    """broom.mixed 0.2.9's tidy.lme names (R/nlme_tidiers.R): fixed, then sd_, cor_later.earlier."""
    frame = seed_fit.tidy()
    assert frame.term.tolist()[4:] == [
        "sd_(Intercept)",
        "cor_age.(Intercept)",
        "sd_age",
        "sd_Observation",
    ]
    assert frame.group.tolist() == ["fixed"] * 4 + ["subject"] * 3 + ["Residual"]
    table = np.reshape(ask_r("as.numeric(summary(m)$tTable)", seed_fit), (5, 4)).T
    ours = frame[["estimate", "std_error", "df", "statistic", "p_value"]][:4].to_numpy(float)
    np.testing.assert_allclose(ours, table, rtol=1e-8)
