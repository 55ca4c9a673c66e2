"""fixed_effects, test and anova against pbkrtest and lmerTest.

Both stand at lmer's optimum: nlme's fit gets its D, σ and β̂. What is left is rounding for
pbkrtest, lmerTest's finite differences for Satterthwaite; at nlme's own optimum, where each ended.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rbridge.results import LmeResults
from tests.support.second_sources import at_record, fitted, lmer_record, named, near, read

MODELS = named(read("lmer.json")["models"])
METHODS = {"kenward_roger": "kenward-roger", "satterthwaite": "satterthwaite"}
RTOL = 1e-6


@pytest.fixture(scope="module")
def fits() -> dict[str, tuple[LmeResults, LmeResults]]:
    return {}


def both(fits: Any, name: str) -> tuple[LmeResults, LmeResults]:
    """The fit at nlme's optimum and at lmer's."""
    if name not in fits:
        own = fitted(MODELS[name]["spec"])
        fits[name] = own, at_record(own, lmer_record(MODELS[name]))
    found: tuple[LmeResults, LmeResults] = fits[name]
    return found


@pytest.mark.parametrize("name", MODELS)
def test_coefficients(fits: Any, name: str) -> None:
    own, fit = both(fits, name)
    for method, theirs in MODELS[name]["coefficients"].items():
        table = fit.fixed_effects(METHODS[method])
        assert list(table.index) == theirs["coefficient"]
        for column in ("estimate", "se", "df", "t"):
            near(table[column], theirs[column], RTOL)
        near(table["p"], theirs["p"], 1e-5)
        for column in ("se", "df"):
            near(own.fixed_effects(METHODS[method])[column], theirs[column], 1e-3)
    if MODELS[name]["method"] == "REML":
        kr = np.array(MODELS[name]["kr_vcov"])
        near(fit.cov_params("kenward-roger"), kr, RTOL, RTOL * np.abs(kr).max())


@pytest.mark.parametrize("name", MODELS)
def test_hypotheses(fits: Any, name: str) -> None:
    fit = both(fits, name)[1]
    for case in MODELS[name]["hypotheses"]:
        for method in METHODS.keys() & case.keys():
            found, theirs = fit.test(case["L"]["values"], ddf=METHODS[method]), case[method]
            numbers = [found.statistic, found.df_num, found.df_den]
            near(numbers, [theirs["F"], theirs["df_num"], theirs["df_den"]], RTOL)
            near(found.p, theirs["p"], 1e-5)


@pytest.mark.parametrize("kind", ["I", "II", "III"])
@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model["anova"]])
def test_terms(fits: Any, name: str, kind: str) -> None:
    fit = both(fits, name)[1]
    for method, tables in MODELS[name]["anova"].items():
        theirs, table = tables[kind], fit.anova(kind, ddf=METHODS[method])
        table = table.drop(index="(Intercept)", errors="ignore")
        assert list(table.index) == theirs["term"]
        assert list(table["df_num"]) == theirs["df_num"]
        # lmerTest rounds its rows to seven digits; once its type I denies its own type III
        loose = (name, method, kind) == ("oats-split-plot", "satterthwaite", "I")
        near(table["F"], theirs["F"], 5e-4 if loose else RTOL)
        # Satterthwaite's df of several rows depend on how they are written: a model of one term
        # has in lmerTest the rows of type I under every type
        lone = method == "satterthwaite" and len(table) == 1 and kind != "I"
        near(table["df_den"], theirs["df_den"], 2e-3 if lone else RTOL)
