"""Fits by nlme that were recorded in tests/reference, as snapshots."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np

from rbridge.core.arrays import Array
from rbridge.core.snapshot import ApVar, ApVarUnavailable, CorStruct, FitSnapshot, VarFunc
from tests.support import designs
from tests.support import synthetic as make
from tests.support.places import RECORDS, REFERENCE

# nlme/*.json: the suite's models, whole ----------------------------------------------------------

RECORDED = sorted(path.stem for path in RECORDS.glob("*.json"))


@lru_cache(maxsize=None)
def recorded(name: str) -> FitSnapshot:
    """The snapshot of a model of the suite."""
    record = json.loads((RECORDS / f"{name}.json").read_text("utf-8"))
    return FitSnapshot.from_dict({key: record[key] for key in ("format", "snapshot")})


# intervals.json: structures, apVar and nlme's intervals; no data ---------------------------------


def _models(file: str) -> dict[str, dict[str, Any]]:
    text = (REFERENCE / file).read_text("utf-8")
    return {model["name"]: model for model in json.loads(text)["models"]}


INTERVALS = _models("intervals.json")
WITH_INTERVALS = [name for name, model in INTERVALS.items() if model["intervals"]]
WITH_APVAR = [name for name, model in INTERVALS.items() if "pars" in model["apvar"]]


def interval_fit(name: str) -> FitSnapshot:
    """The snapshot of one model of ``intervals.json``."""
    model = INTERVALS[name]
    n, levels = model["n"], [_level(item, model["n"]) for item in model["levels"]]
    return make.snapshot(
        *levels,
        n=n,
        cor=make.correlation(**_named(model["cor"]), n=n) if model["cor"] else None,
        var=tuple(make.variance(**_named(item)) for item in model["var"]),
        apvar=_apvar(model["apvar"]),
        **{key: model[key] for key in ("sigma", "method", "fixed_sigma", "p")},
    )


def _level(item: dict[str, Any], n: int) -> Any:
    blocks = [make.block(b["pd_class"], tuple(b["names"]), b["formula"]) for b in item["blocks"]]
    return make.level(item["group"], *blocks, D=item["D"], n=n)


def _named(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "names": tuple(item["names"])}


def _apvar(item: dict[str, Any]) -> ApVar | ApVarUnavailable:
    if "reason" in item:
        return ApVarUnavailable(item["reason"])
    return ApVar(tuple(item["names"]), item["pars"], item["cov"], item["natural"])


# information.json: data, log-likelihood and lmeInfo's matrices -----------------------------------

INFORMATION = _models("information.json")


def information_fit(name: str) -> FitSnapshot:
    """The snapshot of one model of ``information.json``."""
    model = INFORMATION[name]
    levels = []
    for item in model["levels"]:
        block = make.block(item["pd_class"], tuple(np.atleast_1d(item["names"]).tolist()), "")
        arrays = {key: np.array(item[key]) for key in ("Z", "codes", "D")}
        levels.append(make.level(item["group"], block, **arrays))
    X, y = np.array(model["X"]), np.array(model["y"], float)
    var = (_var(model["var"]),) if model["var"] else ()
    return designs.fit(X, y, levels, _cor(model["cor"]), var, model["sigma"], model["method"])


def _cor(item: dict[str, Any]) -> CorStruct | None:
    if not item:
        return None
    return make.correlation(
        item["class"], item["values"], np.array(item["codes"]), item["covariate"]
    )


def _var(item: dict[str, Any]) -> VarFunc:
    covariate, codes = (_array(item, key) for key in ("covariate", "codes"))
    return make.variance(item["class"], item["values"], covariate, codes, item["free"])


def _array(item: dict[str, Any], key: str) -> Array | None:
    return np.array(item[key]) if key in item else None
