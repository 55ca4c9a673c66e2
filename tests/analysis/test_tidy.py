"""The tidy frame: broom.mixed's names, and the numbers of the results that it collects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.analysis.tidy import COLUMNS
from rbridge.errors import SpecError
from tests.support.fits import named


def test_rows_and_columns() -> None:
    fit = named("nested", "Exp nugget", "Ident")
    frame = rb.tidy(fit)
    assert tuple(frame.columns) == COLUMNS
    assert frame.term[frame.effect == "fixed"].tolist() == ["b0", "b1", "b2"]
    rest = frame[frame.effect == "ran_pars"]
    assert list(zip(rest.group, rest.term)) == [
        ("a", "sd_z0"),
        ("a", "cor_z1.z0"),
        ("a", "sd_z1"),
        ("b", "sd_z0"),
        ("c", "sd_z0"),
        ("corStruct", "cor_params1"),
        ("corStruct", "cor_params2"),
        ("varStruct", "var_params1"),
        ("varStruct", "var_params2"),
        ("Residual", "sd_Observation"),
    ]


def test_numbers_are_those_of_the_results() -> None:
    fit = named("slope")
    frame = fit.tidy(level=0.9)
    fixed, rest = frame[frame.effect == "fixed"], frame[frame.effect == "ran_pars"]
    np.testing.assert_array_equal(fixed.estimate, fit.params)
    np.testing.assert_array_equal(fixed.p_value, fit.pvalues)
    np.testing.assert_array_equal(fixed[["conf_low", "conf_high"]], fit.conf_int(0.9))
    sd, cor = rb.standard_deviations(fit), rb.correlations(fit)
    se = [sd.se.iloc[0], cor.se.iloc[0], *sd.se.iloc[1:]]
    np.testing.assert_allclose(rest.std_error, se, rtol=1e-12)
    ends = cor.conf_int(0.9, scale="log").iloc[0]
    np.testing.assert_allclose(rest[["conf_low", "conf_high"]].iloc[1], ends, rtol=1e-12)
    assert rest.conf_method.iloc[1] == "Wald, Fisher z, 90%"


def test_variances_in_place_of_deviations() -> None:
    fit = named("slope")
    frame = fit.tidy(effects=["ran_pars"], scale="vcov", method="average")
    vcov = fit.varcomp_vcov("average")
    np.testing.assert_allclose(frame.estimate, vcov.estimates, rtol=1e-14)
    np.testing.assert_allclose(frame.std_error, vcov.se, rtol=1e-12)
    assert frame.term.tolist() == ["var_z0", "cov_z1.z0", "var_z1", "var_Observation"]
    assert frame.conf_method.iloc[1] == "Wald, natural, 95%"


def test_one_parameter_for_several_effects() -> None:
    frame = named("blocked").tidy(effects=["ran_pars"])
    assert frame.term.tolist() == ["sd_z0", "sd_z", "cor_z", "sd_Observation"]


def test_without_standard_errors_the_estimates_stay_and_the_reason_is_given() -> None:
    frame = named("zero").tidy(effects=["ran_pars"])
    assert frame.estimate.tolist() == pytest.approx([0.0, 0.9])
    assert frame.std_error.isna().all() and frame.conf_method.str.startswith("none: ").all()


def test_gls_and_refusals() -> None:
    frame = named("gls", "AR1").tidy()
    assert frame.group.unique().tolist() == ["fixed", "corStruct", "Residual"]
    for options in ({"effects": ["random"]}, {"effects": "fixed"}, {"scale": "sd"}):
        with pytest.raises(SpecError):
            named("gls").tidy(**options)
    assert isinstance(frame, pd.DataFrame) and frame.index.tolist() == list(range(5))
