"""The expected information: CPU time beside lmeInfo's, scaling with the rows, peak memory.

usage: python benchmarks/bench_information.py
lmeInfo is timed inside R, by Rscript; without it its rows are left out.
"""

from __future__ import annotations

import csv
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from bench_bridge import define  # noqa: E402

import rbridge as rb  # noqa: E402
from rbridge.core.arrays import Array  # noqa: E402
from rbridge.core.information import information  # noqa: E402
from rbridge.core.snapshot import (  # noqa: E402
    ApVarUnavailable,
    CorStruct,
    FitSnapshot,
    PdBlock,
    RandomLevel,
)
from rbridge.model.spec import ModelSpec  # noqa: E402
from rbridge.r.embedded import embedded_session  # noqa: E402
from rbridge.r.snapshot import snapshot_of  # noqa: E402

SCRIPT = Path(__file__).with_suffix(".R")


def level(group: str, codes: Array, Z: Array, D: Array) -> RandomLevel:
    names = tuple(f"z{j}" for j in range(Z.shape[1]))
    m = int(codes[-1]) + 1
    labels, b = tuple(map(str, range(m))), np.zeros((m, len(names)))
    return RandomLevel(group, (PdBlock("pdLogChol", names),), names, Z, codes, labels, D, b)


def snapshot(y: Array, x: Array, *levels: RandomLevel, cor: CorStruct | None = None) -> FitSnapshot:
    X = np.column_stack([np.ones(len(y)), x])
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    return FitSnapshot(
        kind="lme" if levels else "gls",
        method="REML",
        y=y,
        X=X,
        coef_names=("(Intercept)", "x"),
        beta=beta,
        std_error=0 * beta,
        df=0 * beta,
        vcov=np.eye(2),
        levels=levels,
        cor=cor,
        var=(),
        sigma=1.0,
        fixed_sigma=False,
        apvar=ApVarUnavailable("benchmark"),
        log_lik=0.0,
        fitted=np.zeros((len(y), 1 + len(levels))),
        rows=np.arange(len(y)),
    )


def random_slope(groups: int, size: int = 10) -> FitSnapshot:
    rng = np.random.default_rng(1)
    codes, x = np.repeat(np.arange(groups), size), np.tile(np.arange(size) - 4.5, groups)
    b = rng.normal(size=(groups, 2)) * [1.0, 0.3]
    y = b[codes, 0] + (1 + b[codes, 1]) * x + rng.normal(size=len(x))
    Z = np.column_stack([np.ones(len(x)), x])
    return snapshot(y, x, level("g", codes, Z, np.diag([1.0, 0.09])))


