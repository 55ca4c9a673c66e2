"""Models of ``tests/reference/fixed_effects``, fitted here and set to the optimum of the record."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rbridge.api import fit_spec
from rbridge.core.snapshot import CorStruct, RandomLevel, VarFunc
from rbridge.datasets.sources import load_data
from rbridge.model.spec import ModelSpec, gls_spec, lme_spec
from rbridge.model.structure_text import as_structure
from rbridge.model.structures import pdBlocked
from rbridge.results import LmeResults
from tests.support.places import REFERENCE

ARGUMENTS = ("correlation", "weights", "method", "contrasts", "control")


def read(name: str) -> dict[str, Any]:
    """One file of second sources."""
    data: dict[str, Any] = json.loads((REFERENCE / "fixed_effects" / name).read_text("utf-8"))
    return data


def named(items: Any) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in items}


def fitted(spec: Mapping[str, Any]) -> LmeResults:
    """The model of a record's ``spec``, fitted by nlme; R's warnings stay in the result."""
    data = load_data(spec["data"], Path("."), tuple(spec.get("category", ())))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_spec(model(spec), data.drop(index=spec.get("omit", [])))


def model(spec: Mapping[str, Any]) -> ModelSpec:
    options = {key: spec[key] for key in ARGUMENTS if key in spec}
    if "random" in spec:
        return lme_spec(spec["fixed"], _random(spec["random"]), **options)
    return gls_spec(spec["fixed"], **options)


def _random(random: Any) -> Any:
    """As :func:`rbridge.lme` takes it: a record holds the blocks of a pdBlocked as R's text."""
    if isinstance(random, str):
        return random
    return {
        group: pdBlocked([as_structure(text, "pdMat", group) for text in value["blocks"]])
        if isinstance(value, dict)
        else value
        for group, value in random.items()
    }


def at_record(fit: LmeResults, record: Mapping[str, Any]) -> LmeResults:
    """The fit with the estimates of the record, of which its own differ by where they stopped.

    ``record``: ``coef_names beta vcov sigma levels cor var``, as a record of a fit has them. The
    coefficients and the random effects are checked by name.
    """
    own = fit.snapshot
    assert list(own.coef_names) == record["coef_names"]
    vcov = np.array(record["vcov"])
    parts = {
        "levels": tuple(map(_level, own.levels, record.get("levels", []))),
        "cor": _cor(own.cor, record.get("cor")),
        "var": tuple(map(_var, own.var, record.get("var", []))),
    }
    assert len(parts["levels"]) == len(own.levels) and len(parts["var"]) == len(own.var)
    se = own.std_error * np.sqrt(np.diag(vcov) / np.diag(own.vcov))  # with ML's factor, if any
    numbers = {"beta": np.array(record["beta"]), "vcov": vcov, "std_error": se}
    moved = replace(own, sigma=record["sigma"], **numbers, **parts)
    return LmeResults(moved, fit.in_r("a test"), fit.row_labels)


def _level(level: RandomLevel, record: Mapping[str, Any]) -> RandomLevel:
    assert list(level.names) == record["names"]
    return replace(level, D=np.array(record["D"], float).reshape(level.D.shape))


def _cor(cor: CorStruct | None, record: Mapping[str, Any] | None) -> CorStruct | None:
    assert (cor is None) == (record is None)
    return cor and replace(cor, values=np.array(record["values"], float))  # type: ignore[index]


def _var(var: VarFunc, record: Mapping[str, Any]) -> VarFunc:
    """By the names of the strata; without strata there is one value."""
    values = dict(zip(record["names"], record["values"]))
    if len(var.names) == 1:
        return replace(var, values=np.array(record["values"], float))
    return replace(var, values=np.array([values[name] for name in var.names], float))


def lmer_record(item: Mapping[str, Any]) -> dict[str, Any]:
    """lmer's optimum, as :func:`at_record` takes it."""
    return {**item["lmer"], "levels": item["lmer"]["design"]["levels"]}


def mmrm_record(item: Mapping[str, Any], fit: LmeResults) -> dict[str, Any]:
    """mmrm's optimum in the parameters of the gls fit, as :func:`at_record` takes it."""
    own, R = fit.snapshot, np.array(item["correlation"])
    sd = dict(zip(item["visits"]["rows"], item["sd"]))
    strata = own.var[0].strata if own.var else tuple(sd)[:1]
    assert own.cor is not None
    rho = R[np.triu_indices(len(R), 1)] if own.cor.cor_class == "corSymm" else R[0, 1:2]
    var = {"names": strata, "values": [sd[name] / sd[strata[0]] for name in strata]}
    return {
        "coef_names": item["coef_names"],
        "beta": item["beta"],
        "vcov": item["model_vcov"],
        "sigma": sd[strata[0]],
        "cor": {"values": rho},
        "var": [var] if own.var else [],
    }


def near(ours: Any, theirs: Any, rtol: float, atol: float = 0.0) -> None:
    """Equal to so much; a record's ``None`` is infinity."""
    plain = np.array(theirs, dtype=object)
    expected = np.where(plain == None, np.inf, plain).astype(float)  # noqa: E711
    np.testing.assert_allclose(np.asarray(ours, float), expected, rtol=rtol, atol=atol)
