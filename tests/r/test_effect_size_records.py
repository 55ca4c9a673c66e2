"""effect_size against lmeInfo's g_mlm and CI_g, at the optimum of the record."""

from __future__ import annotations

from typing import Any

import pytest

from rbridge.results import LmeResults
from tests.support.second_sources import at_record, fitted, named, near, read

RECORD = read("effect_size.json")
MODELS = named(RECORD["models"])
EFFECTS = [
    pytest.param(effect, id=f"{number} {effect['model']}")
    for number, effect in enumerate(RECORD["effects"])
]


@pytest.fixture(scope="module")
def fits() -> dict[str, LmeResults]:
    return {name: at_record(fitted(record["spec"]), record) for name, record in MODELS.items()}


@pytest.mark.parametrize("effect", EFFECTS)
def test_g_and_its_limits(fits: Any, effect: dict[str, Any]) -> None:
    fit, scale = fits[effect["model"]], fits[effect["denominator"]]
    separate = effect["separate_variances"]
    p, r = (
        dict(zip(names, effect[w]))
        for names, w in (
            (fit.params.index, "p"),
            (scale.varcomp_vcov(separate_variances=separate).estimates.index, "r"),
        )
    )
    found = fit.effect_size(p, r, scale, effect["information"], separate_variances=separate)
    numbers = [found.g, found.se, found.df, found.estimate.delta, found.estimate.kappa]
    near(numbers, [effect[key] for key in ("g", "se", "df", "delta", "kappa")], 1e-8)
    for limits in effect["intervals"]:
        if limits["at_bound"]:  # lmeInfo stops at a noncentrality of 35
            continue
        ours = found.conf_int(limits["level"], limits["method"])
        near(ours, [limits["lower"], limits["upper"]], 1e-8)
