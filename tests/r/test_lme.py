"""rb.lme and rb.gls: what a user passes, and what comes back, against R's own answers."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import ConvergenceWarning, DataError, FitError, RWarning, SpecError

COVARIANCE = "Tau.subject.cov(age,(Intercept))"


def in_r(ask_r, call, value):
    """R's own answer on nlme's own Orthodont."""
    return ask_r(f"library(nlme); fit <- {call}; {value}")


def test_summary_numbers_are_rs(seed_fit, ask_r):
    table = ask_r("unname(summary(m)$tTable)", seed_fit)
    ours = [seed_fit.params, seed_fit.bse, seed_fit.df_resid, seed_fit.tvalues, seed_fit.pvalues]
    np.testing.assert_allclose(np.column_stack(ours), table, rtol=1e-10)
    criteria = ask_r("c(AIC(m), BIC(m), logLik(m), m$sigma)", seed_fit)
    ours = [seed_fit.aic, seed_fit.bic, seed_fit.llf, seed_fit.sigma]
    np.testing.assert_allclose(ours, criteria, rtol=1e-12)
    np.testing.assert_allclose(
        seed_fit.cov_params(), ask_r("unname(vcov(m))", seed_fit), rtol=1e-12
    )


def test_ml_summary_and_intervals_differ_as_in_r(orthodont, ask_r):
    fit = rb.lme("distance ~ age", orthodont, "~ 1 | subject", method="ML")
    se = ask_r("unname(summary(m)$tTable[, 'Std.Error'])", fit)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.cov_params())), se, rtol=1e-12)
    vcov = ask_r("unname(vcov(m))", fit)
    np.testing.assert_allclose(fit.cov_params(adjust_sigma=False), vcov, rtol=1e-12)
    theirs = ask_r("unname(unclass(nlme::intervals(m, which = 'fixed')$fixed))", fit)
    np.testing.assert_allclose(fit.intervals(which="fixed"), theirs, rtol=1e-10)
    width = (fit.conf_int()["upper"] - fit.conf_int()["lower"]) / (theirs[:, 2] - theirs[:, 0])
    np.testing.assert_allclose(width, np.sqrt(108 / 106), rtol=1e-8)
    assert fit.conf_int(alpha=0.1).equals(fit.conf_int(0.9))


def test_contrasts_by_name(orthodont, ask_r):
    fit = rb.lme("distance ~ sex", orthodont, "~ 1 | subject", contrasts={"sex": "contr.sum"})
    call = "lme(distance ~ Sex, Orthodont, ~ 1 | Subject, contrasts = list(Sex = 'contr.sum'))"
    np.testing.assert_allclose(fit.params, in_r(ask_r, call, "unname(fixef(fit))"), rtol=1e-6)
    assert list(fit.params.index) == ["(Intercept)", "sex1"]


def test_contrasts_by_matrix(orthodont):
    matrix = pd.DataFrame({"half": [-0.5, 0.5]})
    fit = rb.lme("distance ~ sex", orthodont, "~ 1 | subject", contrasts={"sex": matrix})
    treatment = rb.lme("distance ~ sex", orthodont, "~ 1 | subject")
    assert fit.params["sexhalf"] == pytest.approx(treatment.params["sexFemale"], rel=1e-8)
    with pytest.raises(
        SpecError, match="contrasts\\['sex'\\] must be a contrast's name or a matrix"
    ):
        rb.lme("distance ~ sex", orthodont, "~ 1 | subject", contrasts={"sex": [[1.0]]})
    with pytest.raises(SpecError, match="'age' is not a categorical"):
        rb.lme("distance ~ age", orthodont, "~ 1 | subject", contrasts={"age": "contr.sum"})


def test_reference_level_is_the_first_category(orthodont):
    other = orthodont.assign(sex=orthodont["sex"].cat.reorder_categories(["Female", "Male"]))
    fit = rb.lme("distance ~ sex", other, "~ 1 | subject")
    assert list(fit.params.index) == ["(Intercept)", "sexMale"]


@pytest.mark.parametrize(
    "formula, r_formula",
    [
        ("log(distance) ~ I(age^2)", "log(distance) ~ I(age^2)"),
        ("distance ~ poly(age, 2)", "distance ~ poly(age, 2)"),
        ("distance ~ splines", "distance ~ splines::ns(age, df = 2)"),
        ("distance ~ sin(2 * pi * age)", "distance ~ sin(2 * pi * age)"),
        ("distance ~ scale(age):sex - 1", "distance ~ scale(age):Sex - 1"),
        ("distance ~ factor(age)", "distance ~ factor(age)"),
        ("distance ~ relevel(sex, ref = 'Female')", "distance ~ relevel(Sex, ref = 'Female')"),
        ("distance ~ cut(age, c(7, 9, 20))", "distance ~ cut(age, c(7, 9, 20))"),
    ],
)
def test_formula_functions(orthodont, ask_r, formula, r_formula):
    formula = formula.replace("splines", "ns(age, df = 2)")
    fit = rb.lme(formula, orthodont, "~ 1 | subject")
    call = f"lme({r_formula}, Orthodont, ~ 1 | Subject)"
    assert fit.llf == pytest.approx(in_r(ask_r, call, "as.numeric(logLik(fit))")[0], rel=1e-8)
    names = in_r(ask_r, call, "names(fixef(fit))")
    assert list(fit.params.index) == [
        name.replace("Sex", "sex").replace("splines::", "") for name in names
    ]


def test_any_column_name_will_do(orthodont):
    plain = rb.lme("distance ~ age + sex", orthodont, "~ age | subject")
    new = {"distance": "row.names", "age": "if", "sex": "größe [m²]", "subject": "check.rows"}
    odd = orthodont.rename(columns=new)
    fit = rb.lme("`row.names` ~ `if` + `größe [m²]`", odd, "~ `if` | `check.rows`")
    np.testing.assert_allclose(fit.params, plain.params, rtol=1e-12)
    assert list(fit.params.index) == ["(Intercept)", "if", "größe [m²]Female"]
    assert fit.varcomp.index[1] == "Tau.check.rows.cov(if,(Intercept))"
    assert list(fit.random_effects) == ["check.rows"]


def test_a_column_called_pi_is_a_column(orthodont):
    fit = rb.lme("distance ~ pi", orthodont.assign(pi=orthodont["age"]), "~ 1 | subject")
    same = rb.lme("distance ~ age", orthodont, "~ 1 | subject")
    np.testing.assert_allclose(fit.params, same.params, rtol=1e-12)


def test_one_column_as_value_and_as_group(orthodont, ask_r):
    fit = rb.lme("distance ~ age", orthodont, "~ 1 | age/sex")
    call = "lme(distance ~ age, Orthodont, ~ 1 | age/Sex)"
    assert fit.llf == pytest.approx(in_r(ask_r, call, "as.numeric(logLik(fit))")[0], rel=1e-8)


def test_missing_values_are_dropped_and_counted(orthodont):
    holes = orthodont.copy()
    holes.loc[[3, 50], "age"] = np.nan
    holes.loc[7, "distance"] = np.nan
    fit = rb.lme("distance ~ age", holes, "~ 1 | subject")
    assert (fit.nobs, fit.snapshot.n_dropped) == (105, 3)
    complete = rb.lme("distance ~ age", holes.dropna(), "~ 1 | subject")
    np.testing.assert_allclose(fit.varcomp, complete.varcomp, rtol=1e-10)
    assert fit.resid.index.equals(holes.dropna().index)
    with pytest.raises(DataError, match=r"missing values in 'distance' \(1\), 'age' \(2\)"):
        rb.lme("distance ~ age", holes, "~ 1 | subject", na_action="raise")


def test_rows_come_back_as_they_were_given(orthodont):
    shuffled = orthodont.sample(frac=1, random_state=1).set_index(
        pd.Index([f"row {i}" for i in range(len(orthodont))])
    )
    fit = rb.lme("distance ~ age", shuffled, "~ 1 | subject")
    assert fit.fittedvalues.index.equals(shuffled.index)
    np.testing.assert_allclose(fit.fittedvalues + fit.resid, shuffled["distance"], rtol=1e-12)


def test_random_effects_and_fitted_levels(ask_r):
    oats = rb.datasets.load("oats")
    fit = rb.lme("yield ~ nitro", oats, "~ 1 | block/variety")
    for level, name in enumerate(["block", "variety"], 1):
        effects = fit.random_effects[name]
        theirs = ask_r(f"nlme::ranef(m)[[{level}]][, 1]", fit)
        assert sorted(effects["(Intercept)"]) == pytest.approx(sorted(theirs), rel=1e-10)
    sums = fit.random_effects["block"].loc["VI"] + fit.random_effects["variety"].loc["VI/Victory"]
    row = oats.index[(oats["block"] == "VI") & (oats["variety"] == "Victory")][0]
    assert fit.fitted(2)[row] - fit.fitted(0)[row] == pytest.approx(sums["(Intercept)"], rel=1e-10)


class TestPredict:
    def test_new_rows_as_nlme(self, seed_fit, orthodont, ask_r):
        new = orthodont.iloc[[5, 50, 100]].assign(age=[9.5, 11.0, 20.0])
        for level in (0, 1):
            code = (
                "d <- as.data.frame(Orthodont)[c(6, 51, 101), ]; d$age <- c(9.5, 11, 20);"
                f"as.numeric(predict(fit, d, level = {level}))"
            )
            call = "lme(distance ~ age * Sex, Orthodont, ~ age | Subject)"
            theirs = in_r(ask_r, call, code)
            np.testing.assert_allclose(seed_fit.predict(new, level), theirs, rtol=1e-5)

    def test_bases_keep_their_knots_in_both_parts(self, orthodont):
        control = {"opt": "optim"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RWarning)
            random = {"subject": rb.pdDiag("~ poly(age, 2)")}
            fit = rb.lme("distance ~ ns(age, 3)", orthodont, random, control=control)
        some = orthodont.iloc[[0, 1, 2]]
        np.testing.assert_allclose(fit.predict(some), fit.fittedvalues.loc[some.index], rtol=1e-10)

    def test_unseen_groups(self, seed_fit, orthodont):
        new = orthodont.head(2).assign(subject=["M16", "Z99"])
        with pytest.raises(DataError, match="'subject': 1 group.* not in the fit: 'Z99'"):
            seed_fit.predict(new)
        with pytest.warns(RWarning, match="taken as 0"):
            found = seed_fit.predict(new, unseen="population")
        assert found.iloc[1] == pytest.approx(seed_fit.predict(new, level=0).iloc[1], rel=1e-12)

    @pytest.mark.parametrize(
        "change, message",
        [
            (lambda d: d.drop(columns="sex"), "no column 'sex'"),
            (lambda d: d.assign(sex=["Male", "Other"]), "'sex': 'Other' was not in the fit"),
            (lambda d: d.assign(age=[np.nan, 8]), r"'age' of the new data has 1 missing"),
            (lambda d: d.assign(age=["8", "9"]), "'age' was integer in the fit and is factor now"),
        ],
    )
    def test_new_data_that_cannot_serve(self, seed_fit, orthodont, change, message):
        with pytest.raises(DataError, match=message):
            seed_fit.predict(change(orthodont.head(2)))


@pytest.mark.parametrize(
    "change, arguments, message",
    [
        (lambda d: d, {"random": "~ 1 | child"}, "no column 'child'"),
        (lambda d: d, {"fixed": "distance ~ aeg"}, "no column 'aeg'; did you mean 'age'"),
        (lambda d: d.iloc[:0], {}, "the data has no rows"),
        (lambda d: d.assign(subject="one"), {}, "'subject' has one group"),
        (lambda d: d.assign(subject=range(108)), {}, "'subject' has as many groups as rows"),
        (lambda d: d, {"fixed": "sex ~ age"}, "the response 'sex' must be numeric, not factor"),
        (
            lambda d: d.assign(distance=d.distance > 24),
            {},
            "'distance' must be numeric, not logical",
        ),
        (lambda d: pd.concat([d, d[["age"]]], axis=1), {}, "column 'age' stands 2 times"),
        (lambda d: d.assign(age=d.age * 1j), {}, "column 'age' is complex"),
        (lambda d: d.assign(age=np.inf), {}, "column 'age' has 108 infinite"),
        (lambda d: d.to_dict(), {}, "data must be a pandas DataFrame, not dict"),
    ],
)
def test_bad_input_is_told_in_one_sentence(orthodont, change, arguments, message):
    call = {"fixed": "distance ~ age", "random": "~ 1 | subject", **arguments}
    with pytest.raises(rb.RBridgeError, match=message) as caught:
        rb.lme(data=change(orthodont), **call)
    assert "\n" not in str(caught.value)


def test_singular_design_names_the_columns(orthodont):
    twice = orthodont.assign(again=orthodont["age"] * 2)
    with pytest.raises(FitError, match="the other fixed effects determine again"):
        rb.lme("distance ~ age + again", twice, "~ 1 | subject")


def test_non_convergence_is_visible(orthodont):
    control = {"maxIter": 1, "msMaxIter": 1, "niterEM": 0, "returnObject": True}
    with pytest.warns(ConvergenceWarning):
        fit = rb.lme("distance ~ age", orthodont, "~ age | subject", control=control)
    assert not fit.converged
    assert "NOT CONVERGED" in str(fit.summary())
    assert not fit.diagnose().regular


def test_gls(ask_r):
    ovary = rb.datasets.load("ovary")
    model = "follicles ~ sin(2 * pi * time) + cos(2 * pi * time)"
    fit = rb.gls(model, ovary, correlation="corAR1(form = ~ 1 | mare)")
    assert fit.snapshot.cor.values[0] == pytest.approx(0.753208, rel=1e-4)
    np.testing.assert_allclose(fit.bse, ask_r("unname(summary(m)$tTable[, 2])", fit), rtol=1e-10)
    criteria = ask_r("c(AIC(m), BIC(m))", fit)
    np.testing.assert_allclose([fit.aic, fit.bic], criteria, rtol=1e-12)


def test_results_travel_between_processes_without_r(seed_fit):
    copy = pickle.loads(pickle.dumps(seed_fit))
    assert copy.varcomp.equals(seed_fit.varcomp)
    with pytest.raises(DataError, match="came without it"):
        copy.predict(pd.DataFrame({"age": [8.0]}))


def test_fixed_sigma(orthodont):
    options = {"method": "ML", "control": {"sigma": 1.4}}
    fit = rb.lme("distance ~ age", orthodont, "~ 1 | subject", **options)
    assert "sigma_sq" not in fit.varcomp.index
    with pytest.warns(RWarning, match="apVar is wrong where sigma is fixed"):
        fit.varcomp_vcov("delta")
    assert not fit.diagnose().regular
    assert fit.df_model == 3


@pytest.mark.parametrize(
    "structure", ["corAR1(form = ~ age | subject)", rb.corARMA(p=2, form="~ age | subject")]
)
def test_times_with_fractions_are_refused(orthodont, structure):
    data = orthodont.assign(age=orthodont["age"] * 0.3)
    with pytest.raises(
        DataError, match="column 'age', the time of corA.*, must hold whole numbers"
    ):
        rb.gls("distance ~ sex", data, correlation=structure)


def test_no_degrees_of_freedom_is_told():
    frame = pd.DataFrame({"y": [0.3, -1.2, 0.8], "x": [0.1, 0.5, 0.2], "g": [1, 1, 2]})
    fit = rb.lme("y ~ x", frame, "~ 1 | g")
    assert fit.pvalues.isna().any()
    assert "no degrees of freedom are left for x" in str(fit.summary())
