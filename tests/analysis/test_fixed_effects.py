"""fixed_effects, test, anova, cov_params, joint_cov as a user holds them; without R.

The second source is algebra on dense matrices, or that two ways of asking agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rbridge.core.parameters import theta
from tests.support import brute, trial
from tests.support.brute_fixed import Dense

CODINGS = ("treatment", "sum", "helmert", "poly", "SAS")
DDF = ("kenward-roger", "satterthwaite", "containment", "residual", "normal")


@pytest.fixture(scope="module")
def fit() -> Any:
    return trial.fit()


@pytest.fixture(scope="module")
def dense(fit: Any) -> Dense:
    return Dense.of(fit.snapshot, theta(fit.snapshot).values)


def test_the_table_is_kenward_rogers_by_dense_algebra(fit: Any, dense: Dense) -> None:
    table = fit.fixed_effects(level=0.9)
    assert list(table.index) == list(fit.params.index)
    assert list(table) == ["estimate", "se", "df", "t", "p", "lower", "upper"]
    W = dense.theta_covariance()
    se = np.sqrt(np.diag(dense.kr_covariance(W, second=False)))
    np.testing.assert_allclose(table["se"], se, rtol=1e-8)
    np.testing.assert_allclose(table["t"], fit.params / se, rtol=1e-8)
    for name, row in table.iterrows():
        t = stats.t(row["df"])
        np.testing.assert_allclose(row["p"], 2 * t.sf(abs(row["t"])), rtol=1e-9)
        reach = t.ppf(0.95) * row["se"]
        np.testing.assert_allclose(
            [row["lower"], row["upper"]], [row["estimate"] - reach, row["estimate"] + reach]
        )
    assert table.attrs["caption"] == (
        "Kenward–Roger, linear form, expected information; 90% limits"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ddf": "satterthwaite"}, "Satterthwaite, observed information"),
        ({"information": "observed"}, "Kenward–Roger, linear form, observed information"),
        ({"kr": "full"}, "Kenward–Roger, full form, expected information"),
        ({"ddf": "containment"}, "degrees of freedom by containment (nlme)"),
        ({"ddf": "residual"}, "residual degrees of freedom (n − p)"),
        ({"ddf": "normal"}, "normal distribution"),
        ({"vcov": "CR2"}, "CR2 by 14 clusters, Satterthwaite degrees of freedom"),
        ({"vcov": "CR0", "ddf": "normal"}, "CR0 by 14 clusters, normal distribution"),
    ],
)
def test_every_caption_says_df_and_information(fit: Any, options: Any, words: str) -> None:
    assert words in fit.fixed_effects(**options).attrs["caption"]
    assert words in fit.test("base = 0", **options).caption
    assert words in fit.anova(**options).attrs["caption"]
    assert words in fit.means("arm", **options).caption


@pytest.mark.parametrize("kind", ["I", "II", "III"])
@pytest.mark.parametrize("ddf", DDF)
def test_terms_do_not_depend_on_the_coding(kind: str, ddf: str) -> None:
    base, *others = (trial.fit(coding).anova(kind, ddf=ddf) for coding in CODINGS)
    # Fai and Cornelius's df of several rows depend on how these are written; III writes them once
    same = ["df_num", "F"] if ddf == "satterthwaite" and kind != "III" else list(base)
    for other in others:
        pd.testing.assert_frame_equal(other[same], base[same], rtol=1e-9, check_exact=False)
    assert list(base["df_num"])[-4:] == [1, 2, 1, 2]


def test_marginal_tests_do_depend_on_it() -> None:
    F = [trial.fit(coding).anova("marginal").loc["arm", "F"] for coding in ("treatment", "sum")]
    assert abs(F[0] - F[1]) > 0.1


@pytest.mark.parametrize("ddf", DDF)
def test_type_three_is_the_equality_of_unweighted_means(fit: Any, ddf: str) -> None:
    """Of arm: each arm's mean over the visits; of arm:visit: the differences of differences."""
    arms = fit.means("arm", ddf=ddf)
    cells = fit.means("arm", by="visit", ddf=ddf)
    whole = fit.test(arms.L.diff().iloc[1:], ddf=ddf)
    row = fit.anova("III", ddf=ddf).loc["arm"]
    np.testing.assert_allclose(row["F"], whole.statistic, rtol=1e-9)
    change = cells.L[3:].to_numpy() - cells.L[:3].to_numpy()
    both = fit.test(np.diff(change, axis=0), ddf=ddf)
    row = fit.anova("III", ddf=ddf).loc["arm:visit"]
    np.testing.assert_allclose(row["F"], both.statistic, rtol=1e-9)
    if ddf != "satterthwaite":
        np.testing.assert_allclose(row["p"], both.p, rtol=1e-9)


