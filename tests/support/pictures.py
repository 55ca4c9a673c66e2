"""Every picture drawn of plain tables, hostile ones too, and what must not happen in any."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from rbridge.core.intervals.profile import Curve
from rbridge.show.components import varcomp_forest, vcov_picture
from rbridge.show.diagnostics import diagnostics
from rbridge.show.fixed_effects import forest
from rbridge.show.gaps import crosscheck_gaps
from rbridge.show.groups import interval_panels, pairs_picture
from rbridge.show.means import means_picture
from rbridge.show.profiles import profile_curves
from rbridge.show.quantiles import qq_panels
from rbridge.show.replicates import bootstrap_distributions
from rbridge.show.residuals import residual_panels
from rbridge.show.serial import acf_picture, variogram_picture
from rbridge.show.simulated import p_values_picture
from rbridge.show.trellis import curves

NARROW = 3.3  # inches of a column
LONG = "a treatment with an uncommonly long name, in $ per patient and year"
COMPONENTS = ["Tau.subject.var((Intercept))", "Tau.subject.cov(age,(Intercept))", "sigma_sq"]
CAPTION = "distance ~ age * sex, random ~ age | subject, REML; Kenward–Roger; 95% limits"


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# --- tables -----------------------------------------------------------------------------------


def components(n: int = 3, giant: bool = False) -> pd.DataFrame:
    names = COMPONENTS if n == 3 else [f"{COMPONENTS[0]} of level {k}" for k in range(n)]
    methods = ["Wald, delta", "Wald, expected", "log", "nlme", "profile", "bootstrap-percentile"]
    rows = [
        [name, how, 4.0, 4 - (k + 1) / 2, 4 + (k + 1) * 0.9, ""]
        for name in names
        for k, how in enumerate(methods)
    ]
    table = pd.DataFrame(
        rows, columns=["component", "method", "estimate", "lower", "upper", "note"]
    )
    why = "nlme gave no apVar: non-positive definite approximate variance-covariance"
    table.loc[3, ["lower", "upper", "note"]] = [np.nan, np.nan, why]
    if giant:
        table.loc[4, ["lower", "upper"]] = [1e-8, 1e80]
        table.loc[5, ["lower", "upper"]] = [0.0, np.inf]
    return table


def estimates(names: list[str], giant: bool = False) -> pd.DataFrame:
    center = np.linspace(-1.2, 2.1, len(names))
    table = pd.DataFrame(
        {"estimate": center, "se": 0.4, "lower": center - 0.8, "upper": center + 0.8}, index=names
    )
    if giant:
        table.iloc[-1] = [1200.0, 3e5, -5.9e5, 5.9e5]
    return table


def correlations(names: list[str]) -> pd.DataFrame:
    drawn = rng().normal(size=(len(names) + 3, len(names)))
    return pd.DataFrame(np.corrcoef(drawn, rowvar=False), names, names)


def by_group(names: list[str], giant: bool = False) -> pd.DataFrame:
    center = rng().normal(size=len(names))
    table = pd.DataFrame({"lower": center - 1, "est.": center, "upper": center + 1}, index=names)
    if giant:
        table.loc[names[0]] = [-900.0, 0.3, 900.0]
    return table


def curve(estimate: float, upper: float = np.inf, kind: str = "variance") -> Curve:
    value = estimate * np.exp(np.linspace(-1.2, 1.6, 9))
    zeta = np.log(value / estimate) * 1.9
    return Curve(kind, estimate, value, zeta, -(zeta**2) / 2, value[1], value[-2], 0.95)


def at_zero() -> Curve:
    value = np.array([0.0, 0.01, 0.05, 0.2, 0.5, 1.0, 4.0, 60.0])
    zeta = np.array([-0.4, -0.4, -0.3, 0.0, 0.5, 1.0, 1.8, 2.3])
    return Curve("variance", 0.2, value, zeta, -(zeta**2) / 2, 0.0, 14.0, 0.95, "a bound")


def replicates(n: int) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    names = [*COMPONENTS, "(Intercept)", "age"] if n > 1 else COMPONENTS[:1]
    values = pd.DataFrame(np.exp(0.4 * rng().normal(size=(400, len(names)))), columns=names)
    values.iloc[:120, 0] = 0.0
    values.iloc[0, -1] = 1e7
    ends = pd.DataFrame({"lower": values.quantile(0.025), "upper": values.quantile(0.975)})
    return values, values.median(), ends


def residuals(panels: list[str], levels: list[str] | None = None, n: int = 40) -> pd.DataFrame:
    draw = rng()
    frames = [
        pd.DataFrame(
            {
                "panel": name,
                "x": draw.choice(levels, n) if levels else 20 + 5 * draw.normal(size=n),
                "y": draw.standard_t(4, size=n),
            }
        )
        for name in panels
    ]
    return pd.concat(frames, ignore_index=True)


def predictions(groups: list[str], band: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    x = np.linspace(8, 14, 41)
    parts, rows = [], []
    for k, name in enumerate(groups):
        own = 17 + 0.6 * x + np.sin(x / 2) + k % 5
        part = {"panel": name, "x": x, "population": 17 + 0.6 * x, "prediction": own}
        part |= {"lower": own - 2, "upper": own + 2} if band else {}
        parts.append(pd.DataFrame(part))
        rows.append(pd.DataFrame({"panel": name, "x": x[::10], "y": own[::10] + 0.7}))
    return pd.concat(rows), pd.concat(parts)


def means(factors: dict[str, list], giant: bool = False) -> pd.DataFrame:
    index = pd.MultiIndex.from_product(list(factors.values()), names=list(factors))
    table = index.to_frame(index=False)
    center = 20 + 2 * np.sin(np.linspace(0, 3, len(table))) + np.arange(len(table)) // 25
    table = table.assign(estimate=center, lower=center - 1.2, upper=center + 1.2)
    if giant:
        table.loc[0, ["lower", "upper"]] = [-4e4, 4e4]
    return table


GROUPS30 = [f"S{k:02d}" for k in range(30)]
NESTED = [f"school {k // 3}/class {k % 3} of the {k}th teacher" for k in range(8)]
LONGS = [LONG, "placebo", LONG.replace("a treatment", "another one")]
TOKENS = ["Tau.a_rather_long_name_of_a_group.var(poly(age,3)1)", "sigma_sq", "x" * 60]
LAGS = pd.DataFrame(
    {"lag": range(9), "acf": [1, 0.4, -0.3, 0.2, 0.1, 0, -0.5, 0.2, 0.9], "band": 0.3}
)
DISTANCES = pd.DataFrame(
    {
        "dist": np.arange(1, 21) * 0.7,
        "variogram": 1 - np.exp(-np.arange(1, 21) / 5) + 0.05 * np.sin(np.arange(20)),
        "n_pairs": 200 - 9 * np.arange(20),
    }
)
SIMULATED = np.linspace(0.001, 0.999, 400)
NOMINAL = {"χ²(2)": SIMULATED**0.8, "0.5 χ²(1) + 0.5 χ²(2)": SIMULATED**0.95}
GAPS = {
    "A": ("delta − observed", 0.05),
    "B": ("average − expected", 0.2),
    "C": ("expected − lmeInfo", 1e-6),
}
SIZES = pd.DataFrame({"A": [1e-3, 0.2, 0], "B": [1e-8, 1e-5, 0.1], "C": 0.0}, index=COMPONENTS)
EFFECTS = {f"subject: {name}": rng().normal(size=27) for name in ("(Intercept)", "age")}
FITTED = pd.DataFrame(rng().normal(size=(108, 2)), columns=["fitted", "residual"])
AGES = list(np.linspace(8, 14, 25))

Draw = Callable[[object], object]
PICTURES: dict[str, Draw] = {
    "components": lambda s: varcomp_forest(components(), CAPTION, s),
    "one component": lambda s: varcomp_forest(components(1), CAPTION, s),
    "components, a giant interval": lambda s: varcomp_forest(components(3, True), CAPTION, s),
    "8 components": lambda s: varcomp_forest(components(8, True), CAPTION, s),
    "covariance": lambda s: vcov_picture(
        estimates(COMPONENTS), correlations(COMPONENTS), CAPTION, s
    ),
    "covariance, long names": lambda s: vcov_picture(
        estimates(TOKENS, True), correlations(TOKENS), CAPTION, s
    ),
    "covariance of one": lambda s: vcov_picture(
        estimates(["sigma_sq"]), correlations(["a", "b"]).iloc[:1, :1], CAPTION, s
    ),
    "covariance of 15": lambda s: vcov_picture(
        estimates([f"cor_params{k} = cor(1,{k})" for k in range(15)]),
        correlations(list("abcdefghijklmno")),
        CAPTION,
        s,
    ),
    "fixed effects": lambda s: forest(
        estimates(["age", "sexFemale", "age:sexFemale"]), "distance", CAPTION, figsize=s
    ),
    "fixed effects, hostile": lambda s: forest(
        estimates([*LONGS, "x" * 60, "age"], True), "distance", CAPTION, figsize=s
    ),
    "fixed effects, 30": lambda s: forest(
        estimates([f"visit{k}:arm{k}" for k in range(30)]), "score", CAPTION, figsize=s
    ),
    "caterpillar": lambda s: interval_panels(
        {"(Intercept)": by_group(GROUPS30), "age": by_group(GROUPS30)}, "subject", CAPTION, s
    ),
    "caterpillar, nested, a giant": lambda s: interval_panels(
        {k: by_group(NESTED, True) for k in ("(Intercept)", "poly(time, 2)1", "poly(time, 2)2")},
        "school/class",
        CAPTION,
        s,
        "zero",
    ),
    "caterpillar of 400": lambda s: interval_panels(
        {"(Intercept)": by_group([f"s{k}" for k in range(400)])}, "subject", CAPTION, s
    ),
    "pairs": lambda s: pairs_picture(
        pd.DataFrame(rng().normal(size=(27, 2)), columns=["(Intercept)", "age"]), CAPTION, s
    ),
    "pairs of four, long names": lambda s: pairs_picture(
        pd.DataFrame(rng().normal(size=(27, 4)) * 1e3, columns=["(Intercept)", *LONGS]), CAPTION, s
    ),
    "means": lambda s: means_picture(
        means({"arm": ["placebo", "drug"], "visit": ["1", "2", "3", "4"]}),
        ["visit"],
        ["arm"],
        "score",
        CAPTION,
        figsize=s,
    ),
    "means of one factor": lambda s: means_picture(
        means({"arm": ["placebo", "low", "high"]}), ["arm"], [], "score", CAPTION, figsize=s
    ),
    "means, long levels": lambda s: means_picture(
        means({"arm": LONGS, "sex": ["f", "m"]}, True),
        ["arm"],
        ["sex"],
        "score",
        CAPTION,
        figsize=s,
    ),
    "means, 9 cells": lambda s: means_picture(
        means({"visit": ["1", "2", "3"], "clinic": GROUPS30[:9]}),
        ["visit"],
        ["clinic"],
        "score",
        CAPTION,
        figsize=s,
    ),
    "means, 30 levels": lambda s: means_picture(
        means({"clinic": GROUPS30}), ["clinic"], [], "score", CAPTION, figsize=s
    ),
    "means of a number": lambda s: means_picture(
        means({"sex": ["a long name of a level", "m"], "age": AGES}),
        ["age"],
        ["sex"],
        "distance",
        CAPTION,
        figsize=s,
    ),
    "means at few numbers": lambda s: means_picture(
        means({"sex": ["f", "m"], "age": [8.0, 11.0, 14.0]}),
        ["age"],
        ["sex"],
        "distance",
        CAPTION,
        figsize=s,
    ),
    "predictions": lambda s: curves(
        *predictions(["M01", "F02", "F11"], True), ("age", "distance", "subject"), CAPTION, s
    ),
    "predictions, 30 groups": lambda s: curves(
        *predictions(GROUPS30, False), ("age", "distance", "subject"), CAPTION, s
    ),
    "predictions, nested groups": lambda s: curves(
        *predictions(NESTED, True), ("age", LONG, "class"), CAPTION, s
    ),
    "residuals": lambda s: residual_panels(
        residuals(["all"]), ("fitted", "pearson residual"), CAPTION, figsize=s
    ),
    "residuals by two": lambda s: residual_panels(
        residuals(["f", "m"]), ("fitted", "pearson residual"), CAPTION, figsize=s
    ),
    "residuals by 8": lambda s: residual_panels(
        residuals(NESTED, n=10), ("fitted", "pearson residual"), CAPTION, figsize=s
    ),
    "residuals of a factor": lambda s: residual_panels(
        residuals(["all"], ["f", "m"]), ("sex", "pearson residual"), CAPTION, figsize=s
    ),
    "residuals of 30 levels": lambda s: residual_panels(
        residuals(["all"], GROUPS30, 300), ("subject", "pearson residual"), CAPTION, figsize=s
    ),
    "residuals of long levels": lambda s: residual_panels(
        residuals(["f", "m", LONG], LONGS), ("arm", "pearson residual"), CAPTION, figsize=s
    ),
    "qq": lambda s: qq_panels({"": rng().normal(size=108)}, "residual", CAPTION, figsize=s),
    "qq of two effects": lambda s: qq_panels(EFFECTS, "random effect", CAPTION, figsize=s),
    "qq by 8": lambda s: qq_panels(
        {name: rng().normal(size=9) for name in NESTED}, "residual", CAPTION, figsize=s
    ),
    "diagnostics": lambda s: diagnostics(FITTED, EFFECTS, LAGS, " within subject", CAPTION, s),
    "diagnostics, 8 effects": lambda s: diagnostics(
        FITTED, {f"{LONG}: {k}": rng().normal(size=9) for k in range(8)}, LAGS, "", CAPTION, s
    ),
    "diagnostics of gls": lambda s: diagnostics(FITTED, {}, LAGS.iloc[:0], "", CAPTION, s),
    "acf": lambda s: acf_picture(LAGS, CAPTION, figsize=s),
    "variogram": lambda s: variogram_picture(
        DISTANCES, "distance in x and y", 1.0, CAPTION, figsize=s
    ),
    "profile": lambda s: profile_curves(
        {COMPONENTS[0]: curve(3.3), COMPONENTS[1]: curve(0.2), "sigma_sq": at_zero()},
        0.95,
        CAPTION,
        s,
    ),
    "profile of one": lambda s: profile_curves({TOKENS[0]: curve(3.3)}, 0.95, CAPTION, s),
    "bootstrap": lambda s: bootstrap_distributions(*replicates(5), CAPTION, s),
    "bootstrap of one": lambda s: bootstrap_distributions(*replicates(1), CAPTION, s),
    "simulated ratio": lambda s: p_values_picture(SIMULATED, NOMINAL, 0.031, CAPTION, figsize=s),
    "cross-check": lambda s: crosscheck_gaps(SIZES, GAPS, CAPTION, s),
    "cross-check without C": lambda s: crosscheck_gaps(
        SIZES.drop(columns="C").set_axis(TOKENS), GAPS, CAPTION, s
    ),
}


# --- what must not happen -----------------------------------------------------------------------


def texts(figure) -> list[Text]:
    """Every text that is seen: ticks outside of the view, and those switched off, are not."""
    found = [*figure.texts]
    found += [each for each in (figure._suptitle, figure._supxlabel, figure._supylabel) if each]
    for ax in figure.axes:
        found += [*ax.texts, ax.title, ax._left_title, ax._right_title]
        found += ax.get_legend().get_texts() if ax.get_legend() else []
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            margin = 1e-6 * (high - low)
            ticks = [
                tick
                for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
                if low - margin <= tick.get_loc() <= high + margin and tick.label1.get_visible()
            ]
            found += [axis.label, axis.offsetText, *(tick.label1 for tick in ticks)]
    seen = {id(text): text for text in found if text.get_visible() and text.get_text().strip()}
    return list(seen.values())


def faults(figure) -> list[str]:
    """Texts that overlap, or that the edge of the figure cuts."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(figure)]
    width, height = canvas.get_width_height()
    found = [
        f"cut: {text!r}"
        for text, box in boxes
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > width + 0.5 or box.y1 > height + 0.5
    ]
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > 1 and down > 1:
            found.append(f"overlap: {one!r} and {other!r}")
    return found