def large_blocks(blocks: int = 3, rows: int = 1000, groups: int = 500) -> FitSnapshot:
    rng = np.random.default_rng(2)
    outer = np.repeat(np.arange(blocks), rows)
    inner = np.repeat(np.arange(blocks * groups), rows // groups)
    one, x = np.ones((len(outer), 1)), rng.normal(size=len(outer))
    y = x + 2 * rng.normal(size=blocks)[outer] + rng.normal(size=inner[-1] + 1)[inner]
    y += rng.normal(size=len(x))
    variances = np.array([[4.0]]), np.array([[1.0]])
    return snapshot(
        y, x, level("g", outer, one, variances[0]), level("h", inner, one, variances[1])
    )


def one_series(n: int) -> FitSnapshot:
    rng = np.random.default_rng(3)
    time_ = np.arange(float(n))[:, None]
    cor = CorStruct("corAR1", ("Phi",), np.array([0.5]), False, np.zeros(n, dtype=int), time_)
    return snapshot(rng.normal(size=n), time_[:, 0] / n, cor=cor)


def seconds(f: Callable[[], object], repeats: int = 9) -> float:
    f()
    took = []
    for _ in range(repeats):
        begin = time.process_time()
        f()
        took.append(time.process_time() - begin)
    return statistics.median(took)


def lmeinfo(fit: FitSnapshot, random: str) -> tuple[float, Array, Array] | None:
    """Seconds of Fisher_info, θ and its matrix for the same data; None without R or lmeInfo."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        table = csv.writer(file)
        table.writerow(["y", "x", *(lv.group for lv in fit.levels)])
        table.writerows(zip(fit.y, fit.X[:, 1], *(lv.codes + 10**6 for lv in fit.levels)))
        file.flush()
        command = ["Rscript", str(SCRIPT), file.name, random]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"lmeInfo not timed: {done.stderr.strip()}")
        return None
    took, theta, matrix = (np.array(line.split(), dtype=float) for line in done.stdout.splitlines())
    return float(took[0]), theta, matrix.reshape(len(theta), len(theta))


def row(what: str, ours: float, rival: str, ratio: str, target: str) -> None:
    print(f"{what:<44} {1e3 * ours:9.2f} ms   {rival:<28} {ratio:>12}   {target}")


def crossing(fit: FitSnapshot) -> float:
    """Seconds in which a fit of the same data, ready in R, becomes a snapshot here."""
    columns = {"y": fit.y, "x": fit.X[:, 1], "g": fit.levels[0].codes}
    fitted = rb.lme("y ~ x", pd.DataFrame(columns), "~ x | g").in_r("the benchmark")
    define("snapshot_of", "function(id) { m <- models[[id]]; snapshot(m$fit, m$frame) }")
    number = str(fitted.handle.number)

    def cross() -> None:
        answer = embedded_session().call("snapshot_of", number).value
        snapshot_of(answer, ModelSpec.from_dict(fitted.snapshot.spec), fitted.design, {})

    return seconds(cross)


def beside_lmeinfo(what: str, fit: FitSnapshot, random: str, target: str) -> None:
    ours = seconds(lambda: information(replace(fit)))  # never seen before
    reference = lmeinfo(fit, random)
    if reference is None:
        row(what, ours, "lmeInfo: not available", "", target)
        return
    theirs, theta, matrix = reference
    scale = np.sqrt(np.outer(np.diagonal(matrix), np.diagonal(matrix)))
    gap = np.abs((information(fit, theta=theta).matrix - matrix) / scale).max()
    row(what, ours, f"lmeInfo {theirs:.2f} s", f"{theirs / ours:.0f} x", target)
    print(f"{'':<44} the two matrices differ by {gap:.0e}")
    if len(fit.levels) == 1:
        whole = ours + crossing(fit)
        row(
            "  … counting the crossing from R",
            whole,
            "the same",
            f"{theirs / whole:.0f} x",
            ">= 100 x",
        )


def beside_one_product() -> None:
    fit = random_slope(10**5)
    arrays = fit.y, fit.X, fit.levels[0].Z, fit.levels[0].codes
    B = np.column_stack([fit.levels[0].Z, fit.X, fit.y])
    product = seconds(lambda: B.T @ B)
    ours = seconds(lambda: information(fit))
    what = "1 000 000 rows, 100 000 groups"
    row(what, ours, f"B.T @ B {1e3 * product:.1f} ms", f"{ours / product:.1f} x", "<= 15 x")
    tracemalloc.start()
    information(fit)
    peak = tracemalloc.get_traced_memory()[1] / sum(a.nbytes for a in arrays)
    tracemalloc.stop()
    print(f"{'':<44} peak memory {peak:.2f} times the input arrays (<= 6)")


def main() -> None:
    wanted = "20 000 rows, 2 000 groups, random slope"
    beside_lmeinfo(wanted, random_slope(2000), "~ x | g", ">= 1500 x")
    beside_lmeinfo(
        "3 blocks of 1 000 rows, 500 inner groups", large_blocks(), "~ 1 | g/h", ">= 300 x"
    )
    beside_one_product()
    short, long = (seconds(partial(information, one_series(n))) for n in (10**4, 10**5))
    row("AR(1), 100 000 points", long, "10 000 points", f"{long / short:.1f} x", "<= 13 x")


if __name__ == "__main__":
    main()
