"""Many models in one call, through live R."""

import json

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.many.result_file import ResultFileError

QUIET = dict(progress=False)


@pytest.fixture(scope="module")
def genes():
    """12 small data sets; in gene 3 x is constant, gene 5 has one subject."""
    rng = np.random.default_rng(1)
    n = 12 * 24
    data = pd.DataFrame(
        {"gene": np.repeat(np.arange(12.0), 24), "x": np.tile(np.arange(4.0), n // 4)}
    )
    data["subject"] = np.arange(n) // 4 % 6
    data["y"] = data.x + np.repeat(rng.normal(size=n // 4), 4) + 0.3 * rng.normal(size=n)
    data.loc[data.gene == 3, "x"] = 1.0
    data.loc[data.gene == 5, "subject"] = 0
    data["z"] = data.y + rng.normal(size=n)
    data.loc[[0, 1], "gene"] = np.nan
    return data.sample(frac=1, random_state=2)


@pytest.fixture(scope="module")
def table(genes):
    return rb.lme_many("y ~ x", genes, "~ 1 | subject", by="gene", **QUIET)


def test_a_row_is_the_fit_of_its_group(genes, table):
    assert table.gene.tolist() == list(range(12)) and table.dtypes["gene"] == float
    one = rb.lme("y ~ x", genes[genes.gene == 7], "~ 1 | subject")
    row = table.iloc[7]
    assert row.converged and row.reason == "" and row.nobs == 24
    np.testing.assert_allclose([row.llf, row.aic, row.bic], [one.llf, one.aic, one.bic], rtol=1e-12)
    for prefix, values in {
        "": one.varcomp,
        "se_expected.": one.varcomp_vcov("expected").se,
        "fixed.": one.params,
        "se.fixed.": one.bse,
    }.items():
        ours = row[[prefix + name for name in values.index]].astype(float)
        np.testing.assert_allclose(ours, values, rtol=1e-12)


def test_rows_of_no_group_are_counted(genes, table):
    assert table.attrs["caption"] == "2 of 288 rows dropped for missing values of 'gene' (2)"
    assert table.attrs["caption"] in table.to_markdown()
    whole = rb.lme_many("y ~ x", genes.dropna(), "~ 1 | subject", by="gene", **QUIET)
    assert "caption" not in whole.attrs


def test_a_failed_fit_is_a_row_with_its_reason(table):
    failed = table[table.reason != ""]
    assert failed.gene.tolist() == [3, 5] and not failed.converged.any()
    assert "ingular" in failed.reason[3] and "one group" in failed.reason[5]
    assert failed.llf.isna().all()


def test_processes_change_nothing(genes, table):
    counts = []
    spread = rb.lme_many(
        "y ~ x", genes, "~ 1 | subject", by="gene", n_jobs=2, progress=lambda *k: counts.append(k)
    )
    pd.testing.assert_frame_equal(spread, table)
    assert counts[-1] == (12, 12, 2)


def test_outcomes_specs_and_groups_multiply(genes):
    specs = {
        "mixed": rb.lme("y ~ x", genes, "~ 1 | subject").spec,
        "gls": rb.gls("y ~ x", genes).spec,
    }
    genes = genes[genes.gene.isin([1, 2])].assign(sex=lambda d: np.where(d.x > 1, "f", "m"))
    result = rb.lme_many(specs, genes, by=["gene", "sex"], outcomes=["y", "exp(z)"], **QUIET)
    keys = [tuple(row) for row in result[["model", "outcome", "gene", "sex"]].to_numpy()]
    models, outcomes = ["mixed"] * 8 + ["gls"] * 8, (["y"] * 4 + ["exp(z)"] * 4) * 2
    assert keys == list(zip(models, outcomes, [1, 1, 2, 2] * 4, ["f", "m"] * 8))
    assert result.reason.eq("").all()
    column = "Tau.subject.var((Intercept))"
    assert result[column].notna().tolist() == [True] * 8 + [False] * 8


def test_standard_errors_by_several_methods(genes):
    one = genes[genes.gene == 1]
    wide = rb.lme_many("~ x", one, "~ 1 | subject", outcomes="y", se=["delta", "observed"], **QUIET)
    fit = rb.lme("y ~ x", one, "~ 1 | subject")
    for method in ("delta", "observed"):
        expected = fit.varcomp_vcov(method).se["sigma_sq"]
        assert wide[f"se_{method}.sigma_sq"][0] == pytest.approx(expected)


def test_a_run_goes_on_where_it_was_killed(genes, table, tmp_path):
    path = tmp_path / "genes.jsonl"
    asked = dict(by="gene", file=path)
    first = rb.lme_many("y ~ x", genes, "~ 1 | subject", **asked, **QUIET)
    lines = path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["item"] for line in lines[1:]] == list(range(12))
    path.write_bytes(b"".join(lines[:1] + lines[3:8]) + lines[8][:-9])
    counts = []
    again = rb.lme_many(
        "y ~ x", genes, "~ 1 | subject", **asked, n_jobs=2, progress=lambda *k: counts.append(k)
    )
    assert counts[-1][:2] == (7, 7)
    for result in (first, again):
        pd.testing.assert_frame_equal(result, table)
    rb.lme_many("y ~ x", genes, "~ 1 | subject", **asked, progress=lambda *k: counts.append(k))
    assert counts[-1][:2] == (7, 7)  # nothing was left to do
    with pytest.raises(ResultFileError, match="other models"):
        rb.lme_many("y ~ x + I(x^2)", genes, "~ 1 | subject", **asked, **QUIET)
    with pytest.raises(ResultFileError, match="other models, data"):
        rb.lme_many("y ~ x", genes.assign(y=1 + genes.y), "~ 1 | subject", **asked, **QUIET)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (dict(model="y ~ xx", random="~ 1 | subject"), "no column 'xx'; did you mean 'x'"),
        (dict(model="y ~ x", random="~ 1 | subject", by="jean"), "no column 'jean'"),
        (dict(model="y ~ x", random="~ 1 | subject", outcomes=["yy"]), "no column 'yy'"),
        (dict(model=[]), "no model to fit"),
        (dict(model="~ x", random="~ 1 | subject"), "needs a response"),
        (
            dict(model=[{"kind": "gls", "fixed": "y ~ x"}], method="ML"),
            "method goes with a formula",
        ),
        (dict(model="y ~ x", se="exact"), "se must be one or more of"),
    ],
)
def test_mistakes_are_told_before_the_first_fit(genes, asked, message):
    with pytest.raises(rb.RBridgeError, match=message):
        rb.lme_many(data=genes, **asked, **QUIET)


def test_a_column_that_the_result_needs(genes):
    data = genes.rename(columns={"gene": "nobs"})
    with pytest.raises(rb.RBridgeError, match="rename"):
        rb.lme_many("y ~ x", data, by="nobs", **QUIET)
