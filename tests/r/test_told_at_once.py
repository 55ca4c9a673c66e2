"""A fit that is no maximum says so when it is made; the optimum itself is the second source."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import ConvergenceWarning, RWarning

SHORT = "nlme stopped before the optimum"


@pytest.mark.parametrize("away", [300, 1e4, 1e5])
def test_a_covariate_far_from_zero(orthodont: pd.DataFrame, away: float, r: Any) -> None:
    far = orthodont.assign(age=orthodont.age + away)
    best = rb.lme("distance ~ age", orthodont, "~ age | subject")
    with pytest.warns(ConvergenceWarning, match=SHORT) as caught:
        fit = rb.lme("distance ~ age", far, "~ age | subject")
    assert caught[-1].filename == __file__
    assert f"can be {best.llf - fit.llf:.2g} higher" in str(caught[-1].message)
    found = {finding.code for finding in fit.diagnose()}
    assert "gradient" in found and "boundary" not in found


def test_what_is_at_the_optimum_is_not_spoken_of(orthodont: pd.DataFrame, r: Any) -> None:
    nothing = orthodont.assign(
        distance=orthodont.distance
        - orthodont.groupby("subject", observed=True).distance.transform("mean")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rb.lme("distance ~ age", orthodont, "~ age | subject")
        at_zero = rb.lme("distance ~ age", nothing, "~ 1 | subject")
    assert at_zero.snapshot.levels[0].D[0, 0] < 1e-6  # on the boundary, which is the optimum


def test_each_of_many_says_it_in_its_row(orthodont: pd.DataFrame, r: Any) -> None:
    far = orthodont.assign(age=orthodont.age + 300)
    how: dict[str, Any] = {"random": "~ age | subject", "by": "sex", "progress": False}
    with pytest.warns(ConvergenceWarning, match="2 of 2 fits stopped before the optimum"):
        short = rb.lme_many("distance ~ age", far, **how)
    best = rb.lme_many("distance ~ age", orthodont, **how)
    below = short.llf < best.llf - 0.01
    assert below.any() and short.warnings.str.contains(SHORT).tolist() == below.tolist()
    assert (best.warnings == "").all()


@pytest.mark.filterwarnings(f"ignore:{SHORT}")
def test_a_comparison_with_what_is_no_maximum_says_so(orthodont: pd.DataFrame, r: Any) -> None:
    far = orthodont.assign(age=orthodont.age + 300)
    small, large = (rb.lme("distance ~ age", far, f"~ {what} | subject") for what in ("1", "age"))
    best = rb.lme("distance ~ age", orthodont, "~ age | subject")
    row = rb.compare(small, large).iloc[1]
    told = f"the larger model stands {best.llf - large.llf:.2g} below the maximum"
    assert row["L.Ratio"] < 2 * (best.llf - small.llf) - 1 and told in row["note"]
    with pytest.warns(RWarning, match=told):
        rb.simulated_lrt(small, large, 2, engine="native", progress=False)
    assert large.intervals(methods=["profile"]).note.str.contains("the fit stands").all()
    near = rb.lme("distance ~ age", orthodont, "~ 1 | subject")
    assert rb.compare(near, best).iloc[1]["note"] == ""


@pytest.mark.parametrize("seed", [14, 20, 24])
def test_variances_of_zero_are_an_optimum(seed: int, r: Any) -> None:
    """No scatter between groups but of chance: the likelihood is that of the model without them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": np.repeat(range(8), 6), "x": np.tile(np.arange(6.0), 8)})
    frame["y"] = 1 + 0.2 * frame.x + rng.normal(size=48)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        fits = [rb.lme("y ~ x", frame, f"~ {what} | g", engine="native") for what in ("x", "1")]
    for fit in fits:
        assert fit.llf == pytest.approx(rb.gls("y ~ x", frame).llf, abs=1e-9)
        assert "gradient" not in {finding.code for finding in fit.diagnose()}


