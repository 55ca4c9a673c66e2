"""Every picture, hostile ones too, at its own size and in a narrow column: texts can be read."""

import numpy as np
import pytest

from tests.support.grades import graded

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure  # noqa: E402

from rbridge.show import canvas, intervals, lines, style  # noqa: E402
from rbridge.show.fixed_effects import forest  # noqa: E402
from rbridge.show.means import means_picture  # noqa: E402
from rbridge.show.quantiles import qq_panels  # noqa: E402
from rbridge.show.residuals import residual_panels  # noqa: E402
from rbridge.show.serial import acf_picture  # noqa: E402
from tests.support.pictures import (  # noqa: E402
    CAPTION,
    GROUPS30,
    LAGS,
    LONG,
    NARROW,
    PICTURES,
    at_zero,
    estimates,
    faults,
    means,
    residuals,
    texts,
)

SOME = (
    *("components", "covariance, long names", "fixed effects, hostile", "means", "qq"),
    *("caterpillar, nested, a giant", "means, long levels", "predictions", "residuals of a factor"),
    *("residuals by two", "acf", "profile of one", "bootstrap of one", "cross-check without C"),
)
ONCE = {  # large ones, at one of the sizes
    **dict.fromkeys(("predictions, 30 groups", "diagnostics, 8 effects", "means, 9 cells"), None),
    **dict.fromkeys(("8 components", "pairs of four, long names", "qq by 8"), NARROW),
}


@pytest.mark.parametrize("name", graded(PICTURES, SOME))
def test_no_text_is_cut_or_on_another(name):
    for figsize in [ONCE[name]] if name in ONCE else [None, NARROW]:
        figure = PICTURES[name](figsize)
        assert faults(figure) == [], figsize
        if figsize:
            assert figure.get_figwidth() == NARROW
        assert 1 <= figure.get_figheight() < 30 and len(texts(figure)) > 3


def test_what_is_wrong_is_seen():
    figure = Figure(figsize=(3, 2))
    ax = figure.subplots()
    ax.set_xticks([0, 0.1], ["one long name", "another long name"])
    ax.set_xlim(0, 1)
    ax.text(0.9, 0.5, "goes on beyond the edge")
    ax.text(2, 0.5, "clean")
    found = "\n".join(faults(figure))
    assert "overlap: 'one long name' and 'another long name'" in found
    assert "cut: 'goes on beyond the edge'" in found
    figure.axes[0].set_xticks([])
    ax.texts[0].remove()
    assert faults(figure) == ["cut: 'clean'"]


def test_one_colour_and_no_markers_but_points_and_arrows():
    for name in ("components, a giant interval", "fixed effects", "qq", "residuals", "profile"):
        drawn = [line for ax in PICTURES[name](None).axes for line in ax.lines]
        assert {line.get_marker() for line in drawn} <= {"None", "o", "<", ">"}
        allowed = (style.INK, style.QUIET, style.FAINT, style.ACCENT)
        assert {line.get_color() for line in drawn} <= set(allowed), name


def test_a_giant_interval_does_not_squeeze_the_rest():
    ends = np.array([[0.5, 2.0], [0.6, 2.2], [0.1, 1e80], [np.nan, np.nan], [0, np.inf]])
    assert intervals.limits(ends, 1.0) == (0.5, 2.2)
    assert intervals.limits(ends[3:4], 1.0) == (0.0, 2.0)
    assert intervals.limits(np.array([[0, 1], [99, 101]]), np.array([0.5, 100])) == (0, 101)
    spread = np.array([[0.0, 1], [1, 2], [2, 3], [5e3, 5e3 + 1]])
    assert intervals.limits(spread, spread.mean(axis=1)) == (0, 3)


def test_texts_are_wrapped_to_what_they_measure():
    text = "Tau.a_rather_long_name_of_a_group.var(poly(age,3)1) and some words more"
    found = style.wrap(text, 1.0, 8).split("\n")
    assert len(found) > 3 and all(style.inches(line, 8) <= 1.0 for line in found)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert style.wrap("a $ sign", 2) == r"a \$ sign"
    short = style.cut(text, 1.0, 8)
    assert short.endswith(" …") and style.inches(short, 8) <= 1.0 and style.cut("x", 1) == "x"


def test_names_are_moved_apart_as_little_as_need_be():
    found = style.spread([0.5, 0.1, 0.52, 0.9], 0.1)
    np.testing.assert_allclose(found, [0.46, 0.1, 0.56, 0.9])
    np.testing.assert_allclose(style.spread([1.0, 1.0, 1.0], 0.2), [0.8, 1.0, 1.2])


def test_a_profile_is_a_smooth_line_through_its_points():
    curve = at_zero()
    x, zeta = lines.smooth(curve.value, curve.zeta)
    assert len(x) > 150 and (np.diff(x) > 0).all() and (np.diff(zeta) >= 0).all()
    np.testing.assert_allclose(np.interp(curve.value, x, zeta), curve.zeta, atol=1e-12)


@pytest.mark.parametrize("figsize", [0, -1, "wide", (3,), (3, 4, 5), float("nan")])
def test_a_size_that_is_none(figsize):
    from rbridge.errors import SpecError

    with pytest.raises(SpecError, match="figsize is"):
        canvas.width_of(figsize, 5)


def test_several_pictures_share_a_callers_figure():
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(2, 3).flat
    names = {"visit": ["1", "2"], "arm": ["a", "b"]}
    acf_picture(LAGS, CAPTION, next(axes))
    forest(estimates(["age", LONG]), "distance", CAPTION, next(axes))
    means_picture(means(names), ["visit"], ["arm"], "score", CAPTION, next(axes))
    means_picture(means({"arm": GROUPS30[:9]}), ["arm"], [], "score", CAPTION, next(axes))
    residual_panels(residuals(["all"], ["f", "m"]), ("sex", "residual"), CAPTION, next(axes))
    qq_panels({"": np.arange(9.0)}, "residual", CAPTION, next(axes))
    assert faults(figure) == []
    assert all(ax.get_title(loc="left").startswith("distance ~") for ax in figure.axes)
