"""Every picture is drawn, nothing lies outside the figure or on a neighbour's label; no R."""

import subprocess
import sys
from dataclasses import replace

import designs
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402

from rbridge.many.bootstrap import Bootstrap, Replicate, estimates_of  # noqa: E402
from rbridge.core.residuals import autocorrelation  # noqa: E402
from rbridge.check.crosscheck import Crosscheck  # noqa: E402
from rbridge.check.findings import Finding  # noqa: E402
from rbridge.show.plots import varcomp_forest  # noqa: E402
from rbridge.results import LmeResults, VarcompVcov  # noqa: E402


def fitted(levels, cor=None, var=()):
    snapshot = designs.fit(designs.X, designs.Y, levels, cor, var)
    fitted = np.repeat((designs.X @ snapshot.beta)[:, None], 1 + len(levels), axis=1)
    rng = np.random.default_rng(0)
    levels = tuple(replace(level, b=rng.normal(size=level.b.shape)) for level in snapshot.levels)
    return LmeResults(replace(snapshot, spec={"fixed": "y ~ t + x"}, fitted=fitted, levels=levels))


SLOPE = fitted(designs.LEVELS["slope"], designs.CORRELATIONS["AR1"], designs.VARIANCES["Power"])
NESTED = fitted(designs.LEVELS["nested"])
GLS = fitted(())


def replicates(fit):
    estimates = estimates_of(fit.snapshot).to_numpy()
    rng = np.random.default_rng(1)
    drawn = estimates * np.exp(0.3 * rng.normal(size=(300, len(estimates))))
    return Bootstrap(fit.snapshot, [*map(Replicate, drawn), Replicate(None, "no", (), 1)], 301, 1)


def check(fit, missing=()):
    table = pd.DataFrame({"estimate": fit.varcomp, "A": 1e-3, "B": 0.2, "C": 0.0})
    title = "y ~ " + " + ".join(f"x{i}" for i in range(40))
    findings = (Finding("C", "ok", 0.0, "they agree"),)
    return Crosscheck(title, table.drop(columns=[*missing]), findings, {})


QUICK = ["delta", "expected", "average", "observed", "log", "satterthwaite", "nlme"]
REFITS = ["expected", "bootstrap-percentile", "bootstrap-basic"]
PICTURES = {
    "forest": lambda: varcomp_forest(SLOPE, QUICK),
    "forest with refits": lambda: SLOPE.plot_varcomp(REFITS, 0.9, replicates(SLOPE)),
    "forest of nested levels": lambda: NESTED.plot_varcomp(["delta", "expected", "log"]),
    "forest of one": lambda: GLS.plot_varcomp(),
    "profile": lambda: GLS.profile().plot(),
    "covariance": lambda: NESTED.varcomp_vcov().plot(),
    "covariance of one": lambda: GLS.varcomp_vcov().plot(),
    "covariance of long names": lambda: long_names().plot(),
    "cross-check": lambda: check(SLOPE).plot(),
    "cross-check without A": lambda: check(GLS, ["A"]).plot(),
    "bootstrap": lambda: replicates(SLOPE).plot(),
    "bootstrap of one": lambda: replicates(GLS).plot(0.9, kind="basic"),
    "diagnostics": lambda: SLOPE.plot_diagnostics(),
    "diagnostics of nested levels": lambda: NESTED.plot_diagnostics(),
    "diagnostics of gls": lambda: GLS.plot_diagnostics(),
}


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


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_clipped_and_no_labels_overlap(name):
    figure = PICTURES[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    box = figure.get_tightbbox(renderer)  # of all that is drawn, in inches
    width, height = figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, box
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            boxes = drawn_texts(axis, renderer)
            pairs = zip(boxes, boxes[1:])
            assert not any(one.overlaps(other) for one, other in pairs), ax.get_title(loc="left")
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_methods_without_an_interval_say_so():
    texts = [text.get_text() for ax in varcomp_forest(SLOPE, QUICK).axes for text in ax.texts]
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
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.figure'] = None\n"
        "import rbridge\ntry:\n    import rbridge.show.plots\n"
        "except rbridge.RBridgeError as e:\n    print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install matplotlib" in done.stdout
