"""What the pictures of a fit show, against nlme's augPred and the tables they are drawn of."""

import numpy as np
import pytest

import rbridge as rb
from rbridge.analysis.pictures import POINTS

pytest.importorskip("matplotlib")

from tests.support.pictures import faults  # noqa: E402


@pytest.fixture(scope="module")
def fit(orthodont):
    return rb.lme("distance ~ age * sex", orthodont, "~ age | subject")


@pytest.fixture(scope="module")
def pixel():
    pixels = rb.datasets.load("pixel")
    return rb.lme("pixel ~ day + I(day^2)", pixels, {"dog": "~ day", "side": "~ 1"})


def test_predictions_are_those_of_augpred(fit, ask_r):
    names = fit.in_r("a test").design.names
    token = names.value["age"]
    code = (
        f"x <- nlme::augPred(m, primary = ~ {token}, length.out = {POINTS}, level = 0:1); "
        "x <- x[x$.type != 'original', ]; x[[3]]"
    )
    theirs = np.reshape(ask_r(code, fit), (2, 27, POINTS))
    order = [
        names.back(label)
        for label in ask_r(code.replace("x[[3]]", "unique(as.character(x$.groups))"), fit)
    ]
    figure = fit.plot_predictions("age")
    panels = {ax.get_title(loc="left"): ax for ax in figure.axes}
    assert len(panels) == 27 and not faults(figure)
    for k, subject in enumerate(order):
        population, own, observed = panels[subject].lines
        np.testing.assert_allclose(population.get_ydata(), theirs[0, k], rtol=1e-9)
        np.testing.assert_allclose(own.get_ydata(), theirs[1, k], rtol=1e-9)
        assert len(observed.get_ydata()) == 4


def test_pairs_of_random_effects(fit):
    figure = fit.plot_pairs()
    drawn = figure.axes[0].lines[0]
    np.testing.assert_allclose(np.c_[drawn.get_xdata(), drawn.get_ydata()], fit.ranef())
    r = np.corrcoef(fit.ranef(), rowvar=False)[0, 1]
    shown = figure.axes[0].get_title(loc="right")
    assert shown == f"r = {r:.2f}".replace("-", "−") and not faults(figure)


def test_some_groups_with_a_band(fit):
    figure = fit.plot_predictions("age", "prediction", groups=["M01", "F02"], figsize=(5, 3))
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["M01", "F02"] and list(figure.get_size_inches()) == [5, 3]
    assert all(len(ax.collections) == 1 for ax in figure.axes)


def test_nested_groups_have_a_panel_each(pixel):
    figure = pixel.plot_predictions("day", groups=["1/L", "10/R"])
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["1/L", "10/R"]
    assert not faults(pixel.plot_random_effects("dog"))
    assert not faults(pixel.plot_random_effects())


def test_fixed_effects_are_drawn_as_in_their_table(fit):
    figure = fit.plot_fixed_effects(ddf="satterthwaite")
    table = fit.fixed_effects("satterthwaite").drop(index="(Intercept)")
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), table.estimate)
    ends = np.array([segment[:, 0] for segment in ax.collections[0].get_segments()])
    np.testing.assert_allclose(ends, table[["lower", "upper"]])
    assert not faults(figure)


@pytest.mark.parametrize(
    "formula, panels",
    [
        ("pearson ~ fitted | sex", 2),
        ("normalized ~ age", 1),
        ("response ~ sex", 1),
        ("pearson ~ fitted | sex/subject", 27),
    ],
)
def test_residuals_by_a_formula(fit, formula, panels):
    figure = fit.plot_residuals(formula)
    assert len(figure.axes) == panels and not faults(figure)
    if "sex" not in formula:
        expected = fit.residuals("normalized")
        np.testing.assert_allclose(np.sort(figure.axes[0].lines[1].get_ydata()), np.sort(expected))


def test_residuals_by_a_factor_keep_the_order_of_its_levels(fit):
    figure = fit.plot_residuals("pearson ~ sex")
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == list(fit._data.sex.cat.categories) == ["Male", "Female"]


def test_normal_quantiles_by_a_formula(fit, pixel):
    by_sex = fit.plot_qq("~ pearson | sex")
    for ax, sex in zip(by_sex.axes, ["Male", "Female"]):
        own = fit.residuals("pearson")[fit._data.sex == sex]
        np.testing.assert_allclose(ax.lines[-1].get_ydata(), np.sort(own))
        assert ax.get_title(loc="left") == sex
    effects = pixel.plot_qq("~ ranef", figsize=3.4)
    titles = [ax.get_title(loc="left") for ax in effects.axes]
    assert titles == ["dog: (Intercept)", "dog: day", "side: (Intercept)"]
    assert not faults(by_sex) and not faults(effects)


def test_means_over_a_number_are_a_curve_with_a_band(fit):
    means = fit.means("age", by="sex", at={"age": list(np.linspace(8, 14, 25))})
    ax = means.plot().axes[0]
    table = means.to_frame()
    for line, sex in zip(ax.lines, ["Male", "Female"]):
        np.testing.assert_allclose(line.get_ydata(), table[table.sex == sex].estimate)
    assert len(ax.collections) == 2 and [text.get_text() for text in ax.texts] == ["Male", "Female"]


def test_into_the_callers_axes(fit):
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert fit.plot_residuals(ax=left) is figure and fit.plot_fixed_effects(ax=right) is figure
    assert left.lines and right.lines
    lines = rb.lm_list("distance ~ age", fit._data, "subject")
    assert not faults(lines.plot()) and not faults(lines.pairs())
    assert not faults(fit.acf().plot()) and not faults(fit.variogram().plot())


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda fit: fit.plot_predictions("sex"), "by must be a numeric column"),
        (lambda fit: fit.plot_predictions("agee"), "did you mean 'age'"),
        (lambda fit: fit.plot_predictions("age", groups=["M99"]), "there is no"),
        (lambda fit: fit.plot_predictions("age", "tolerance"), "interval must be"),
        (
            lambda fit: fit.plot_qq("~ fitted"),
            "alone stands response, pearson, normalized or ranef",
        ),
        (lambda fit: fit.plot_qq("~ ranef | sex"), "random effects have no panels"),
        (lambda fit: fit.plot_qq("y ~ pearson"), "on the right alone stands"),
        (lambda fit: fit.plot_diagnostics(figsize="big"), "figsize is"),
        (lambda fit: fit.plot_residuals("raw ~ fitted"), "on the left stands response, pearson"),
        (lambda fit: fit.plot_residuals("pearson ~ log(age)"), "on the right stands fitted"),
        (lambda fit: fit.plot_residuals("pearson ~ size"), "no column 'size'"),
        (lambda fit: fit.plot_fixed_effects(ax=1), "ax must be a matplotlib Axes"),
        (lambda fit: fit.plot_random_effects(coverage=2), "level must lie between 0 and 1"),
        (lambda fit: fit.update("~ age").plot_random_effects("dog"), "level must be one of"),
    ],
)
def test_what_cannot_be_is_one_sentence(fit, call, words):
    with pytest.raises(rb.RBridgeError, match=words):
        call(fit)
