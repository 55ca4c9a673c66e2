"""The seed's example, live: every figure of the question and of its answer."""

import numpy as np
import pytest

import rbridge as rb
from rbridge.check.gaps import TOLERANCE

VAR0, COV, VAR1 = (
    "Tau.subject.var((Intercept))",
    "Tau.subject.cov(age,(Intercept))",
    "Tau.subject.var(age)",
)


def test_components_are_the_seeds(seed_fit):
    expected = [5.78643480, -0.28962733, 0.03252449]
    np.testing.assert_allclose(seed_fit.varcomp[[VAR0, COV, VAR1]], expected, rtol=1e-6)


def test_lmeinfo_is_the_seeds(seed_fit, lmeinfo_installed):
    variances = np.diag(seed_fit.lmeinfo.varcomp_vcov("expected").cov)[:3]
    np.testing.assert_allclose(variances, [26.370535502, 0.172430864, 0.001392966], rtol=1e-5)


def test_native_information_is_lmeinfos(seed_fit, lmeinfo_installed):
    for method in ("expected", "average", "observed"):
        assert seed_fit.varcomp_vcov(method).cov.loc[COV, COV] == pytest.approx(0.1724309, rel=1e-6)
    assert seed_fit.crosscheck().finding("C").size < TOLERANCE


def test_delta_from_live_apvar_is_near_the_seeds(seed_fit):
    # nlme's finite differences: 0.1710 to 0.1723 with the order of the subjects and the BLAS
    assert seed_fit.varcomp_vcov("delta").cov.loc[COV, COV] == pytest.approx(0.1716, rel=6e-3)


def test_varcorr(seed_fit, ask_r):
    shown = ask_r("as.numeric(nlme::VarCorr(m)[, 'Variance'])", seed_fit)
    np.testing.assert_allclose(seed_fit.varcomp[[VAR0, VAR1, "sigma_sq"]], shown, rtol=1e-6)
    exact = ask_r("unname(m$sigma^2 * as.matrix(m$modelStruct$reStruct[[1]]))", seed_fit)
    ours = seed_fit.varcomp[[VAR0, COV, COV, VAR1]].to_numpy().reshape(2, 2)
    np.testing.assert_allclose(ours, exact, rtol=1e-12)


def test_everything_works_from_the_file(seed_fit, tmp_path):
    seed_fit.snapshot.save(tmp_path / "fit.zip")
    loaded = rb.load(tmp_path / "fit.zip")
    assert loaded.varcomp_vcov("expected").cov.equals(seed_fit.varcomp_vcov("expected").cov)
    assert loaded.intervals().equals(seed_fit.intervals())
    assert loaded.fittedvalues.equals(seed_fit.fittedvalues)
    with pytest.raises(rb.RBridgeError, match="came without it"):
        loaded.lmeinfo.varcomp_vcov()
