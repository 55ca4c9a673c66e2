"""predict(interval=): rows held out, against the conditional normal distribution of all rows.

V of all rows is written out here from the estimates, with the fit's own D, σ, φ and strata.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import rbridge as rb
from rbridge.errors import DataError, RWarning
from rbridge.results import LmeResults
from tests.support.bridging import in_r

Matrix = Any


@dataclass
class Held:
    """A fit to the rows kept; X of all rows, covariances of each level's part and of the error."""

    fit: LmeResults
    data: pd.DataFrame
    out: pd.Series
    X: Matrix
    parts: Sequence[Matrix]
    error: Matrix

    @property
    def new(self) -> pd.DataFrame:
        return self.data[self.out]

    def expected(self, level: int, conditional: bool = False) -> tuple[Matrix, Matrix, Matrix]:
        """Mean, SE of the expected response, SE of a new one."""
        kept, out = np.flatnonzero(~self.out), np.flatnonzero(self.out)
        V = sum(self.parts, self.error)
        A = np.linalg.inv(V[np.ix_(kept, kept)])
        target = V if conditional else sum(self.parts[:level], np.zeros_like(V))
        C, own = target[np.ix_(kept, out)], np.diag(target)[out]
        X, x, beta = self.X[kept], self.X[out], self.fit.params.to_numpy()
        y = self.fit.snapshot.y[np.argsort(self.fit.snapshot.rows)]
        d = x - C.T @ A @ X
        mean = x @ beta + C.T @ A @ (y - X @ beta)
        mse = own - np.diag(C.T @ A @ C) + np.diag(d @ np.linalg.inv(X.T @ A @ X) @ d.T)
        return mean, np.sqrt(mse), np.sqrt(mse + np.diag(V)[out] - own)


def same(*columns: pd.Series) -> Matrix:
    """Whether two rows share the values of all columns."""
    labels = pd.Series(list(zip(*columns))).to_numpy()
    return np.array([[a == b for b in labels] for a in labels], dtype=float)


def orthodont() -> Held:
    data = rb.datasets.load("orthodont")
    out = data["subject"].eq("F04") | (data["age"].eq(14) & data["subject"].isin(["M01", "F02"]))
    fit = rb.lme(
        "distance ~ age * sex", data[~out], "~ age | subject", weights="varIdent(form = ~ 1 | sex)"
    )
    female = data["sex"].eq("Female").to_numpy(float)
    age = data["age"].to_numpy(float)
    X = np.column_stack([np.ones(len(data)), age, female, age * female])
    Z = np.column_stack([np.ones(len(data)), age])
    part = Z @ fit.cov_re["subject"].to_numpy() @ Z.T * same(data["subject"])
    (var,) = fit.snapshot.var
    ratio = dict(zip(var.strata, var.values))
    sd = fit.sigma * data["sex"].map(ratio).to_numpy(float)
    return Held(fit, data, out, X, [part], np.diag(sd**2))


def pixel() -> Held:
    """A side and a dog that the fit has not seen, and days of those it has."""
    data = rb.datasets.load("pixel")
    data["dog"], data["side"] = data["dog"].astype(str), data["side"].astype(str)
    out = data["dog"].eq("3") | (data["dog"].eq("5") & data["side"].eq("L")) | data["day"].eq(10)
    fit = rb.lme("pixel ~ day + I(day^2)", data[~out], {"dog": "~ day", "side": "~ 1"})
    day = data["day"].to_numpy(float)
    X = np.column_stack([np.ones(len(data)), day, day**2])
    D = [fit.cov_re[name].to_numpy() for name in ("dog", "side")]
    parts = [X[:, :2] @ D[0] @ X[:, :2].T * same(data["dog"])]
    parts.append(D[1][0, 0] * same(data["dog"], data["side"]))
    return Held(fit, data, out, X, parts, fit.scale * np.eye(len(data)))


def bodyweight() -> Held:
    """A continuous AR(1) in uneven days: the last days of some rats."""
    data = rb.datasets.load("bodyweight")
    data["rat"], data["diet"] = data["rat"].astype(str), data["diet"].astype(str)
    out = data["time"].gt(45) & data["rat"].isin(["1", "7", "12"])
    options = {"correlation": "corCAR1(form = ~ time | rat)"}
    fit = rb.lme("weight ~ time * diet", data[~out], "~ 1 | rat", **options)
    X = design(data, "time", "diet")
    rat, time = same(data["rat"]), data["time"].to_numpy(float)
    (phi,) = fit.snapshot.cor.values  # type: ignore[union-attr]
    R = phi ** np.abs(time[:, None] - time) * rat
    D = fit.cov_re["rat"].to_numpy()[0, 0]
    return Held(fit, data, out, X, [D * rat], fit.scale * R)


def design(data: pd.DataFrame, x: str, factor: str) -> Matrix:
    """1, x, treatment contrasts of the factor, and their products with x."""
    levels = sorted(data[factor].unique())[1:]
    dummies = [data[factor].eq(level).to_numpy(float) for level in levels]
    number = data[x].to_numpy(float)
    return np.column_stack(
        [np.ones(len(data)), number, *dummies, *(number * dummy for dummy in dummies)]
    )


