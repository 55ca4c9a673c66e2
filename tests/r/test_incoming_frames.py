"""Every door takes the frames of other libraries; R then gives the numbers of the pandas frame."""

import pandas as pd
import pytest

import rbridge as rb
from tests.support.foreign import Converting, by_arrow

every_source = pytest.mark.parametrize("source", [by_arrow, Converting])
RANDOM = "~ 1 | subject"


def numbered(frame):
    return frame.reset_index(drop=True)


@pytest.fixture(scope="module")
def data():
    return rb.datasets.load("orthodont")


@every_source
def test_fits(source, data):
    options = {"random": RANDOM, "contrasts": {"sex": "contr.sum"}}
    ours, theirs = rb.lme("distance ~ age * sex", data, **options), source(data)
    fit = rb.lme("distance ~ age * sex", theirs, **options)
    pd.testing.assert_series_equal(fit.params, ours.params)
    pd.testing.assert_series_equal(fit.varcomp, ours.varcomp)
    gls = [rb.gls("distance ~ age", each).params for each in (theirs, data)]
    pd.testing.assert_series_equal(*gls)


@every_source
def test_what_a_fit_is_asked_with_a_frame(source, data):
    fit = rb.lme("distance ~ age", data, random="~ age | subject")
    few = data.iloc[:5]
    for options in ({}, {"interval": "prediction"}, {"level": [0, 1]}):
        found, wanted = (fit.predict(each, **options) for each in (source(few), few))
        assert list(found.index) == list(range(5)) and numbered(found).equals(numbered(wanted))
    pd.testing.assert_series_equal(fit.update(data=source(data)).params, fit.params)
    at = pd.DataFrame({"age": [8.0, 14.0]})
    found, wanted = (rb.variance_at(fit, each).estimates for each in (source(at), at))
    pd.testing.assert_series_equal(found, wanted)


@every_source
def test_many_lists_and_repeated_measures(source, data):
    theirs = source(data)
    found, wanted = (
        rb.lme_many("distance ~ age", each, RANDOM, by="sex", progress=False)
        for each in (theirs, data)
    )
    numbers = wanted.select_dtypes("number").columns.drop("seconds", errors="ignore")
    assert found["converged"].all()
    pd.testing.assert_frame_equal(found[numbers], wanted[numbers])
    lists = [rb.lm_list("distance ~ age", each, "subject").sigma for each in (theirs, data)]
    pd.testing.assert_series_equal(*lists)
    fits = [
        rb.mmrm("distance ~ sex", each, subject="subject", visit="age", covariance="cs")
        for each in (theirs, data)
    ]
    pd.testing.assert_series_equal(fits[0].params, fits[1].params)
    new = data.iloc[:4]
    assert numbered(fits[0].predict(source(new))).equals(numbered(fits[1].predict(new)))
