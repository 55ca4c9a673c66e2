"""rb.mmrm: visits of every kind, what cannot be, and the covariance over visits against R."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import DataError, FitError, SpecError
from tests.support.bridging import ask

LABELS = ["week 2", "week 10", "week 1"]  # neither alphabetical nor in order of appearance


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Patients with three visits, some of them missing."""
    rng = np.random.default_rng(5)
    n = 40
    frame = pd.DataFrame(
        {
            "patient id": np.repeat([f"p{i}" for i in range(n)], 3),
            "visit": np.tile([1, 2, 10], n),
            "arm": np.repeat(np.array(["a", "b"])[np.arange(n) % 2], 3),
        }
    )
    root = np.linalg.cholesky([[2, 1, 0.4], [1, 3, 1], [0.4, 1, 1.5]])
    frame["y"] = (rng.normal(size=(n, 3)) @ root.T).ravel() + frame["arm"].eq("b")
    return frame.sample(frac=0.85, random_state=1)


def fitted(data: pd.DataFrame, **options: Any) -> Any:
    given = {"subject": "patient id", "visit": "visit", "formula": "y ~ arm * visit", **options}
    return rb.mmrm(given.pop("formula"), data, **given)


NAMES = {1: "v1", 2: "v2", 10: "v10"}
KINDS = {
    "numbers": lambda column: column,
    "floats": lambda column: column / 4,
    "dates": lambda column: pd.Timestamp("2024-01-01") + pd.to_timedelta(column, unit="D"),
    "category": lambda column: pd.Categorical(column.map(NAMES), NAMES.values()),
    "ordered": lambda column: pd.Categorical(column.map(NAMES), NAMES.values(), ordered=True),
    "unused": lambda column: pd.Categorical(column.map(NAMES), ["v0", *NAMES.values(), "v11"]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("covariance", ["us", "ar1h", "toep"])
def test_visits_are_what_their_column_says(data: Any, kind: str, covariance: str) -> None:
    plain = fitted(data, covariance=covariance, formula="y ~ arm")
    given = data.assign(visit=KINDS[kind](data["visit"]))
    fit = fitted(given, covariance=covariance, formula="y ~ arm")
    assert len(fit.covariance.visits) == 3
    np.testing.assert_allclose(fit.llf, plain.llf, rtol=1e-7)
    np.testing.assert_allclose(fit.cov_visits, plain.cov_visits, rtol=2e-3)


def test_text_serves_where_the_order_does_not_matter(data: Any) -> None:
    text = data.assign(visit=data["visit"].map({1: LABELS[0], 2: LABELS[1], 10: LABELS[2]}))
    ours, plain = fitted(text), fitted(data)
    np.testing.assert_allclose(ours.llf, plain.llf, rtol=1e-7)
    assert list(ours.cov_visits) == sorted(LABELS)
    order = [LABELS[i] for i in (0, 1, 2)]
    near = ours.cov_visits.loc[order, order].to_numpy()
    np.testing.assert_allclose(near, plain.cov_visits, rtol=2e-3)
    with pytest.raises(DataError, match="'visit' is text.*'autoregressive' depends on it"):
        fitted(text, covariance=["us", "ar1"])


GET_VAR_COV = """
groups <- nlme::getGroups(m)
if (is.null(groups)) NULL else {
  patient <- names(which(table(groups) == 3)[1])
  list(V = unclass(nlme::getVarCov(m, individual = patient))[1:3, 1:3],
       R = nlme::corMatrix(m$modelStruct$corStruct)[[patient]])
}
"""
COVARIANCES = ("us", "toep", "toeph", "ar1", "ar1h", "cs", "csh", "id", "diag")


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_covariance_over_visits_is_rs(data: Any, covariance: str) -> None:
    """getVarCov and corMatrix of a patient with every visit."""
    fit = fitted(data.assign(row=range(len(data))), covariance=covariance)
    theirs = ask(GET_VAR_COV, fit)
    ours = fit.cov_visits
    assert list(ours) == [1, 2, 10]
    if theirs is None:
        assert covariance in ("id", "diag")
        sd = np.sqrt(np.diag(ours))
        spread = fit.resid.groupby(data["visit"]).std()
        np.testing.assert_allclose(ours, np.diag(sd**2), atol=1e-12)
        if covariance == "diag":
            np.testing.assert_allclose(sd, spread, rtol=0.05)
        return
    order = _order(fit, data)
    np.testing.assert_allclose(ours.to_numpy()[np.ix_(order, order)], theirs["V"], rtol=1e-8)
    sd = np.sqrt(np.diag(ours))
    R = (ours / np.outer(sd, sd)).to_numpy()[np.ix_(order, order)]
    np.testing.assert_allclose(R, theirs["R"], rtol=1e-8)


def _order(fit: Any, data: pd.DataFrame) -> list[int]:
    """The visits of the first whole patient in the order of the rows of the fit."""
    rows = data.iloc[fit.snapshot.rows]
    codes = fit.snapshot.cor.codes
    first = next(g for g in range(codes.max() + 1) if (codes == g).sum() == 3)
    return [[1, 2, 10].index(visit) for visit in rows["visit"][codes == first]]


@pytest.mark.parametrize("covariance", ["us", "cs", "ar1h"])
def test_groups_have_variances_of_their_own(data: Any, covariance: str) -> None:
    fit = fitted(data, covariance=covariance, group="arm")
    a, b = fit.cov_visits_of("a"), fit.cov_visits_of("b")
    assert str(fit.covariance).endswith("variances by arm")
    R = [V / np.sqrt(np.outer(np.diag(V), np.diag(V))) for V in (a, b)]
    np.testing.assert_allclose(R[0], R[1], rtol=1e-10)
    assert np.abs(np.diag(a) / np.diag(b) - 1).max() > 0.05
    # each row's standard deviation, as the fit has it
    rows = data.iloc[fit.snapshot.rows]
    sd = fit.residuals("response") / fit.residuals("pearson")
    for arm, V in (("a", a), ("b", b)):
        for place, visit in enumerate([1, 2, 10]):
            mine = sd[
                data.index[fit.snapshot.rows][(rows["arm"] == arm) & (rows["visit"] == visit)]
            ]
            np.testing.assert_allclose(mine, np.sqrt(V.iloc[place, place]), rtol=1e-9)
    with pytest.raises(SpecError, match="group must be one of"):
        fit.cov_visits_of("c")
    with pytest.raises(SpecError, match="the fit has no group"):
        fitted(data).cov_visits_of("a")


def test_a_visit_that_stands_twice(data: Any) -> None:
    twice = pd.concat([data, data.iloc[[4]]])
    who, when = data.iloc[4][["patient id", "visit"]]
    with pytest.raises(DataError, match=f"{when} stands twice for patient id '{who}'"):
        fitted(twice)
    missing = twice.reset_index(drop=True)
    missing.loc[len(missing) - 1, "y"] = np.nan  # gls leaves that row out
    np.testing.assert_allclose(fitted(missing).llf, fitted(data).llf, rtol=1e-9)


def test_a_visit_without_a_response_is_no_visit(data: Any) -> None:
    third = data.assign(y=data["y"].where(data["visit"] != 10))
    fit = fitted(third, covariance="ar1")
    assert fit.covariance.visits == (1, 2)
    assert fit.cov_visits.shape == (2, 2)
    with pytest.raises(DataError, match=r"'visit' has 1 visit\(s\)"):
        fitted(third.assign(y=third["y"].where(third["visit"] != 2)))


def test_a_list_is_tried_in_order(data: Any) -> None:
    """Twelve visits of eight patients have no unstructured covariance that converges."""
    rng = np.random.default_rng(0)
    few = pd.DataFrame({"patient id": np.repeat(range(8), 12), "visit": np.tile(range(12), 8)})
    few["y"], few["arm"] = rng.normal(size=96), few["patient id"] % 2
    options = {"formula": "y ~ arm", "control": {"msMaxIter": 20, "maxIter": 20}}
    fit = fitted(few, covariance=["us", "cs"], **options)
    assert fit.covariance.name == "compound symmetry"
    assert list(fit.covariance.failed) == ["unstructured"] and fit.covariance.failed["unstructured"]
    assert "; unstructured failed: " in str(fit.covariance)
    with pytest.raises(FitError, match="no covariance held:\n  unstructured: "):
        fitted(few, covariance=["us"], **options)


def test_it_travels_and_is_saved(data: Any, tmp_path: Any) -> None:
    fit = fitted(data, covariance="csh")
    again = pickle.loads(pickle.dumps(fit))
    assert again.covariance == fit.covariance and again.cov_visits.equals(fit.cov_visits)
    for save in (fit.save, fit.snapshot.save):
        save(tmp_path / "mmrm.zip")
        loaded = rb.load(tmp_path / "mmrm.zip")
        assert type(loaded) is type(fit) and loaded.covariance == fit.covariance
        pd.testing.assert_frame_equal(loaded.cov_visits, fit.cov_visits)
        pd.testing.assert_frame_equal(loaded.anova(), fit.anova())


def test_visits_that_are_dates_are_text_in_a_file(data: Any, tmp_path: Any) -> None:
    fit = fitted(data.assign(visit=KINDS["dates"](data["visit"])), covariance="csh")
    fit.save(tmp_path / "mmrm.zip")
    cov = rb.load(tmp_path / "mmrm.zip").cov_visits
    np.testing.assert_array_equal(cov, fit.cov_visits)
    assert list(cov.index) == list(map(str, fit.cov_visits.index))


def test_names_with_spaces_and_clusters_by_them(data: Any) -> None:
    named = data.rename(columns={"visit": "visit no", "arm": "the arm"})
    options = {"visit": "visit no", "formula": "y ~ `the arm` * `visit no`"}
    fit = fitted(named, **options)
    np.testing.assert_allclose(fit.llf, fitted(data).llf, rtol=1e-9)
    table = fit.means("the arm", by="visit no").contrasts()
    assert list(table)[:2] == ["contrast", "visit no"] and len(table) == 3
    by_name = fit.fixed_effects(vcov="CR2", cluster="patient id")
    pd.testing.assert_frame_equal(by_name, fit.fixed_effects(vcov="CR2"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subject": "patient"}, "no column 'patient'"),
        ({"visit": "visits"}, "did you mean 'visit'"),
        ({"group": "sex"}, "no column 'sex'"),
        ({"subject": ["patient id"]}, "names of columns"),
        ({"visit": 3}, "names of columns"),
        ({"visit": "patient id"}, "must be different columns"),
        ({"covariance": "ante"}, "covariance must be one of unstructured .us, un., toeplitz .toep"),
        ({"covariance": []}, "a name or a list of names"),
        ({"covariance": None}, "a name or a list of names"),
        ({"covariance": ["us", 3]}, "covariance must be one of"),
        ({"formula": "z ~ arm"}, "no column 'z'"),
        ({"method": "MAP"}, "method must be"),
    ],
)
def test_what_cannot_be(data: Any, options: Any, said: str) -> None:
    with pytest.raises((SpecError, DataError), match=said):
        fitted(data, **options)


@pytest.mark.parametrize(
    ("sas", "name"), [("UN", "unstructured"), ("AR(1)", "autoregressive"), ("vc", "independent")]
)
def test_the_words_of_sas(data: Any, sas: str, name: str) -> None:
    assert fitted(data, covariance=sas).covariance.name == name


def test_visits_of_mixed_kinds_have_no_order(data: Any) -> None:
    mixed = data.assign(visit=data["visit"].astype(object).where(data["visit"] != 2, "two"))
    with pytest.raises(DataError, match="mixes kinds of values"):
        fitted(mixed)


@pytest.mark.parametrize("kind", ["numbers", "dates", "ordered"])
def test_new_data_have_their_visits_as_the_data_had(data: Any, kind: str) -> None:
    """The missing last visit of a patient, given those that are there: by hand from cov_visits."""
    given = data.assign(visit=KINDS[kind](data["visit"]))
    fit = fitted(given)
    last = fit.covariance.visits[2]
    counts = given["patient id"].value_counts()
    without = set(given["patient id"]) - set(given["patient id"][given["visit"] == last])
    patient = next(name for name in given["patient id"] if name in without and counts[name] == 2)
    rows = given[given["patient id"] == patient].sort_values("visit")
    new = rows.iloc[:1].assign(visit=last, y=np.nan)
    found = fit.predict(new, interval="prediction", conditional=True, ddf="normal")
    mean = fit.predict(pd.concat([rows, new]), level=0).to_numpy()
    V = fit.cov_visits.to_numpy()
    kappa = np.linalg.solve(V[:2, :2], V[:2, 2])
    expected = mean[2] + kappa @ (rows["y"] - mean[:2])
    assert found["prediction"].item() == pytest.approx(expected, rel=1e-9)
    innovation = V[2, 2] - kappa @ V[:2, 2]
    assert found["se"].item() ** 2 > innovation > 0
    table = fit.predict(new, interval="prediction", ddf="normal")
    assert found["se"].item() < table["se"].item()
    with pytest.raises(DataError, match="is no visit of the fit"):
        fit.predict(new.assign(visit="another"))


@pytest.mark.parametrize("engine", ["pinned", "native"])
def test_the_engine_that_was_asked_for_fits(data: Any, engine: str) -> None:
    fit, nlme = fitted(data, engine=engine, covariance="ar1h"), fitted(data, covariance="ar1h")
    assert (fit.engine, nlme.engine) == (engine, "nlme")
    np.testing.assert_allclose(fit.llf, nlme.llf, rtol=1e-8)
    np.testing.assert_allclose(fit.cov_visits, nlme.cov_visits, rtol=2e-3)
