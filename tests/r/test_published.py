"""Figures as others have published them, each through the public calls.

A printed figure is met to half a unit of its last digit. SAS stops its iterations early, which
moves its estimates by up to 1e-3 and its df by up to 0.07 (between it and mmrm at the optimum too;
−2 log L agrees to 2e-5): so much more is allowed where its figures have more digits than that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.repeated import MmrmResults
from rbridge.results import LmeResults
from tests.support.second_sources import fitted, near, read

FIGURES = {item["id"]: item for item in read("published.json")["figures"]}
MMRM = {
    "unstructured": "us",
    "compound symmetry": "cs",
    "heterogeneous compound symmetry": "csh",
    "AR(1)": "ar1",
    "heterogeneous AR(1)": "ar1h",
}
STOPPED_EARLY = {"estimate": 2e-4, "se": 2e-4, "df": 0.07, "t": 1e-3, "p": 1e-7}


def of_kind(start: str) -> list[Any]:
    return [pytest.param(item, id=name) for name, item in FIGURES.items() if name.startswith(start)]


def mmrm(item: dict[str, Any]) -> MmrmResults:
    options = {"covariance": MMRM[item["covariance"]], "method": item["spec"]["method"]}
    data = rb.datasets.load("fev")
    return rb.mmrm(item["spec"]["fixed"], data, subject="usubjid", visit="avisit", **options)


def printed(ours: Any, theirs: list[Any], more: float = 0.0) -> None:
    """Equal to half a unit of the last printed digit, and ``more``; '<.0001' is what it says."""
    for mine, figure in zip(np.asarray(ours, float), theirs, strict=True):
        text = str(figure)
        if text.startswith("<"):
            assert mine < float(text[1:])
            continue
        mantissa, _, exponent = text.partition("e")
        decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
        reach = 0.501 * 10.0**-decimals + more * max(1.0, abs(mine) / 20)
        assert abs(mine - float(text)) <= reach, (mine, figure)


# SAS on fev_data ---------------------------------------------------------------------------------


@pytest.mark.parametrize("item", of_kind("sas-kr-"))
def test_sas_kenward_roger(item: dict[str, Any]) -> None:
    fit: LmeResults = mmrm(item) if item["covariance"] in MMRM else fitted(item["spec"])
    options = {key: item[key] for key in ("ddf", "information", "kr")}
    row = fit.fixed_effects(**options).loc["armcdTRT"]
    for name, figure in item["figures"].items():
        near(row[name], figure, 0, STOPPED_EARLY.get(name, 4e-4))


@pytest.mark.parametrize("item", of_kind("sas-satterthwaite-"))
def test_sas_satterthwaite(item: dict[str, Any]) -> None:
    fit, figures = mmrm(item), item["figures"]
    near(-2 * fit.llf, figures["minus_two_log_lik"], 0, 2e-5)
    table = fit.fixed_effects("satterthwaite")
    check_table(table, figures["coefficients"], "coefficient")
    check_table(fit.anova("III", ddf="satterthwaite"), figures["type_III"], "term", "df_num")
    if "covariance" in figures:
        ours = fit.cov_visits.loc[figures["covariance"]["names"], figures["covariance"]["names"]]
        near(ours, figures["covariance"]["values"], 2e-3, 0.01)  # where SAS stopped


def check_table(ours: pd.DataFrame, theirs: dict[str, Any], by: str, *exact: str) -> None:
    rows = ours.loc[theirs[by]]
    for name in exact:
        assert list(rows[name]) == theirs[name]
    for name, figures in theirs.items():
        if name not in (by, *exact):
            more = {"df": 0.07, "df_den": 0.07, "p": 3e-4}.get(name, 1e-3)
            printed(rows[name], figures, more)


def test_sas_means_and_their_differences() -> None:
    item = FIGURES["sas-satterthwaite-us-reml"]
    fit, figures = mmrm(item), item["figures"]
    means = fit.means(["avisit", "armcd"], ddf="satterthwaite")
    labels = ["avisit", "armcd"]
    table = means.to_frame().set_index(labels)
    theirs = dict(figures["means"], cell=list(zip(*(figures["means"][name] for name in labels))))
    check_table(table, {k: v for k, v in theirs.items() if k not in labels}, "cell")
    place = {row: i for i, row in enumerate(table.index)}
    differences = figures["differences"]
    C = np.zeros((len(differences["first"]), len(table)))
    for row, (first, second) in enumerate(zip(differences["first"], differences["second"])):
        C[row, place[tuple(first)]], C[row, place[tuple(second)]] = 1, -1
    ours = means.contrasts(C)
    for name in ("estimate", "se", "df", "t", "p", "lower", "upper"):
        printed(ours[name], differences[name], 0.07 if name == "df" else 1e-3)


def test_the_readme_of_mmrm() -> None:
    item = FIGURES["mmrm-readme"]
    fit, figures = mmrm({**item, "covariance": "unstructured"}), item["figures"]
    subjects = fit.snapshot.cor.codes.max() + 1  # type: ignore[union-attr]
    assert [fit.nobs, subjects] == [figures["observations"], figures["subjects"]]
    printed([-2 * fit.llf, fit.llf], [figures["deviance"], figures["log_lik"]], 0.01)
    table = fit.fixed_effects("satterthwaite").loc[figures["coefficients"]["coefficient"]]
    for name, more in (("estimate", 5e-4), ("se", 2e-4), ("df", 0.02), ("t", 1e-3)):
        printed(table[name], figures["coefficients"][name], more)
    near(fit.cov_visits, figures["covariance"]["values"], 1e-3, 0.01)  # where mmrm stopped


# Others ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("information", ["expected", "observed"])
def test_student_sleep_is_the_paired_t_test(information: str) -> None:
    sleep, figures = rb.datasets.load("sleep"), FIGURES["sleep-paired"]["figures"]
    fit = rb.mmrm("extra ~ group", sleep, subject="id", visit="group")
    row = fit.fixed_effects(information=information).iloc[1]
    # nlme's optimum; the exact SE is the t-test's wherever it stops
    for name, figure in figures.items():
        near(row[name], figure, 1e-5)


@pytest.mark.parametrize("item", of_kind("ema-method-"))
def test_bioequivalence(item: dict[str, Any]) -> None:
    options = {key: item[key] for key in ("ddf", "information", "level") if key in item}
    row = fitted(item["spec"]).fixed_effects(**options).loc["treatmentT"]
    ours = dict(100 * np.exp(row[["estimate", "lower", "upper"]]), df=row["df"])
    printed([ours[name] for name in item["figures"]], [*item["figures"].values()], 2e-5)
    if expected := item.get("with_expected_information"):
        options["information"] = "expected"
        row = fitted(item["spec"]).fixed_effects(**options).loc["treatmentT"]
        printed(100 * np.exp([row["lower"], row["upper"]]), [*expected.values()])


@pytest.mark.parametrize("item", of_kind("potthoff-roy-"))
def test_potthoff_and_roy(item: dict[str, Any]) -> None:
    if "spec" in item:
        fit: LmeResults = fitted(item["spec"])
    else:  # over four visits an AR(3) is any Toeplitz matrix
        data = rb.datasets.load("orthodont").assign(visit=lambda d: d["age"])
        options = {"subject": "subject", "visit": "visit", "method": "ML"}
        fit = rb.mmrm("distance ~ sex * age", data, covariance="toeplitz", **options)
    printed([-2 * fit.llf], [item["figures"]["minus_two_log_lik"]])


@pytest.mark.parametrize("ddf", ["containment", "kenward-roger", "satterthwaite"])
def test_the_split_plot_of_stroup(ddf: str) -> None:
    """Balanced: every method has the df of the analysis of variance."""
    item = FIGURES["stroup-split-plot"]
    data, figures = pd.DataFrame(item["table"]), item["figures"]
    fit = rb.lme(item["spec"]["fixed"], data, item["spec"]["random"])
    printed(fit.varcomp, [*figures["variance"].values()], 5e-4)  # where nlme stopped
    theirs = figures["type_III"]
    table = fit.anova("III", ddf=ddf).loc[theirs["term"]]
    assert list(table["df_num"]) == theirs["df_num"]
    near(table["df_den"], theirs["df_den"], 1e-4)
    printed(table["F"], theirs["F"])
    printed(table["p"], theirs["p"])


@pytest.mark.parametrize("kind", ["I", "II", "III"])
@pytest.mark.parametrize("coding", ["contr.treatment", "contr.sum", "contr.helmert"])
def test_an_unbalanced_two_way_layout(kind: str, coding: str) -> None:
    """Least squares, as SAS's GLM prints it, whatever the contrasts."""
    item = FIGURES["kutner-two-way"]
    data, theirs = pd.DataFrame(item["table"]), item["figures"][f"type_{kind}"]
    contrasts = {"drug": coding, "disease": coding}
    fit = rb.gls(item["spec"]["fixed"], data, contrasts=contrasts)
    error = item["figures"]["error"]
    printed([fit.scale], [error["mean_square"]])
    table = fit.anova(kind, ddf="residual").loc[theirs["term"]]
    assert list(table["df_num"]) == theirs["df_num"] and set(table["df_den"]) == {error["df"]}
    printed(table["F"] * table["df_num"] * fit.scale, theirs["sum_of_squares"])
    printed(table["F"], theirs["F"])
    printed(table["p"], theirs["p"])
