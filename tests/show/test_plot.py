"""Every picture is drawn, nothing lies outside the figure or on a neighbour's label; no R."""

import sys

import numpy as np
import pandas as pd
import pytest

from rbridge.core.residuals import autocorrelation
from rbridge.fit.vcov import VarcompVcov
from tests.support.fits import crosschecked, replicates, shown
from tests.support.grades import graded
from tests.support.processes import says

pytest.importorskip("matplotlib")

from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402

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


def drawn_texts(axis, renderer):
    """Boxes of an axis's labels, those of ticks outside the view left out."""
    low, high = sorted(axis.get_view_interval())
    ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
    return [t.label1.get_window_extent(renderer) for t in ticks if t.label1.get_text()]


@pytest.mark.parametrize("name", graded(PICTURES, SOME))
def test_nothing_is_clipped_and_no_labels_overlap(name):
    figure = PICTURES[name]()
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()
    box = figure.get_tightbbox(renderer)  # of all that is drawn, in inches
    width, height = figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, box
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            boxes = drawn_texts(axis, renderer)
            pairs = zip(boxes, boxes[1:])
            assert not any(one.overlaps(other) for one, other in pairs), ax.get_title(loc="left")


def test_notebooks_show_a_picture():
    assert GLS.varcomp_vcov().plot()._repr_png_().startswith(b"\x89PNG")


def test_methods_without_an_interval_say_so():
    texts = [text.get_text() for ax in SLOPE.plot_varcomp(QUICK).axes for text in ax.texts]
    assert any(text.startswith("none: ") and "synthetic" in text for text in texts)  # no apVar


def test_an_endless_interval_ends_in_an_arrow():
    from rbridge.show.plots import _limits

    rows = [(0.5, 2.0, ""), (0.6, 2.2, ""), (0.1, 1e80, ""), (np.nan, np.nan, "why")]
    assert _limits(1.0, rows) == (0.5, 2.2)
    assert _limits(1.0, rows[3:]) == (0.0, 2.0)


def test_autocorrelation_by_hand():
    codes = np.array([0, 0, 0, 1, 1, 2])
    r = np.array([1.0, 2, 3, -1, 1, 5])
    acf, pairs = autocorrelation(r, codes)
    assert pairs.tolist() == [6, 3, 1]
    np.testing.assert_allclose(acf, np.array([41 / 6, (2 + 6 - 1) / 3, 3.0]) / (41 / 6))


def test_pictures_touch_nothing_global():
    import matplotlib

    before = dict(matplotlib.rcParams)
    known = "matplotlib.pyplot" in sys.modules
    PICTURES["bootstrap"]()
    assert dict(matplotlib.rcParams) == before
    assert known or "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_says_what_to_install():
    code = """
        import sys
        sys.modules["matplotlib"] = sys.modules["matplotlib.figure"] = None
        import rbridge
        try:
            import rbridge.show.plots
        except rbridge.RBridgeError as error:
            print(error)
    """
    assert "pip install matplotlib" in says(code)
