"""The bootstrap by the search here: nlme's draws, its estimates, and nlme as the witness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import rbridge as rb
from rbridge.cli.app import main
from rbridge.errors import SpecError
from rbridge.many.bootstrap import Bootstrap
from rbridge.results import LmeResults

WITHIN: dict[str, Any] = {"correlation": "corAR1(form = ~ 1 | subject)"}
FITTED: dict[str, Any] = {"weights": "varPower()"}


@pytest.fixture(scope="module", params=["batched", "one by one", "weights of the fit"])
def fit(request: pytest.FixtureRequest, orthodont: pd.DataFrame) -> LmeResults:
    more = {"batched": {}, "one by one": WITHIN, "weights of the fit": FITTED}[request.param]
    return rb.lme("distance ~ age", orthodont, "~ 1 | subject", **more)


def run(fit: LmeResults, n: int, **options: Any) -> Bootstrap:
    return fit.bootstrap(n, seed=7, progress=False, **options)


def test_estimates_are_those_of_nlme_for_the_same_draws(fit: LmeResults) -> None:
    nlme, native = run(fit, 12), run(fit, 12, engine="native")
    assert (nlme.engine, native.engine) == ("nlme", "native")
    both = nlme.replicates.index
    assert len(native.failures) == 0 and len(both) > 8
    gaps = (native.replicates.loc[both] - nlme.replicates) / native.se
    assert gaps.abs().max().max() < 1e-2  # how far nlme stops from the optimum


def test_nlme_is_the_witness(fit: LmeResults) -> None:
    found = run(fit, 12, engine="native", witness=4)
    assert found.witness is not None and found.witness_gap is not None
    theirs = run(fit, 4).replicates
    pd.testing.assert_frame_equal(found.witness, theirs)
    gaps = (theirs - found.replicates.loc[theirs.index]).abs() / found.se
    assert found.witness_gap == gaps.max().max() < 1e-2
    assert f"{len(theirs)} of them by nlme too, at most" in str(found.summary())


def test_replicates_depend_on_the_seed_alone(fit: LmeResults) -> None:
    one, two = run(fit, 9, engine="native"), run(fit, 9, engine="native", n_jobs=2)
    np.testing.assert_allclose(two.replicates, one.replicates, rtol=1e-5, atol=1e-9)


def test_without_r_and_the_data(fit: LmeResults, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.rb")
    loaded = run(rb.load(tmp_path / "fit.rb"), 5, engine="native")
    pd.testing.assert_frame_equal(loaded.replicates, run(fit, 5, engine="native").replicates)


def test_a_fit_is_bootstrapped_by_its_own_engine(orthodont: pd.DataFrame) -> None:
    for engine in ("pinned", "native"):
        fit = rb.lme("distance ~ age", orthodont, "~ 1 | subject", engine=engine)
        assert run(fit, 2).engine == engine
    assert run(fit, 2, engine="nlme").witness is None


def test_a_witness_goes_with_the_native_engine(orthodont: pd.DataFrame) -> None:
    fit = rb.lme("distance ~ age", orthodont, "~ 1 | subject")
    for wrong in ({"witness": 3}, {"witness": 30, "engine": "native"}, {"engine": "lme4"}):
        with pytest.raises(SpecError, match="witness|engine"):
            run(fit, 20, **wrong)


def test_command_line(tmp_path: Path) -> None:
    data = str(Path(rb.__file__).parent / "datasets" / "orthodont.csv")
    model = ["--fixed", "distance ~ age", "--random", "~ 1 | subject", "--engine", "native"]
    result = CliRunner().invoke(main, ["bootstrap", data, *model, "-n", "9", "--witness", "2"])
    assert result.exit_code == 0, result.output
    assert "engine native" in result.output and "2 of them by nlme too" in result.output
