"""Every picture is drawn, nothing lies outside the figure or on a neighbour's label; no R."""

import io

import numpy as np
import pandas as pd
import pytest

from rbridge.core.residuals import autocorrelation
from rbridge.errors import SpecError
from rbridge.fit.vcov import VarcompVcov
from tests.support.fits import crosschecked, replicates, shown
from tests.support.grades import graded
from tests.support.processes import says

pytest.importorskip("matplotlib")

import matplotlib  # noqa: E402

matplotlib.use("agg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from tests.support.pictures import faults  # noqa: E402

SLOPE = shown("slope", "AR1", "Power")
NESTED, GLS = shown("nested"), shown("gls")
QUICK = ["delta", "expected", "average", "observed", "log", "satterthwaite", "nlme"]
REFITS = ["expected", "bootstrap-percentile", "bootstrap-basic"]
PICTURES = {
    "forest": lambda: SLOPE.plot_varcomp(QUICK),
    "forest with refits": lambda: SLOPE.plot_varcomp(REFITS, 0.9, replicates(SLOPE)),
    "forest of nested levels": lambda: NESTED.plot_varcomp(["delta", "expected", "log"]),
    "forest of one": lambda: GLS.plot_varcomp(),
    "profile": lambda: GLS.profile().plot(),
    "covariance": lambda: NESTED.varcomp_vcov().plot(),
    "covariance of one": lambda: GLS.varcomp_vcov().plot(),
    "covariance of long names": lambda: long_names().plot(),
    "cross-check": lambda: crosschecked(SLOPE).plot(),
    "cross-check without A": lambda: crosschecked(GLS, "A").plot(),
    "bootstrap": lambda: replicates(SLOPE).plot(),
    "acf": lambda: SLOPE.acf().plot(),
    "variogram": lambda: SLOPE.variogram().plot(),
    "random effects": lambda: SLOPE.plot_random_effects(),
    "pairs": lambda: SLOPE.plot_pairs(),
    "qq": lambda: SLOPE.plot_qq("~ pearson"),
    "qq of random effects": lambda: NESTED.plot_qq("~ ranef"),
    "residuals": lambda: SLOPE.plot_residuals(),
    "bootstrap of one": lambda: replicates(GLS).plot(0.9, kind="basic"),
    "diagnostics": lambda: SLOPE.plot_diagnostics(),
    "diagnostics of nested levels": lambda: NESTED.plot_diagnostics(),
    "diagnostics of gls": lambda: GLS.plot_diagnostics(),
}

SOME = ("forest", "profile", "covariance of long names", "bootstrap of one", "diagnostics of gls")


def long_names():
    vcov = NESTED.varcomp_vcov()
    n = len(vcov.estimates)
    names = [f"Tau.a rather long name of a group.var(poly(age, 3){i})" for i in range(n)]
    cov = pd.DataFrame(vcov.cov.to_numpy(), names, names)
    return VarcompVcov(vcov.estimates.set_axis(names), cov, "expected", vcov.source)


@pytest.mark.parametrize("name", graded(PICTURES, SOME))
def test_nothing_is_cut_and_no_texts_overlap(name):
    assert faults(PICTURES[name]()) == []


def test_notebooks_show_a_picture():
    assert GLS.varcomp_vcov().plot()._repr_png_().startswith(b"\x89PNG")


def test_methods_without_an_interval_say_so():
    texts = [text.get_text() for ax in SLOPE.plot_varcomp(QUICK).axes for text in ax.texts]
    assert any(text.startswith("none: ") and "synthetic" in text for text in texts)  # no apVar


def test_autocorrelation_by_hand():
    codes = np.array([0, 0, 0, 1, 1, 2])
    r = np.array([1.0, 2, 3, -1, 1, 5])
    acf, pairs = autocorrelation(r, codes)
    assert pairs.tolist() == [6, 3, 1]
    np.testing.assert_allclose(acf, np.array([41 / 6, (2 + 6 - 1) / 3, 3.0]) / (41 / 6))


def test_pictures_change_no_settings():
    before = dict(matplotlib.rcParams)
    PICTURES["bootstrap"]()
    assert dict(matplotlib.rcParams) == before


def test_pyplot_knows_a_picture_and_not_too_many():
    plt.close("all")
    theirs = plt.figure()
    figures = [GLS.acf().plot() for _ in range(30)]  # a warning would be an error
    most = matplotlib.rcParams["figure.max_open_warning"]
    assert plt.gcf() is figures[-1] and len(plt.get_fignums()) <= most // 2 + 1
    assert theirs.number in plt.get_fignums() and figures[-2].number in plt.get_fignums()
    figures[0].savefig(io.BytesIO())  # forgotten by pyplot, and whole
    plt.close("all")


def test_the_callers_axes_bring_no_figure():
    plt.close("all")
    figure = Figure()
    left, right = figure.subplots(1, 2)
    part = figure.subfigures(1, 2)[0].subplots()
    for ax in (left, right, part):
        assert GLS.acf().plot(ax=ax) is figure
    assert plt.get_fignums() == []
    with pytest.raises(SpecError, match="ax or figsize, not both"):
        GLS.acf().plot(ax=left, figsize=(3, 3))


def test_without_a_screen_for_the_backend_there_is_a_picture(monkeypatch):
    def no_screen(**_):
        raise ImportError("Cannot load backend 'TkAgg'")

    monkeypatch.setattr(plt, "figure", no_screen)
    assert GLS.acf().plot()._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "backend, known", [("module://matplotlib_inline.backend_inline", 0), ("agg", 1)]
)
def test_a_notebook_shows_a_picture_once(backend, known, monkeypatch):
    plt.close("all")
    figure = GLS.acf().plot()
    monkeypatch.setattr(plt, "get_backend", lambda: backend)
    with pytest.raises(NotImplementedError):  # so that IPython goes on to its own formats
        figure._ipython_display_()
    assert len(plt.get_fignums()) == known
    plt.close("all")


def test_without_matplotlib_says_what_to_install():
    code = """
        import sys
        sys.modules["matplotlib"] = sys.modules["matplotlib.figure"] = None
        import rbridge
        try:
            import rbridge.show.canvas
        except rbridge.RBridgeError as error:
            print(error)
    """
    assert "pip install matplotlib" in says(code)