def test_a_hypothesis_as_text_frame_and_matrix(fit: Any) -> None:
    text = fit.test("arm1 = 0, arm2 = 0")
    frame = fit.test(pd.DataFrame({"arm1": [1.0, 0.0], "arm2": [0.0, 1.0]}))
    matrix = fit.test(np.eye(7)[2:4])
    assert text.statistic == frame.statistic == matrix.statistic
    assert text.rows == frame.rows == matrix.rows == ("arm1 = 0", "arm2 = 0")
    assert f"F(2, {text.df_den:.4g}) = {text.statistic:.6g}" in str(text)


def test_a_right_hand_side_moves_the_estimate(fit: Any) -> None:
    value = float(fit.params["base"])
    assert fit.test(f"base = {value!r}").statistic == pytest.approx(0, abs=1e-20)
    twice, once = fit.test(f"2*base = {2 * value + 1}"), fit.test(f"base = {value + 0.5}")
    assert twice.statistic == pytest.approx(once.statistic, rel=1e-10)


def test_rows_that_follow_from_others_are_named(fit: Any) -> None:
    test = fit.test("arm1 = 0, arm2 = 0, arm1 - arm2 = 0")
    assert (test.df_num, test.note) == (2, "1 of the rows follow from the others")
    assert "Note" in str(test)


def test_covariances_by_kind(fit: Any, dense: Dense) -> None:
    np.testing.assert_allclose(fit.cov_params("model"), dense.phi, rtol=1e-9)
    kr = dense.kr_covariance(dense.theta_covariance(), second=False)
    np.testing.assert_allclose(fit.cov_params("kenward-roger"), kr, rtol=1e-8)
    se = np.sqrt(np.diag(fit.cov_params("CR2")))
    np.testing.assert_allclose(fit.fixed_effects(vcov="CR2")["se"], se, rtol=1e-12)
    assert list(fit.cov_params("CR3")) == list(fit.params.index)


def test_the_joint_covariance_holds_both_parts(fit: Any) -> None:
    joint = fit.joint_cov()
    names, parts = list(fit.params.index), list(fit.varcomp.index)
    assert list(joint) == names + parts
    np.testing.assert_allclose(joint.loc[names, names], fit.cov_params("model"), rtol=1e-9)
    np.testing.assert_allclose(joint.loc[parts, parts], fit.varcomp_vcov().cov, rtol=1e-9)
    assert not joint.loc[names, parts].to_numpy().any()


def test_the_observed_joint_covariance_is_the_inverse_hessian_under_ml() -> None:
    """By finite differences of the dense log-likelihood of (β, θ), at its optimum in β."""
    fit = trial.fit(method="ML")
    snapshot, theta_hat = fit.snapshot, theta(fit.snapshot).values

    def deviance(point: Any) -> float:
        beta, values = point[:7], point[7:]
        V = brute.covariance(snapshot, values)
        e = snapshot.y - snapshot.X @ beta
        return float(np.linalg.slogdet(V)[1] + e @ np.linalg.solve(V, e)) / 2

    at = np.concatenate([snapshot.beta, theta_hat])
    h = 1e-3 * np.maximum(np.abs(at), 0.3)
    steps = np.diag(h)
    H = np.array(
        [
            [
                sum(s * t * deviance(at + s * a + t * b) for s in (1, -1) for t in (1, -1))
                for b in steps
            ]
            for a in steps
        ]
    ) / np.outer(2 * h, 2 * h)
    found = fit.joint_cov("observed").to_numpy()
    scale = np.sqrt(np.diag(found))
    np.testing.assert_allclose(
        found / np.outer(scale, scale), np.linalg.inv(H) / np.outer(scale, scale), atol=2e-4
    )


# Clusters ----------------------------------------------------------------------------------------


def test_clusters_by_name_column_and_shuffled_column(fit: Any) -> None:
    column = trial.data()["patient"]
    default = fit.fixed_effects(vcov="CR2")
    for cluster in ("patient", column, column.sample(frac=1, random_state=1), column.tolist()):
        pd.testing.assert_frame_equal(fit.fixed_effects(vcov="CR2", cluster=cluster), default)


def test_coarser_clusters_are_fewer(fit: Any) -> None:
    column = trial.data()["patient"]
    pairs = fit.fixed_effects(vcov="CR2", cluster=column.str[:2] + (column.str[2] > "4").map(str))
    assert "CR2 by 3 clusters" in pairs.attrs["caption"]


def test_clusters_of_a_file_are_by_position(fit: Any, tmp_path: Any) -> None:
    from rbridge.repeated import load

    fit.save(tmp_path / "fit.zip")
    loaded, column = load(tmp_path / "fit.zip"), trial.data()["patient"]
    for cluster in (column, column.reset_index(drop=True), column.to_numpy()):
        table = loaded.fixed_effects(vcov="CR2", cluster=cluster)
        pd.testing.assert_frame_equal(table, fit.fixed_effects(vcov="CR2"))
