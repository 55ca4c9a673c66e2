"""A small unbalanced trial without R: arms and visits of patients, with the terms of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from rbridge.core.arrays import Array
from rbridge.core.fixed_effects.containment import containment_df
from rbridge.core.snapshot import DesignVariable, FitSnapshot, FixedTerms
from rbridge.core.terms import design_rows
from rbridge.model.spec import lme_spec
from rbridge.results import LmeResults
from tests.support import brute, designs

PATIENTS, ARMS, VISITS = 14, ("A", "B", "C"), ("first", "last")
FORMULA = "y ~ base + arm * visit"


def contrasts(kind: str, k: int) -> Array:
    """R's contr.treatment, contr.sum, contr.helmert, contr.poly, contr.SAS."""
    if kind in ("treatment", "SAS"):
        return np.delete(np.eye(k), 0 if kind == "treatment" else k - 1, axis=1)
    if kind == "sum":
        return np.vstack([np.eye(k - 1), -np.ones(k - 1)])
    if kind == "helmert":
        steps = range(1, k)
        return np.array([[-1.0 if i < j else j * (i == j) for j in steps] for i in range(k)])
    powers = np.vander(np.arange(k) - (k - 1) / 2, k, increasing=True)
    return np.asarray(np.linalg.qr(powers)[0][:, 1:])


def data(seed: int = 3) -> pd.DataFrame:
    """``patient arm visit base y``, some patients without a last visit; the index is not 0, 1, …"""
    rng = np.random.default_rng(seed)
    arm = np.array(ARMS)[[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 1]]
    frame = pd.DataFrame(
        {
            "patient": np.repeat([f"p{i:02}" for i in range(PATIENTS)], 4),
            "arm": np.repeat(arm, 4),
            "visit": np.tile(np.repeat(VISITS, 2), PATIENTS),
            "base": np.repeat(rng.normal(10, 2, PATIENTS), 4),
        }
    )
    effect = frame["arm"].map({"A": 0.0, "B": 1.0, "C": 0.5}) * (frame["visit"] == "last")
    patient = np.repeat(rng.normal(size=PATIENTS), 4)
    frame["y"] = 2 + 0.3 * frame["base"] + effect + patient + rng.normal(size=len(frame))
    frame = frame.drop(index=[2, 3, 7, 18, 19, 30, 46])
    return frame.set_index(frame.index + 100)


def fit(
    coding: str = "treatment",
    method: str = "REML",
    names: Sequence[str] = ("base", "arm", "visit"),
) -> LmeResults:
    """A random intercept for each patient, at the optimum; ``names``: of base, arm and visit."""
    frame, terms = data(), _terms(coding, names)
    return LmeResults(_fitted(frame, terms, method), index=frame.index)


@lru_cache
def _components(method: str) -> tuple[float, float]:
    """Variances that maximise the dense likelihood; they do not depend on the coding of X."""
    frame = data()
    formula = [frame["base"].to_numpy(), *_codes(frame)]
    likelihood = brute.likelihood(_plain(frame, design_rows(_terms("treatment"), formula), method))
    found = minimize(
        lambda x: -likelihood(np.exp(x)),
        np.log([0.3, 1.3]),
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-13},
    )
    return float(np.exp(found.x[0])), float(np.exp(found.x[1]))


def _plain(
    frame: pd.DataFrame, X: Array, method: str, variances: tuple[float, float] = (1.0, 1.0)
) -> FitSnapshot:
    patients = pd.factorize(frame["patient"])[0]
    D = np.array([[variances[0]]])
    level = designs.level(patients, np.ones((len(X), 1)), D, group="patient")
    sigma = float(np.sqrt(variances[1]))
    return designs.fit(X, frame["y"].to_numpy(), [level], sigma=sigma, method=method)


def _codes(frame: pd.DataFrame) -> list[Array]:
    return [pd.Categorical(frame["arm"], ARMS).codes, pd.Categorical(frame["visit"], VISITS).codes]


def _terms(coding: str, names: Sequence[str] = ("base", "arm", "visit")) -> FixedTerms:
    frame, (base, arm, visit) = data(), names
    cells, counts = np.unique(np.column_stack(_codes(frame)), axis=0, return_counts=True)
    variables = (
        DesignVariable(base, (), np.zeros((0, 0)), (base,), 1),
        DesignVariable(arm, ARMS, contrasts(coding, 3), (arm,), 2),
        DesignVariable(visit, VISITS, contrasts(coding, 2), (visit,), 1),
    )
    factors = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1]])
    means = {base: float(frame["base"].mean())}
    labels, assign = (base, arm, visit, f"{arm}:{visit}"), np.array([0, 1, 2, 2, 3, 4, 4])
    return FixedTerms(labels, assign, variables, factors, cells, counts, means)


def _fitted(frame: pd.DataFrame, terms: FixedTerms, method: str) -> FitSnapshot:
    X = design_rows(terms, [frame["base"].to_numpy(), *_codes(frame)])
    plain = _plain(frame, X, method, _components(method))
    A = np.linalg.inv(brute.marginal(plain))
    vcov = np.linalg.inv(X.T @ A @ X)
    base, arm, visit = (variable.name for variable in terms.variables)
    names = ("(Intercept)", base, f"{arm}1", f"{arm}2", f"{visit}1")
    return replace(
        plain,
        coef_names=(*names, f"{arm}1:{visit}1", f"{arm}2:{visit}1"),
        beta=vcov @ X.T @ A @ plain.y,
        vcov=vcov,
        std_error=np.sqrt(np.diag(vcov)),
        df=containment_df(plain, terms.assign).columns,
        terms=terms,
        spec=lme_spec(FORMULA, "~ 1 | patient", method=method).to_dict(),
    )