def fev() -> Held:
    """A gls with AR(1) over visits: the fourth visit of some patients, and a new patient."""
    data = rb.datasets.load("fev").dropna(subset="fev1").reset_index(drop=True)
    patients = data["usubjid"].unique()
    last = data["avisit"].eq("VIS4") & data["usubjid"].isin(patients[:30])
    out = last | data["usubjid"].eq(patients[40])
    options = {"correlation": "corAR1(form = ~ visitn | usubjid)"}
    fit = rb.gls("fev1 ~ visitn * armcd", data[~out], **options)
    visit = data["visitn"].to_numpy(float)
    (phi,) = fit.snapshot.cor.values  # type: ignore[union-attr]
    R = phi ** np.abs(visit[:, None] - visit) * same(data["usubjid"])
    return Held(fit, data, out, design(data, "visitn", "armcd"), [], fit.scale * R)


MODELS: dict[str, Callable[[], Held]] = {
    "varIdent": orthodont,
    "two levels": pixel,
    "CAR(1)": bodyweight,
    "gls AR(1)": fev,
}


@pytest.fixture(scope="module", params=MODELS)
def held(request: pytest.FixtureRequest) -> Held:
    return MODELS[request.param]()


def predicted(held: Held, **options: Any) -> pd.DataFrame:
    """New groups warn once each; here their random effects are meant to be zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RWarning)
        frame: pd.DataFrame = held.fit.predict(held.new, unseen="population", **options)
    assert frame.index.equals(held.new.index)
    return frame


def check(frame: pd.DataFrame, mean: Matrix, se: Matrix) -> None:
    # nlme's β̂ is that of its last iterate, some 1e-8 off the one of its own V
    np.testing.assert_allclose(frame["prediction"], mean, rtol=1e-5)
    np.testing.assert_allclose(frame["se"], se, rtol=1e-7)


def test_every_level(held: Held) -> None:
    for level in range(len(held.parts) + 1):
        mean, confidence, prediction = held.expected(level)
        options = {"level": level, "ddf": "normal"}
        check(predicted(held, interval="confidence", **options), mean, confidence)
        frame = predicted(held, interval="prediction", **options)
        check(frame, mean, prediction)
        reach = stats.norm.ppf(0.975) * frame["se"]
        np.testing.assert_allclose(frame["upper"] - frame["prediction"], reach, rtol=1e-9)


def test_series_are_continued(held: Held) -> None:
    if held.fit.snapshot.cor is None:
        return
    mean, _, prediction = held.expected(len(held.parts), conditional=True)
    frame = predicted(held, interval="prediction", conditional=True, ddf="normal")
    check(frame, mean, prediction)
    plain = predicted(held, interval="prediction", ddf="normal")
    assert (frame["se"] <= plain["se"] * (1 + 1e-9)).all() and (frame["se"] < plain["se"]).any()


def test_the_population_has_kenward_rogers_covariance(held: Held) -> None:
    frame = predicted(held, interval="confidence", level=0, coverage=0.9)
    x, V = held.X[held.out], held.fit.cov_params("kenward-roger").to_numpy()
    np.testing.assert_allclose(frame["se"], np.sqrt(np.diag(x @ V @ x.T)), rtol=1e-9)
    rows = [held.fit.test(row) for row in x]
    reach = stats.t([row.df_den for row in rows]).ppf(0.95) * frame["se"]
    np.testing.assert_allclose(frame["upper"] - frame["prediction"], reach, rtol=1e-8)
    assert "90% confidence interval at level 0; df of x'β: Kenward–Roger" in frame.attrs["caption"]


def test_own_rows_are_predicted_as_new_rows_are(held: Held) -> None:
    own = held.data[~held.out]
    for level in range(len(held.parts) + 1):
        for interval in ("confidence", "prediction"):
            without = held.fit.predict(level=level, interval=interval)
            given = held.fit.predict(own, level=level, interval=interval)
            pd.testing.assert_frame_equal(without, given, rtol=1e-7)
            np.testing.assert_allclose(without["prediction"], held.fit.fitted(level), rtol=1e-7)


def test_unseen_groups_are_refused_unless_meant(held: Held) -> None:
    if held.fit.snapshot.cor is not None:
        return
    with pytest.raises(DataError, match="not in the fit"):
        held.fit.predict(held.new, interval="confidence")
    with pytest.warns(RWarning, match="taken as 0"):
        held.fit.predict(held.new, interval="confidence", unseen="population")


def test_points_are_nlmes_own() -> None:
    """R's predict on R's own data; groups that were not seen are missing there."""
    code = """local({
      whole <- as.data.frame(nlme::Orthodont)
      out <- whole$age == 14 & whole$Subject %in% c("M01", "F02")
      fit <- nlme::lme(distance ~ age * Sex, whole[!out, ], ~ age | Subject,
                       weights = nlme::varIdent(form = ~ 1 | Sex))
      new <- predict(fit, whole[out, ], level = 0:1)
      list(subject = as.character(new$Subject), p0 = new$predict.fixed, p1 = new$predict.Subject)
    })"""
    theirs, data = in_r(code), rb.datasets.load("orthodont")
    out = data["age"].eq(14) & data["subject"].isin(["M01", "F02"])
    new = data[out].set_index("subject").loc[list(theirs["subject"])].reset_index()
    options = {"weights": "varIdent(form = ~ 1 | sex)"}
    fit = rb.lme("distance ~ age * sex", data[~out], "~ age | subject", **options)
    for level, name in ((0, "p0"), (1, "p1")):
        ours = fit.predict(new, level=level, interval="prediction")["prediction"]
        np.testing.assert_allclose(ours, theirs[name], rtol=1e-6)
