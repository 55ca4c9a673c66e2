"""Fits by a live nlme against clubSandwich's record and against published figures."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import rbridge as rb
from rbridge.core.engine.contractions import contract
from rbridge.core.fixed_effects.estimable import type_three
from rbridge.core.fixed_effects.inference import Inference, inference
from rbridge.core.snapshot import FitSnapshot, VarFunc
from tests.support.places import REFERENCE

TIGHT = {"tolerance": 1e-10, "msTol": 1e-12, "msMaxIter": 500, "maxIter": 500}


def read(name: str) -> Any:
    return json.loads((REFERENCE / "fixed_effects" / name).read_text("utf-8"))


def fitted(spec: dict[str, Any], **more: Any) -> Any:
    """The model of a record."""
    spec = dict(spec)
    data, fixed = rb.datasets.load(spec.pop("data")), spec.pop("fixed")
    data = data.drop(index=data.index[spec.pop("omit", [])])
    for name in spec.pop("category", []):
        data[name] = data[name].astype("category")
    return (rb.lme if "random" in spec else rb.gls)(fixed, data, **spec, **more)


# clubSandwich ------------------------------------------------------------------------------------

ROBUST = {model["name"]: model for model in read("cluster_robust.json")["models"]}


def placed(fit: FitSnapshot, model: dict[str, Any]) -> FitSnapshot:
    """The fit at the recorded parameters."""
    levels = tuple(
        replace(level, D=np.array(item["D"], float).reshape(level.D.shape))
        for level, item in zip(fit.levels, model["levels"])
    )
    cor = fit.cor and replace(fit.cor, values=np.array(model["cor"]["values"], float))
    var = tuple(_var(v, item) for v, item in zip(fit.var, model["var"]))
    where = {"levels": levels, "cor": cor, "var": var, "sigma": model["sigma"]}
    return replace(fit, beta=np.array(model["beta"]), vcov=np.array(model["vcov"]), **where)


def _var(var: VarFunc, item: dict[str, Any]) -> VarFunc:
    by_name = dict(zip(item["names"], item["values"]))
    values = [by_name[name] for name in var.strata] if var.strata else item["values"]
    return replace(var, values=np.array(values, float))


@pytest.mark.parametrize("name", ROBUST)
def test_cluster_robust_is_clubsandwich(name: str) -> None:
    model = ROBUST[name]
    fit = placed(fitted(model["spec"]).snapshot, model)
    assert list(fit.coef_names) == model["coef_names"]
    forms = contract(fit)
    for kind, theirs in model["robust"].items():
        asked = inference(fit, forms, vcov=kind)
        vcov = np.array(theirs["vcov"]["values"])
        np.testing.assert_allclose(asked.vcov, vcov, rtol=1e-8, atol=1e-9 * np.abs(vcov).max())
        rows = asked.rows(np.eye(len(fit.beta)))
        np.testing.assert_allclose(rows.df, theirs["coefficients"]["df"], rtol=1e-8)
        for case in theirs["hypotheses"]:
            test = asked.test(case["L"]["values"])
            np.testing.assert_allclose(
                [test.statistic, test.df_den], [case["F"], case["df_den"]], rtol=1e-8
            )


# Published figures -------------------------------------------------------------------------------

PUBLISHED = {figure["id"]: figure for figure in read("published.json")["figures"]}
ONE_ROW = [name for name, figure in PUBLISHED.items() if "rows" in figure and "spec" in figure]


def asked_as(figure: dict[str, Any], fit: Any, **other: Any) -> Inference:
    options = {key: figure[key] for key in ("information", "kr") if key in figure}
    return inference(fit.snapshot, fit.forms, figure["ddf"], **{**options, **other})


def row_of(figure: dict[str, Any], fit: Any) -> np.ndarray[Any, Any]:
    names = list(fit.snapshot.coef_names)
    row = np.zeros(len(names))
    for name, weight in figure["rows"].items():
        row[names.index(name)] = weight
    return row


def limits(figure: dict[str, Any], asked: Inference, row: Any) -> list[float]:
    """In percent, for figures of bioequivalence."""
    lower, upper = asked.rows(row).limits(figure.get("level", 0.95))
    ends = [float(lower[0]), float(upper[0])]
    return [100 * float(np.exp(end)) for end in ends] if "100 exp" in figure["contrast"] else ends


@pytest.mark.parametrize("name", ONE_ROW)
def test_published_contrasts(name: str) -> None:
    """SAS stops early: its standard errors are off by 2e-4 here, its df by 4e-4."""
    figure = PUBLISHED[name]
    fit = fitted(figure["spec"], control=TIGHT)
    asked, row, figures = asked_as(figure, fit), row_of(figure, fit), figure["figures"]
    rows = asked.rows(row)
    found = {"se": rows.se[0], "df": rows.df[0], "t": rows.t[0]}
    for key in found.keys() & figures.keys():
        assert found[key] == pytest.approx(figures[key], rel=5e-4), key
    ends = limits(figure, asked, row)
    assert ends == pytest.approx([figures["lower"], figures["upper"]], rel=1e-4)
    if "with_expected_information" in figure:
        other = figure["with_expected_information"]
        ends = limits(figure, asked_as(figure, fit, information="expected"), row)
        assert ends == pytest.approx([other["lower"], other["upper"]], abs=6e-3)


def test_sas_type_three() -> None:
    """F to the digits printed, df rounded as SAS rounds them."""
    figure = PUBLISHED["sas-satterthwaite-us-reml"]
    fit = fitted(figure["spec"], control=TIGHT)
    asked, theirs = asked_as(figure, fit), figure["figures"]["type_III"]
    found = {h.label: asked.test(h.L) for h in type_three(fit.snapshot.terms)}
    for term, F, df in zip(theirs["term"], theirs["F"], theirs["df_den"]):
        assert found[term].statistic == pytest.approx(F, abs=0.0075)
        assert round(found[term].df_den) == df
