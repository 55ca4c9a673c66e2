"""The parametric bootstrap through live R: seeds, failures, processes, a cluster, Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import rbridge as rb
from rbridge.cli.app import main
from rbridge.many import bootstrap as module
from tests.support.processes import living

QUIET = dict(progress=False)
WITHIN = dict(correlation="corAR1(form = ~ 1 | subject)", weights="varIdent(form = ~ 1 | sex)")


@pytest.fixture(scope="module")
def fit(orthodont):
    return rb.lme("distance ~ age", orthodont, "~ 1 | subject")


@pytest.fixture(scope="module")
def one_process(fit):
    return fit.bootstrap(24, seed=7, **QUIET)


def test_replicates_depend_on_the_seed_alone(fit, one_process):
    again = fit.bootstrap(24, n_jobs=2, seed=7, **QUIET)
    pd.testing.assert_frame_equal(again.replicates, one_process.replicates)
    assert not fit.bootstrap(2, seed=8, **QUIET).replicates.equals(one_process.replicates[:2])
    pd.testing.assert_frame_equal(
        fit.bootstrap(2, **QUIET).replicates.iloc[:0], one_process.replicates.iloc[:0]
    )


def test_a_fresh_seed_is_kept(fit):
    first = fit.bootstrap(2, **QUIET)
    assert fit.bootstrap(2, seed=first.seed, **QUIET).replicates.equals(first.replicates)


def test_standard_errors_are_those_of_theory(fit):
    many = fit.bootstrap(200, n_jobs=2, seed=1, **QUIET)
    theory = pd.concat([fit.varcomp_vcov("expected").se, fit.bse])
    assert ((many.se / theory - 1).abs() < 0.25).all()
    assert (many.bias.abs() < 5 * many.se / np.sqrt(200)).all()
    assert list(many.replicates.columns) == [*fit.varcomp.index, *fit.params.index]
    for kind in ("percentile", "basic", "bca"):
        ends = many.conf_int(0.9, kind=kind)
        assert ((ends.lower < many.estimates) & (many.estimates < ends.upper)).all()
        assert kind in ends.attrs["method"]


def test_a_refit_is_the_fit_of_the_drawn_response(orthodont):
    """The response may be an expression, the structures any; missing rows stay out."""
    data = orthodont.sample(frac=1, random_state=1).reset_index(drop=True)
    data.loc[3, "distance"] = np.nan
    fit = rb.lme("log(distance) ~ age * sex", data, "~ 1 | subject", **WITHIN)
    refit = module.Refit.of(fit, entropy=5)
    seed = np.random.SeedSequence(5, spawn_key=(0,))
    drawn = refit.source.draw(np.random.default_rng(seed))
    data.loc[fit.snapshot.rows, "z"] = drawn
    by_hand = rb.lme("z ~ age * sex", data, "~ 1 | subject", **WITHIN)
    expected = module.estimates_of(by_hand.snapshot)
    np.testing.assert_array_equal(refit.replicate(0).values, expected)
    assert abs(drawn.mean() - np.log(data.distance).mean()) < 0.2


@pytest.mark.filterwarnings("error")
def test_failures_are_counted_with_their_reasons(seed_fit, monkeypatch):
    retried = seed_fit.bootstrap(30, seed=1, **QUIET)
    monkeypatch.setattr(module, "SECOND_ATTEMPT", {"msMaxIter": 1, "maxIter": 1})
    counts = []
    failing = seed_fit.bootstrap(30, seed=1, progress=lambda *k: counts.append(k))
    assert 0 < len(failing.failures) == counts[-1][2]
    assert retried.retried >= 1 and len(retried.failures) < len(failing.failures)
    assert len(failing.replicates) + len(failing.failures) == 30
    assert not set(failing.replicates.index) & set(failing.failures.index)
    assert failing.failures.str.contains("iteration limit").all()
    shown = str(failing.summary())
    assert f"{len(failing.failures)} failed" in shown and "iteration limit" in shown
    assert f"{retried.retried} fitted at the second attempt" in retried._repr_html_()


def test_where_every_refit_fails_the_reasons_are_shown(fit):
    outcomes = [module.Replicate(None, "no luck", (), 1)] * 3
    none = module.Bootstrap(fit.snapshot, outcomes, 3, 0)
    assert "3 × no luck" in str(none) and none.replicates.shape == (0, 4)
    with pytest.raises(rb.RBridgeError, match="usable replicate"):
        none.conf_int()


def test_without_the_data_there_is_no_refit(fit, tmp_path):
    fit.snapshot.save(tmp_path / "fit")
    with pytest.raises(rb.RBridgeError, match="came without it"):
        rb.load(tmp_path / "fit").bootstrap(2)
    with pytest.raises(rb.RBridgeError, match="positive number of replicates"):
        fit.bootstrap(0)


def test_r_keeps_no_model_of_a_refit(fit, ask_r, r):
    def models():
        r.call("versions")  # what is forgotten goes with the next call
        return ask_r("length(grep('^[.]rb_', ls(as.environment('rbridge'), all.names = TRUE)))")[0]

    before = models()
    fit.bootstrap(5, seed=1, **QUIET)
    assert models() == before


@pytest.mark.grid  # a cluster of the cells one process, several processes, and this
@pytest.mark.filterwarnings("ignore")
def test_under_dask_the_same_call_spreads_over_a_cluster(fit, one_process):
    distributed = pytest.importorskip("distributed")
    import joblib

    local = dict(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with distributed.LocalCluster(**local) as cluster, distributed.Client(cluster) as client:
        with joblib.parallel_backend("dask"):
            spread = fit.bootstrap(24, seed=7, **QUIET)
        pids = client.run(_r_runs)
    assert len(pids) == 2 and all(pids.values())
    pd.testing.assert_frame_equal(spread.replicates, one_process.replicates)


def _r_runs():
    from rpy2.rinterface_lib import embedded

    return embedded.isinitialized()


INTERRUPTED = """
import rbridge as rb
if __name__ == "__main__":
    fit = rb.lme("distance ~ age", rb.datasets.load("orthodont"), "~ 1 | subject")
    show = lambda done, n, failed: print(done, flush=True)
    result = fit.bootstrap(100_000, n_jobs={jobs}, seed=1, progress=show)
    print("kept", len(result.replicates), result.interrupted, flush=True)
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_stops_the_workers_and_keeps_what_is_done(jobs, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED.format(jobs=jobs))
    path = os.pathsep.join([str(Path(rb.__file__).parents[1]), *sys.path])
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path / "tmp")}
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process = subprocess.Popen(
        [sys.executable, str(script)], env=environment, start_new_session=True, **pipes
    )
    done = 0
    while done < 20:
        done = int(process.stdout.readline())
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    out, err = process.communicate(timeout=60)
    kept = out.splitlines()[-1].split()
    assert kept[0] == "kept" and int(kept[1]) >= done and kept[2] == "True"
    assert process.returncode == 0 and "Traceback" not in err and "these are kept" in err
    assert living(process.pid) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_command_line(tmp_path):
    data, saved = Path(rb.__file__).parent / "datasets" / "orthodont.csv", tmp_path / "r.csv"
    model = ["--fixed", "distance ~ age", "--random", "~ 1 | subject"]
    more = ["-n", "6", "--seed", "7", "--level", "0.5", "-o", str(saved)]
    result = CliRunner().invoke(main, ["bootstrap", str(data), *model, *more])
    assert result.exit_code == 0, result.output
    assert "6 replicates, 0 failed; seed 7" in result.output and "50%" in result.output
    assert pd.read_csv(saved, index_col="replicate").shape == (6, 4)
    wrong = CliRunner().invoke(main, ["bootstrap", str(data), *model, "-n", "0"])
    assert wrong.exit_code == 2 and "-n" in wrong.output
