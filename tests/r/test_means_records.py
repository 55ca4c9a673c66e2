"""Marginal means and contrasts against emmeans, at the optimum of the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.analysis.means import MarginalMeans
from rbridge.core.residuals import standard_deviations
from rbridge.results import LmeResults
from tests.support.grades import graded
from tests.support.second_sources import at_record, fitted, lmer_record, named, near, read

RECORD = read("means.json")
MODELS, LMER = named(RECORD["models"]), named(read("lmer.json")["models"])
# df.error of a gls is n − p less the structure's parameters; nlme's own df are n − p
DDF = {"asymptotic": "normal", "df.error": "containment"}
HOW = {
    "pairwise": "pairwise",
    "trt.vs.ctrl": "reference",
    "consec": "consecutive",
    "poly": "polynomial",
}
SAME = ("none", "bonferroni", "holm", "tukey")
Case = tuple[dict[str, Any], str, dict[str, Any]]


def cases() -> Iterator[Any]:
    for number, grid in enumerate(RECORD["grids"]):
        for mode, answer in grid["ddf"].items():
            name = f"{number} {grid['model']} {'+'.join(grid['factors'])} {mode}"
            yield pytest.param((grid, mode, answer), id=name)


CASES = list(cases())


def test_there_are_enough() -> None:
    families = sum(len(answer["contrasts"]) for (_, _, answer), in (c.values for c in CASES))
    assert len(CASES) >= 20 and families >= 20


@pytest.fixture(scope="module")
def fits() -> dict[str, LmeResults]:
    return {}


def fit_of(fits: dict[str, LmeResults], name: str) -> LmeResults:
    if name not in fits:
        record = MODELS[name]
        at = lmer_record(LMER[record["record"]]) if "record" in record else record
        fits[name] = at_record(fitted(record["spec"]), at)
        if name == "fev":
            fits[name] = counted(fits[name])
    return fits[name]


def counted(fit: LmeResults) -> LmeResults:
    """With each row of a gls counted as 1/s_i, as emmeans counts them."""
    terms, snapshot = fit.snapshot.terms, fit.snapshot
    assert terms is not None
    data = rb.datasets.load("fev").iloc[snapshot.rows]
    factors = [v for v in terms.variables if v.levels]
    codes = [pd.Categorical(data[v.columns[0]].astype(str), v.levels).codes for v in factors]
    cells, cell = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    counts = np.bincount(cell.ravel(), 1 / standard_deviations(snapshot))
    moved = replace(terms, cells=cells, counts=counts)
    return LmeResults(replace(snapshot, terms=moved), fit.in_r("a test"), fit.row_labels)


def means_of(fits: dict[str, LmeResults], case: Case) -> MarginalMeans:
    grid, mode, _ = case
    options = {"by": grid["by"], "at": grid["at"] or {}, "weights": grid["weights"]}
    fit = fit_of(fits, grid["model"])
    # the last of ours varies fastest, the first of emmeans'
    return fit.means(grid["factors"][::-1], ddf=DDF.get(mode, mode), **options)


def key(*values: Any) -> tuple[Any, ...]:
    """Labels that compare: emmeans writes numbers as text."""
    return tuple(_number(value) for value in values)


def _number(value: Any) -> Any:
    try:
        return float(value)
    except ValueError:
        return value


def in_order(frame: pd.DataFrame, theirs: Mapping[str, Any], labels: list[str]) -> pd.DataFrame:
    """Our rows in the order of theirs."""
    mine = {key(*row): i for i, row in enumerate(frame[labels].itertuples(index=False, name=None))}
    return frame.iloc[[mine[key(*row)] for row in zip(*(theirs[name] for name in labels))]]


def columns_of(mode: str) -> tuple[str, ...]:
    return ("estimate", "se") + (() if mode == "df.error" else ("df", "lower", "upper"))


@pytest.mark.parametrize("case", CASES)
def test_means(fits: Any, case: Case) -> None:
    grid, mode, answer = case
    theirs = answer["means"]["table"]
    frame = in_order(means_of(fits, case).to_frame(), theirs, [*grid["factors"], *grid["by"]])
    for column in columns_of(mode):
        near(frame[column], theirs[column], 1e-8)
    if mode == "df.error":  # nlme's n − p
        snapshot = fits[grid["model"]].snapshot
        assert set(frame["df"]) == {float(snapshot.n - len(snapshot.beta))}


WITH_CONTRASTS = {c.id: c.values[0] for c in CASES if c.values[0][2]["contrasts"]}


@pytest.mark.parametrize("name", graded(WITH_CONTRASTS, list(WITH_CONTRASTS)[::2]))
def test_contrasts(fits: Any, name: str) -> None:
    case = WITH_CONTRASTS[name]
    _, mode, answer = case
    means = means_of(fits, case)
    for family in answer["contrasts"]:
        how = HOW.get(family["how"], family.get("custom"))
        options = {"how": how, "reference": reference_of(means, family)}
        ours, theirs = means.contrasts(**options), family["table"]
        whole = len(ours) == len(theirs["estimate"])
        if not whole:  # emmeans was asked for the first of the polynomials
            ours = ours[ours["contrast"].isin(theirs["contrast"])]
        for column in columns_of(mode):
            near(ours[column], theirs[column], 1e-8, 1e-12)
        if whole:
            check_p(means, options, family["p"], 1e-5 if mode == "df.error" else 1e-8)


def reference_of(means: MarginalMeans, family: Mapping[str, Any]) -> Any:
    place = (family.get("options") or {}).get("ref")
    return None if place is None else means.grid.iloc[place - 1, 0]


def check_p(means: MarginalMeans, options: Any, theirs: Mapping[str, Any], exact: float) -> None:
    for adjust, p in theirs.items():
        if adjust in SAME:
            near(means.contrasts(adjust=adjust, **options)["p"], p, 0, exact)
        elif adjust in ("mvt", "joint_to_1e_5"):  # emmeans draws at random, to some 1e-3
            ours = means.contrasts(adjust="mvt", **options)
            whole = (ours["df"] % 1 == 0).all()  # or emmeans rounds the df
            near(ours["p"], p, 0, 1e-3 if whole else 2e-3)