def test_an_effect_that_repeats_another_adds_nothing(orthodont: pd.DataFrame, r: Any) -> None:
    twice = orthodont.assign(months=orthodont.age * 12)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        once = rb.lme("distance ~ age", twice, "~ age | subject")
        again = rb.lme("distance ~ age", twice, "~ age + months | subject")
    assert again.llf == pytest.approx(once.llf, abs=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("away", [1e4, 1e5, 1e6])
def test_pinned_is_never_the_lower(orthodont: pd.DataFrame, away: float, r: Any) -> None:
    far = orthodont.assign(age=orthodont.age + away)
    pinned, nlme = (
        rb.lme("distance ~ age", far, "~ age | subject", engine=engine)
        for engine in ("pinned", "nlme")
    )
    assert pinned.llf >= nlme.llf and pinned.converged


def test_a_time_whose_unit_is_too_small(orthodont: pd.DataFrame, r: Any) -> None:
    days = orthodont.assign(day=orthodont.age * 365)
    with pytest.warns(ConvergenceWarning, match="730 apart: nlme cannot leave its start there"):
        stuck = rb.gls("distance ~ age", days, correlation=rb.corCAR1(form="~ day | subject"))
    best = rb.gls("distance ~ age", days, correlation=rb.corCAR1(form="~ age | subject"))
    assert stuck.llf < best.llf - 1
    start = 0.5 ** (1 / 730)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        correlation = rb.corCAR1(start, form="~ day | subject")
        mended = rb.gls("distance ~ age", days, correlation=correlation)
    assert mended.llf == pytest.approx(best.llf, abs=1e-5)


def test_an_empty_cell_under_singular_ok(orthodont: pd.DataFrame, r: Any) -> None:
    """nlme's correlation stays where it started; the same model by cells has an optimum."""
    some = orthodont[~((orthodont.sex == "Female") & (orthodont.age == 14))]
    some = some.assign(visit="v" + some.age.astype(int).astype(str))
    some["cell"] = some.sex.astype(str) + some.visit
    within = rb.corCompSymm(form="~ 1 | subject")
    with pytest.warns(ConvergenceWarning, match="under singular.ok nlme may not leave"):
        fit = rb.gls(
            "distance ~ sex * visit", some, correlation=within, control={"singular.ok": True}
        )
    assert fit.llf < rb.gls("distance ~ cell - 1", some, correlation=within).llf - 1


def test_a_search_that_found_no_optimum_is_not_held(r: Any) -> None:
    """A δ for each stratum, far from the covariate's zero: R's own search is the better one."""
    rng = np.random.default_rng(21)
    u, x, group = rng.uniform(-1, 1, 180), rng.normal(size=180), np.repeat(np.arange(30), 6)
    intercept, noise = 0.7 * rng.normal(size=30)[group], rng.normal(size=180)
    frame = pd.DataFrame({"x": x, "g": [f"G{i:02d}" for i in group], "v": 75 + u})
    frame["y"] = 2 + x + intercept + 0.5 * (1 + 0.2 * u) ** 3 * noise
    frame["k"] = np.where(np.arange(180) % 2 == 0, "A", "B")
    how: dict[str, Any] = {"random": "~ 1 | g", "weights": "varExp(form = ~ v | k)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        held = rb.lme("y ~ x", frame, engine="pinned", **how)
        nlme = rb.lme("y ~ x", frame, **how)
        native = rb.lme("y ~ x", frame, engine="native", **how)
    assert held.llf > nlme.llf - 1e-6
    assert native.llf > nlme.llf - 1e-6 or not native.converged
    if not native.converged:
        told = f"the search here {SHORT[5:]}, the log-likelihood can be"
        assert told in str(native.diagnose()) and "nlme stopped" not in str(native.diagnose())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [0, 2, 14])
def test_the_highest_of_several_maxima_counts_also_at_a_kink(seed: int, r: Any) -> None:
    """corLin: its likelihood has kinks, at which no slope tells that the search is done."""
    rng = np.random.default_rng(seed)
    g, k = np.repeat(np.arange(7), 6), np.tile(np.arange(6), 7)
    e = np.zeros(42)
    for i in range(42):
        e[i] = (0 if i % 6 == 0 else 0.8 * e[i - 1]) + 0.6 * rng.normal()
    t = k + rng.uniform(0, 0.3, 42)
    kept = rng.random(42) > 0.15
    frame = pd.DataFrame({"g": g, "t": t, "k": k, "y": 1 + 0.2 * t + e})[kept]
    nlme, pinned, native = (
        rb.gls("y ~ k", frame, correlation="corLin(form = ~ t | g)", engine=engine)
        for engine in ("nlme", "pinned", "native")
    )
    assert native.llf > nlme.llf - 1e-5 and pinned.llf > nlme.llf - 1e-5
