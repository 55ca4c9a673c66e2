"""``rbridge fit``: the tables that are asked for are those of the package, in every format."""

from __future__ import annotations

import inspect
import io
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import rbridge as rb
from rbridge.analysis.anova import TYPES
from rbridge.analysis.grid import WEIGHTS
from rbridge.analysis.means import HOW
from rbridge.cli import arguments
from rbridge.cli import fit as command
from rbridge.cli.app import main
from rbridge.core.fixed_effects.adjustments import ADJUSTMENTS
from rbridge.core.fixed_effects.inference import Ddf, ThetaInformation, Vcov
from rbridge.core.fixed_effects.kenward_roger import Form
from rbridge.show.cells import is_text
from tests.support import trial


def test_the_options_know_what_the_package_knows() -> None:
    assert arguments.DDF == get_args(Ddf) and arguments.VCOV == get_args(Vcov)
    assert arguments.INFORMATION == get_args(ThetaInformation) and arguments.KR == get_args(Form)
    assert (arguments.TYPES, arguments.HOW) == (TYPES, HOW)
    assert (arguments.MEAN_WEIGHTS, arguments.ADJUSTMENTS) == (WEIGHTS, ADJUSTMENTS)
    assert set(arguments.FIT_FORMATS) == set(command._WRITERS)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The trial in place of a fit by R."""
    fit = trial.fit()
    monkeypatch.setattr(command, "fit_frame", lambda frame, **options: fit)
    monkeypatch.setattr(command, "load_data", lambda *_: trial.data())
    return fit


def runner() -> CliRunner:
    """Both streams apart, which newer click does of itself."""
    if "mix_stderr" in inspect.signature(CliRunner).parameters:
        return CliRunner(mix_stderr=False)
    return CliRunner()


def run(*options: str) -> Result:
    given = ["fit", "trial", "--fixed", "y ~ base + arm * visit", "--random", "~ 1 | patient"]
    return runner().invoke(main, [*given, *options])


def table(*options: str) -> tuple[pd.DataFrame, str]:
    """The CSV on standard output, and the caption on standard error."""
    done = run("--format", "csv", *options)
    assert done.exit_code == 0, done.stderr
    return pd.read_csv(io.StringIO(done.stdout)), done.stderr.strip()


def same(ours: pd.DataFrame, frame: pd.DataFrame) -> None:
    assert list(ours) == list(frame)
    for name in frame:
        if is_text(frame[name]):
            assert list(ours[name]) == list(frame[name])
        else:
            np.testing.assert_allclose(ours[name], frame[name], rtol=1e-12)


def test_fixed_effects(fitted: Any) -> None:
    options = ("--ddf", "satterthwaite", "--information", "expected", "--level", "0.9")
    ours, caption = table(*options)
    frame = fitted.fixed_effects("satterthwaite", information="expected", level=0.9)
    same(ours, frame.rename_axis("coefficient").reset_index())
    assert caption == frame.attrs["caption"]


def test_robust_fixed_effects(fitted: Any) -> None:
    for cluster in ((), ("--cluster", "patient")):
        ours, caption = table("--vcov", "CR2", *cluster)
        same(
            ours.drop(columns="coefficient"),
            fitted.fixed_effects(vcov="CR2").reset_index(drop=True),
        )
        assert caption.startswith("CR2 by 14 clusters")


def test_terms_means_and_contrasts(fitted: Any) -> None:
    ours, caption = table("--anova", "II", "--ddf", "containment")
    frame = fitted.anova("II", ddf="containment")
    same(ours, frame.rename_axis("term").reset_index())
    assert caption == frame.attrs["caption"]
    means = fitted.means("arm", by="visit", weights="cells", at={"base": 9.5, "arm": ["A", "C"]})
    options = ["--means", "arm", "--by", "visit", "--mean-weights", "cells"]
    options += ["--at", "base=9.5", "--at", "arm=A, C"]
    same(table(*options)[0], means.to_frame())
    ours, caption = table(*options, "--compare", "pairwise", "--adjust", "holm")
    frame = means.contrasts("pairwise", "holm")
    same(ours, frame)
    assert caption == frame.attrs["caption"]


def test_hypotheses(fitted: Any) -> None:
    ours, _ = table("--test", "arm1 = 0, arm2 = 0")
    test = fitted.test("arm1 = 0, arm2 = 0")
    assert ours.loc[0, "hypothesis"] == "arm1 = 0; arm2 = 0"
    np.testing.assert_allclose(
        ours[["F", "df_num", "df_den", "p"]].iloc[0],
        [test.statistic, test.df_num, test.df_den, test.p],
    )


EVERYTHING = ["--ddf", "kenward-roger", "--anova", "III", "--means", "arm", "--by", "visit"]
TITLES = ["Fixed effects", "Tests of terms", "Marginal means"]


def test_json_has_every_table_with_its_caption(fitted: Any) -> None:
    answer = json.loads(run(*EVERYTHING, "--format", "json").stdout)
    tables = {item["title"]: item for item in answer["tables"]}
    assert list(tables) == ["Variance components", *TITLES]
    rows = pd.DataFrame(tables["Fixed effects"]["rows"])
    same(rows, fitted.fixed_effects().rename_axis("coefficient").reset_index())
    assert tables["Tests of terms"]["caption"] == fitted.anova("III").attrs["caption"]
    assert answer["model"]["fixed"] == trial.FORMULA and answer["converged"] is True
    infinite = json.loads(run("--ddf", "normal", "--format", "json").stdout)["tables"][1]
    assert {row["df"] for row in infinite["rows"]} == {None}


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_a_page_has_every_table_with_its_caption(fitted: Any, form: str) -> None:
    page = run(*EVERYTHING, "--format", form).stdout
    captions = [fitted.fixed_effects().attrs["caption"], fitted.anova("III").attrs["caption"]]
    for text in (*TITLES, *captions, fitted.means("arm", by="visit").caption):
        assert text in page
    estimate = fitted.means("arm", by="visit").to_frame()["estimate"][0]
    assert f"{estimate:.6g}" in page


def test_without_them_it_is_the_summary_alone(fitted: Any) -> None:
    done = run()
    assert done.stdout == f"{fitted.summary()}\n{fitted.diagnose()}"


def test_a_file_in_place_of_standard_output(fitted: Any, tmp_path: Path) -> None:
    done = run("--format", "csv", "-o", str(tmp_path / "t.csv"), "--snapshot", str(tmp_path / "f"))
    assert done.stdout == "" and "saved to" in done.stderr
    rows = (tmp_path / "t.csv").read_text("utf-8").splitlines()
    assert rows[0].startswith("coefficient,estimate,") and len(rows) == 8
    pd.testing.assert_frame_equal(rb.load(tmp_path / "f").fixed_effects(), fitted.fixed_effects())


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("t.json", "json"), ("t.csv", "csv"), ("t.HTML", "html"), ("t.md", "markdown")),
        *(("t.txt", "text"), ("t.log", "text"), ("t", "text"), ("t.xml", "text")),
    ],
)
def test_the_ending_of_the_file_names_the_form(
    fitted: Any, tmp_path: Path, name: str, form: str
) -> None:
    assert run("-o", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / name).read_text("utf-8") == run("--format", form).stdout
    assert run("--format", "json", "-o", str(tmp_path / name)).exit_code == 0
    assert json.loads((tmp_path / name).read_text("utf-8"))["converged"] is True


def test_a_csv_file_holds_one_table_too(fitted: Any, tmp_path: Path) -> None:
    done = run("-o", str(tmp_path / "t.csv"), "--anova", "I", "--means", "arm")
    assert done.exit_code == 2 and "csv holds one table" in done.stderr
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "visit"], "--by goes with --means"),
        (["--at", "base=3"], "--at goes with --means"),
        (["--compare", "pairwise"], "--compare goes with --means"),
        (["--means", "arm", "--adjust", "holm"], "--adjust goes with --compare"),
        (["--means", "arm", "--at", "base"], "--at takes name=value"),
        (["--means", "arm", "--at", "base=x"], "'base' is a number in the fit"),
        (["--means", "arn"], "did you mean 'arm'"),
        (["--test", "arm = 0"], "no coefficient 'arm'"),
        (["--cluster", "patient"], "cluster is for vcov"),
        (["--vcov", "CR2", "--cluster", "clinic"], "no grouping level"),
        (["--vcov", "CR2", "--cluster", "visit"], "cut across the groups"),
        (["--kr", "full", "--ddf", "normal"], "kr='full' is for"),
        (["--format", "csv", "--anova", "I", "--means", "arm"], "csv holds one table"),
        (["--format", "csv", "--test", "arm1", "--test", "arm2"], "csv holds one table"),
    ],
)
def test_what_cannot_be_is_one_sentence(fitted: Any, options: list[str], said: str) -> None:
    done = run(*options)
    assert done.exit_code == 2 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [["--ddf", "kr"], ["--level", "1"], ["--format", "xlsx"]])
def test_choices_are_clicks(options: list[str]) -> None:
    assert run(*options).exit_code == 2
