"""Autocorrelations and variograms, against nlme's on sorted rows, and on rows in any order."""

import numpy as np
import pandas as pd
import pytest

import rbridge as rb

COLUMNS = {"follicles": "follicles", "time": "time", "mare": "mare"}


def near(ours, theirs):
    np.testing.assert_allclose(np.asarray(ours, float), theirs, rtol=1e-10, atol=1e-10)


@pytest.fixture(scope="module")
def ovary():
    return rb.datasets.load("ovary").sort_values(["mare", "time"], ignore_index=True)


@pytest.fixture(scope="module")
def plain(ovary):
    return rb.lme("follicles ~ sin(2 * pi * time) + time", ovary, "~ 1 | mare")


@pytest.fixture(scope="module")
def spatial():
    wheat = rb.datasets.load("wheat2")
    cor = rb.corSpher(form="~ latitude + longitude", value=[20], nugget=False)
    return rb.gls("yield ~ variety - 1", wheat, correlation=cor, control={"maxIter": 200})


@pytest.mark.parametrize("kind", ["pearson", "response", "normalized"])
def test_acf_is_nlmes(plain, ask_r, kind):
    theirs = ask_r(
        f"x <- nlme::ACF(m, resType = '{kind}'); c(x$lag, x$ACF, attr(x, 'n.used'))", plain
    )
    ours = plain.acf(residuals=kind)
    near(np.concatenate([ours.lag, ours.acf, ours.n]), theirs)
    near(plain.acf(4, kind).acf, ask_r(f"nlme::ACF(m, maxLag = 4, resType = '{kind}')$ACF", plain))


def test_acf_of_gls_is_nlmes(ovary, ask_r):
    cor = "corAR1(form = ~ 1 | mare)"
    fit = rb.gls("follicles ~ time", ovary, correlation=cor)
    near(fit.acf().acf, ask_r("nlme::ACF(m)$ACF", fit))
    alone = rb.gls("follicles ~ time", ovary)
    near(alone.acf(7).acf, ask_r("nlme::ACF(m, maxLag = 7)$ACF", alone))


R_VARIOGRAM = "x <- nlme::Variogram(m, {}); c(x$dist, x$variog, x$n.pairs)"


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("far", [None, 0.5])
def test_variogram_is_nlmes(plain, ask_r, robust, far):
    options = f"form = ~ rbv0001x, robust = {str(robust).upper()}" + (
        f", maxDist = {far}" if far else ""
    )
    assert plain.in_r("a test").design.names.value["time"] == "rbv0001x"
    ours = plain.variogram("~ time", max_dist=far, robust=robust)
    near(ours.to_numpy().T.ravel(), ask_r(R_VARIOGRAM.format(options), plain))


def test_variogram_by_order_is_nlmes(plain, ask_r):
    ours = plain.variogram(residuals="response")
    near(ours.to_numpy().T.ravel(), ask_r(R_VARIOGRAM.format("resType = 'response'"), plain))


def test_variogram_of_a_spatial_fit_is_nlmes(spatial, ask_r):
    ours = spatial.variogram()
    near(ours.to_numpy().T.ravel(), ask_r(R_VARIOGRAM.format(""), spatial))
    manhattan = spatial.variogram("~ latitude + longitude", metric="manhattan", max_dist=10)
    names = spatial.in_r("a test").design.names.value
    form = f"form = ~ {names['latitude']} + {names['longitude']}, metric = 'man', maxDist = 10"
    near(manhattan.to_numpy().T.ravel(), ask_r(R_VARIOGRAM.format(form), spatial))


def test_the_order_of_the_rows_is_nothing(ovary, plain):
    ovary = ovary.assign(visit=ovary.groupby("mare", observed=True).cumcount() + 1)
    shuffled = ovary.sample(frac=1, random_state=3)
    cor = "corAR1(form = ~ visit | mare)"
    fits = [rb.lme("follicles ~ time", d, "~ 1 | mare", correlation=cor) for d in (ovary, shuffled)]
    for kind in ("pearson", "normalized"):
        by_time, unsorted = (fit.acf(residuals=kind).acf for fit in fits)
        np.testing.assert_allclose(unsorted, by_time, rtol=1e-4, atol=1e-5)  # two optima
        pd.testing.assert_frame_equal(
            *(pd.DataFrame(fit.variogram(residuals=kind)) for fit in fits), rtol=1e-4
        )
    without = rb.lme("follicles ~ sin(2 * pi * time) + time", shuffled, "~ 1 | mare")
    np.testing.assert_allclose(without.acf(form="~ visit").acf, plain.acf().acf, atol=1e-6)


def test_a_gap_in_time_is_a_longer_lag(plain, ovary):
    fit = rb.lme(
        "follicles ~ time",
        ovary.assign(week=3 * ovary.groupby("mare", observed=True).cumcount()),
        "~ 1 | mare",
    )
    found = fit.acf(6, form="~ week")
    assert list(found.n[[1, 2, 4, 5]]) == [0, 0, 0, 0] and found.acf[[1, 2, 4, 5]].isna().all()
    np.testing.assert_allclose(found.acf[[0, 3, 6]], fit.acf(2).acf, rtol=1e-12)


def test_by_brute_force(plain):
    frame = pd.DataFrame({"r": plain.residuals("pearson"), "g": plain._data.mare})
    products = [
        r.iloc[i] * r.iloc[i + 2]
        for _, r in frame.r.groupby(frame.g, observed=True)
        for i in range(len(r) - 2)
    ]
    np.testing.assert_allclose(
        plain.acf().acf[2], np.mean(products) / np.mean(frame.r**2), rtol=1e-12
    )


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda fit: fit.acf(-1), "max_lag must be a whole number, not negative"),
        (lambda fit: fit.acf(residuals="raw"), "type must be one of"),
        (lambda fit: fit.acf(form="~ time"), "must hold whole numbers to count lags"),
        (lambda fit: fit.acf(form="~ mare"), "same time twice in a group|must hold numbers"),
        (lambda fit: fit.acf(form="y ~ time"), "one-sided"),
        (lambda fit: fit.acf(form="~ log(time)"), "form takes columns"),
        (lambda fit: fit.acf(form="~ time + follicles"), "by one time"),
        (lambda fit: fit.variogram("~ tim"), "no column 'tim'; did you mean 'time'"),
        (lambda fit: fit.variogram(max_dist=0), "max_dist must be a positive distance"),
        (lambda fit: fit.variogram("~ time", max_dist=1e-9), "no pairs to compare"),
        (lambda fit: fit.variogram(metric="taxi"), "metric must be 'euclidean'"),
        (lambda fit: fit.acf().plot(level=2), "level must lie between 0 and 1"),
        (lambda fit: fit.acf().plot(ax=3), "ax must be a matplotlib Axes"),
    ],
)
def test_what_cannot_be_is_one_sentence(plain, call, words):
    with pytest.raises(rb.RBridgeError, match=words) as caught:
        call(plain)
    assert "\n" not in str(caught.value).strip().split("\n    ")[0]


def test_a_frame_that_changed_is_refused(ovary):
    data = ovary.copy()
    fit = rb.lme("follicles ~ time", data, "~ 1 | mare")
    fit.variogram("~ time")
    data.loc[3, "time"] += 1
    with pytest.raises(rb.RBridgeError, match=r"changed since the fit \('time'\)"):
        fit.variogram("~ time")
    with pytest.raises(rb.RBridgeError, match="came without it"):
        rb.LmeResults(fit.snapshot).variogram("~ time")
