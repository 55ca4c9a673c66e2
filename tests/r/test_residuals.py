"""Residuals and their autocorrelation, against nlme's."""

import numpy as np
import pytest

import rbridge as rb
from rbridge.core.residuals import autocorrelation

ORTHODONT = {
    "plain": dict(random="~ age | subject"),
    "AR1": dict(random="~ 1 | subject", correlation="corAR1(form = ~ 1 | subject)"),
    "ARMA": dict(random="~ 1 | subject", correlation="corARMA(form = ~ 1 | subject, p = 1, q = 1)"),
    "CAR1": dict(random="~ 1 | subject", correlation="corCAR1(form = ~ age | subject)"),
    "symm": dict(random="~ 1 | subject", correlation="corSymm(form = ~ 1 | subject)"),
    "symmetric": dict(
        random="~ 0 + age | subject", correlation="corCompSymm(form = ~ 1 | subject)"
    ),
    "exp": dict(random="~ 1 | subject", correlation="corExp(form = ~ age | subject)"),
    "ident": dict(random="~ 1 | subject", weights="varIdent(form = ~ 1 | sex)"),
    "power": dict(
        random="~ 1 | subject",
        weights="varPower(form = ~ fitted(.))",
        correlation="corAR1(form = ~ 1 | subject)",
    ),
}


def close(actual, expected, rtol):
    """Equal to a relative tolerance of the largest element."""
    assert np.shape(actual) == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


@pytest.mark.parametrize("name", ORTHODONT)
def test_residuals_are_nlmes(name, orthodont, ask_r):
    fit = rb.lme("distance ~ age + sex", orthodont, **ORTHODONT[name])
    rows = fit.snapshot.rows
    for kind in ("response", "pearson", "normalized"):
        for level in (0, 1):
            theirs = ask_r(f"as.numeric(residuals(m, type = '{kind}', level = {level}))", fit)
            ours = fit.residuals(kind, level).to_numpy()[rows]
            # nlme's weights of fitted(.) are one iterate older than the fitted values beside them
            close(ours, theirs, 1e-4 if name == "power" else 1e-9)


def test_residuals_of_gls_are_nlmes(orthodont, ask_r):
    cor = "corAR1(form = ~ 1 | subject)"
    fit = rb.gls("distance ~ age", orthodont, correlation=cor, weights="varIdent(form = ~ 1 | sex)")
    theirs = ask_r("as.numeric(residuals(m, type = 'normalized'))", fit)
    close(fit.residuals("normalized").to_numpy()[fit.snapshot.rows], theirs, 1e-9)


def test_autocorrelation_is_nlmes(ask_r):
    ovary = rb.datasets.load("ovary")
    fit = rb.lme("follicles ~ sin(2 * pi * time)", ovary, "~ 1 | mare")
    theirs = ask_r("nlme::ACF(m)$ACF", fit)
    snapshot = fit.snapshot
    pearson = fit.residuals("pearson").to_numpy()[snapshot.rows]
    ours = autocorrelation(pearson, snapshot.levels[0].codes)[0]
    close(ours[: len(theirs)], theirs, 1e-10)


def test_residuals_keep_the_index(orthodont):
    shuffled = orthodont.sample(frac=1, random_state=1)
    fit = rb.lme("distance ~ age", shuffled, "~ 1 | subject")
    np.testing.assert_allclose(fit.residuals(), fit.resid)
    assert list(fit.residuals("normalized", 0).index) == list(shuffled.index)
    with pytest.raises(rb.RBridgeError, match="level must be"):
        fit.residuals(level=2)
