"""What cannot be: each is one sentence that names the argument or column, and never a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import DataError, SpecError
from tests.support import trial

NAN = float("nan")
Call = Callable[[Any], Any]
COLUMN = trial.data()["patient"]
EYE = np.eye(7)


def one_missing() -> pd.Series:
    return COLUMN.where(np.arange(len(COLUMN)) != 5)


HYPOTHESES: list[tuple[Any, str]] = [
    ("", "end of the hypothesis"),
    ("   ", "end of the hypothesis"),
    ("basis = 0", "did you mean 'base'"),
    ("base = ", "end of the hypothesis"),
    ("base = 0,", "end of the hypothesis"),
    ("base * arm1 = 0", "not linear"),
    ("base^2 = 0", "no coefficient"),
    ("1 = 0", "row 0 of the hypothesis is zero"),
    ("base - base = 0", "row 0 of the hypothesis is zero"),
    ("base = 0, base = 1", "contradict"),
    ("arm1 = 0, arm2 = 0, arm1 + arm2 = 1", "contradict"),
    ("base = 1e999", "not finite"),
    ("base == 0", "no linear hypothesis"),
    ("base > 0", "'>'"),
    ("(" * 500 + "base", "brackets"),
    ({"bse": 1.0}, "did you mean"),
    ({"base": NAN}, "not finite"),
    ({"base": "one"}, "weights of the coefficients"),
    ({}, "zero"),
    ({3: 1.0}, "no coefficient '3'"),
    (pd.DataFrame({"base": ["a"]}), "weights of the coefficients"),
    (pd.DataFrame([[1.0, 2.0]], columns=["base", "base"]), "twice"),
    (pd.DataFrame({"base": []}), "at least one row"),
    (np.ones(6), "7 columns"),
    (np.ones((2, 3, 7)), "7 columns"),
    (np.zeros((2, 7)), "row 0 of the hypothesis is zero"),
    (np.vstack([EYE[1], 0 * EYE[1]]), "row 1 of the hypothesis is zero"),
    (np.full((1, 7), np.inf), "not finite"),
    (np.zeros((0, 7)), "at least one row"),
    (None, "7 columns"),
    (3.5, "7 columns"),
    (["base", "arm1"], "weights of the coefficients"),
    ([[1, 2], [3]], "weights of the coefficients"),
    (object(), "weights of the coefficients"),
]

OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"ddf": "kr"}, "ddf must be one of"),
    ({"ddf": "Kenward-Roger"}, "ddf must be one of"),
    ({"ddf": 5}, "ddf must be one of"),
    ({"ddf": ["normal"]}, "ddf must be one of"),
    ({"information": "average"}, "information must be one of"),
    ({"information": 1}, "information must be one of"),
    ({"information": "observed", "ddf": "normal"}, "information is for"),
    ({"information": "observed", "vcov": "CR2"}, "information is for"),
    ({"kr": "none"}, "kr must be one of"),
    ({"kr": "full", "ddf": "satterthwaite"}, "kr='full' is for"),
    ({"vcov": "CR1"}, "vcov must be one of"),
    ({"vcov": None}, "vcov must be one of"),
    ({"vcov": "CR2", "ddf": "kenward-roger"}, "use ddf='satterthwaite'"),
    ({"cluster": "patient"}, "cluster is for vcov"),
    ({"vcov": "CR2", "cluster": "arm"}, r"cluster=data\['arm'\]"),
    ({"vcov": "CR2", "cluster": ["a", "b"]}, "each of the 49 rows"),
    ({"vcov": "CR2", "cluster": COLUMN[:-1]}, "each of the 49 rows"),
    ({"vcov": "CR2", "cluster": [*COLUMN, "p1"]}, "each of the 49 rows"),
    ({"vcov": "CR2", "cluster": 5}, "each of the 49 rows"),
    ({"vcov": "CR2", "cluster": COLUMN.to_frame()}, "each of the 49 rows"),
    ({"vcov": "CR2", "cluster": one_missing()}, "1 missing value"),
    ({"vcov": "CR2", "cluster": COLUMN.reset_index(drop=True)}, "index of cluster"),
    ({"vcov": "CR2", "cluster": np.arange(49)}, "cut across the groups"),
    ({"vcov": "CR2", "cluster": trial.data()["visit"]}, "cut across the groups"),
    ({"vcov": "CR2", "cluster": np.zeros(49)}, "two clusters or more"),
]

MEANS: list[tuple[dict[str, Any], str]] = [
    ({"factors": "arn"}, "did you mean 'arm'"),
    ({"factors": ["arm", "site"]}, "no column 'site'"),
    ({"factors": []}, "means needs the column"),
    ({"factors": ""}, "no column ''"),
    ({"factors": 3}, "means takes the name of a column"),
    ({"factors": None}, "means takes the name of a column"),
    ({"factors": [3]}, "means takes the name of a column"),
    ({"factors": ["arm", "arm"]}, "twice"),
    ({"factors": "arm", "by": "arm"}, "twice"),
    ({"factors": "arm", "by": ["visit", "visit"]}, "twice"),
    ({"factors": "arm", "by": 3}, "by takes the name of a column"),
    ({"factors": "arm", "by": "site"}, "no column 'site'"),
    ({"factors": "y"}, "no column 'y'"),
    ({"factors": "arm", "weights": "none"}, "weights must be one of"),
    ({"factors": "arm", "weights": None}, "weights must be one of"),
    ({"factors": "arm", "at": {"site": [1]}}, "no column 'site'"),
    ({"factors": "arm", "at": {"arm": ["D"]}}, "'D' is no level of 'arm'"),
    ({"factors": "arm", "at": {"arm": "a"}}, "'a' is no level of 'arm'"),
    ({"factors": "arm", "at": {"arm": 1}}, "1 is no level of 'arm'"),
    ({"factors": "arm", "at": {"arm": []}}, "no value of 'arm'"),
    ({"factors": "arm", "at": {"arm": None}}, "missing value of 'arm'"),
    ({"factors": "arm", "at": {"arm": ["A", NAN]}}, "missing value of 'arm'"),
    ({"factors": "arm", "at": {"arm": ["A", "A"]}}, "twice"),
    ({"factors": "arm", "at": {"base": NAN}}, "missing value of 'base'"),
    ({"factors": "arm", "at": {"base": np.inf}}, "not finite"),
    ({"factors": "arm", "at": {"base": "ten"}}, "'base' is a number"),
    ({"factors": "arm", "at": {"base": [1, 1.0]}}, "twice"),
    ({"factors": "arm", "at": {"base": 1j}}, "'base' is a number"),
    ({"factors": "arm", "at": ["base"]}, "at takes a mapping"),
    ({"factors": "arm", "level": 0}, "level must lie between 0 and 1"),
    ({"factors": "arm", "level": 95}, "level must lie between 0 and 1"),
    ({"factors": "arm", "level": "95%"}, "level must lie between 0 and 1"),
    ({"factors": "arm", "level": NAN}, "level must lie between 0 and 1"),
    ({"factors": "arm", "ddf": "kr"}, "ddf must be one of"),
]

CONTRASTS: list[tuple[dict[str, Any], str]] = [
    ({"how": "all"}, "how must be one of"),
    ({"how": None}, "a finite weight for each of 3 means"),
    ({"how": 3}, "a finite weight for each of 3 means"),
    ({"how": [1, -1]}, "a finite weight for each of 3 means: A, B, C"),
    ({"how": [[1, -1, NAN]]}, "a finite weight"),
    ({"how": [[1, -1, 0], [1]]}, "a finite weight"),
    ({"how": ["a", "b", "c"]}, "a finite weight"),
    ({"how": {"x": [1, 2]}}, "a finite weight"),
    ({"how": {}}, "a finite weight"),
    ({"how": []}, "a finite weight"),
    ({"how": [[0, 0, 0]]}, "row 0 of the hypothesis is zero"),
    ({"how": pd.DataFrame([[1, -1, 0]], columns=["A", "B", "D"])}, "a finite weight"),
    ({"adjust": "scheffe"}, "adjust must be one of"),
    ({"adjust": None}, "adjust must be one of"),
    ({"how": "consecutive", "adjust": "tukey"}, "tukey' is for how='pairwise'"),
    ({"how": [[1, -1, 0]], "adjust": "tukey"}, "tukey' is for how='pairwise'"),
    ({"how": "pairwise", "adjust": "dunnett"}, "dunnett' is for how='reference'"),
    ({"how": "reference", "reference": "D"}, "'D' is none of the means"),
    ({"how": "reference", "reference": 2}, "2 is none of the means"),
    ({"how": "pairwise", "reference": "A"}, "reference is for how='reference'"),
    ({"level": 1}, "level must lie between 0 and 1"),
    ({"level": "0.9"}, "level must lie between 0 and 1"),
]

OTHERS: list[tuple[Call, str]] = [
    (lambda fit: fit.fixed_effects(level=1.5), "level must lie between 0 and 1"),
    (lambda fit: fit.fixed_effects(level=-0.1), "level must lie between 0 and 1"),
    (lambda fit: fit.fixed_effects(level="a"), "level must lie between 0 and 1"),
    (lambda fit: fit.anova("IV"), "type must be"),
    (lambda fit: fit.anova(3), "type must be"),
    (lambda fit: fit.anova(None), "type must be"),
    (lambda fit: fit.cov_params("HC3"), "kind must be"),
    (lambda fit: fit.cov_params("CR2", vcov="CR3"), "says already what vcov is"),
    (lambda fit: fit.cov_params(cluster="patient"), "only with a kind"),
    (lambda fit: fit.joint_cov("average"), "information must be"),
    (lambda fit: fit.means("arm", at={"arm": "A"}).contrasts(), "one mean only"),
    (lambda fit: fit.predict(interval="both"), "interval must be"),
    (lambda fit: fit.predict(interval="confidence", coverage=2), "coverage must lie"),
    (lambda fit: fit.predict(interval="confidence", coverage="x"), "coverage must lie"),
    (lambda fit: fit.predict(interval="confidence", level=2), "level must be one of"),
    (lambda fit: fit.predict(interval="confidence", level="arm"), "level must be one of"),
    (lambda fit: fit.predict(interval="confidence", conditional=True), "is for new rows"),
    (lambda fit: fit.predict(trial.data(), interval="confidence"), "needs the fit in R"),
    (lambda fit: fit.predict(interval="confidence", ddf="kr"), "ddf must be one of"),
    (lambda fit: fit.effect_size([1], [1, 1]), "p has 1 weights for 7"),
    (lambda fit: fit.effect_size({"arn1": 1}, [1, 1]), "there is no 'arn1'"),
    (lambda fit: fit.effect_size({"arm1": 1}, {"sigma": 1}), "there is no 'sigma'"),
    (lambda fit: fit.effect_size("arm1", [1, 1]), "p takes a number for each of"),
    (lambda fit: fit.effect_size({"arm1": 1}, [0, 0]), "must be a positive variance"),
    (lambda fit: fit.effect_size({"arm1": 1}, [1, -1]), "must be a positive variance"),
    (lambda fit: fit.effect_size({}, [1, 1]), "p is zero"),
    (lambda fit: fit.effect_size({"arm1": NAN}, [1, 1]), "not finite"),
    (lambda fit: fit.effect_size({"arm1": 1}, [1, 1], "other"), "denominator must be a fit"),
    (lambda fit: fit.effect_size({"arm1": 1}, [1, 1], information="delta"), "information must"),
    (lambda fit: rb.pool([fit]), "two or more fits, not 1"),
    (lambda fit: rb.pool([]), "two or more fits, not 0"),
    (lambda fit: rb.pool(fit), "takes a list of two or more fits"),
    (lambda fit: rb.pool([fit, 3]), "number 2 is a int"),
    (lambda fit: rb.pool([fit, trial.fit(method="ML")]), "fit 2 is of another model"),
    (lambda fit: rb.pool([fit, fit]).test("bass = 0"), "did you mean 'base'"),
    (lambda fit: rb.pool([fit, fit]).fixed_effects(level=3), "level must lie"),
]


@pytest.fixture(scope="module")
def fit() -> Any:
    return trial.fit()


def refuses(call: Callable[[], Any], said: str) -> None:
    """One line of a few words, with these among them."""
    with pytest.raises((SpecError, DataError), match=said) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(("hypothesis", "said"), HYPOTHESES)
def test_hypotheses(fit: Any, hypothesis: Any, said: str) -> None:
    refuses(lambda: fit.test(hypothesis), said)


@pytest.mark.parametrize(("options", "said"), OPTIONS)
def test_options(fit: Any, options: Any, said: str) -> None:
    refuses(lambda: fit.fixed_effects(**options), said)
    refuses(lambda: fit.test("base = 0", **options), said)
    refuses(lambda: fit.anova(**options), said)
    refuses(lambda: fit.means("arm", **options), said)


@pytest.mark.parametrize(("arguments", "said"), MEANS)
def test_means(fit: Any, arguments: Any, said: str) -> None:
    refuses(lambda: fit.means(**arguments), said)


@pytest.mark.parametrize(("arguments", "said"), CONTRASTS)
def test_contrasts(fit: Any, arguments: Any, said: str) -> None:
    means = fit.means("arm", ddf="normal")
    refuses(lambda: means.contrasts(**arguments), said)


@pytest.mark.parametrize(("call", "said"), OTHERS)
def test_others(fit: Any, call: Call, said: str) -> None:
    refuses(lambda: call(fit), said)


def test_kenward_roger_is_of_reml() -> None:
    fit = trial.fit(method="ML")
    for call in (fit.fixed_effects, fit.anova, lambda: fit.test("base"), lambda: fit.means("arm")):
        refuses(call, "refit with method='REML', or use ddf='satterthwaite'")


def test_more_rows_than_clusters(fit: Any) -> None:
    few = COLUMN.map(lambda name: name < "p07")
    refuses(lambda: fit.test(EYE[:3], vcov="CR2", cluster=few), "3 rows .* with 2 clusters")


def test_there_are_enough() -> None:
    assert sum(map(len, (HYPOTHESES, OPTIONS, MEANS, CONTRASTS, OTHERS))) >= 100
