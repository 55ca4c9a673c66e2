"""Kenward–Roger: CPU time beside the expected information's and pbkrtest's, scaling with the rows.

usage: python benchmarks/bench_fixed_effects.py
pbkrtest is timed inside R, by Rscript; without it its row is left out.
"""

from __future__ import annotations

import csv
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from bench_information import random_slope, row  # noqa: E402

from rbridge.core.arrays import Array  # noqa: E402
from rbridge.core.engine.contractions import contract  # noqa: E402
from rbridge.core.fixed_effects.inference import Inference, inference  # noqa: E402
from rbridge.core.information import information  # noqa: E402
from rbridge.core.snapshot import FitSnapshot  # noqa: E402

SCRIPT = Path(__file__).with_suffix(".R")
SLOPE = np.array([[0.0, 1.0]])


def cpu_seconds(f: Callable[[], object], repeats: int = 9) -> float:
    """Median of several; the clock of the process, which others on the machine do not move."""
    f()
    took = []
    for _ in range(repeats):
        begin = time.process_time()
        f()
        took.append(time.process_time() - begin)
    return statistics.median(took)


def kenward_roger(fit: FitSnapshot) -> Inference:
    """The pass, the adjusted covariance, the tests of every coefficient and of all."""
    asked = inference(fit, contract(fit))
    asked.rows(np.eye(2))
    asked.test(np.eye(2))
    return asked


def robust(fit: FitSnapshot) -> Inference:
    asked = inference(fit, contract(fit), vcov="CR2")
    asked.rows(np.eye(2))
    return asked


def pbkrtest(fit: FitSnapshot) -> tuple[Array, Array] | None:
    """CPU seconds of vcovAdj and KRmodcomp, and what they say; None without R or pbkrtest."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        table = csv.writer(file)
        table.writerow(["y", "x", "g"])
        table.writerows(zip(fit.y, fit.X[:, 1], fit.levels[0].codes))
        file.flush()
        command = ["Rscript", str(SCRIPT), file.name]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"pbkrtest not timed: {done.stderr.strip()}")
        return None
    took, found = (np.array(line.split(), dtype=float) for line in done.stdout.splitlines())
    return took, found


def beside_pbkrtest() -> None:
    fit = random_slope(300)
    ours, answer = cpu_seconds(lambda: kenward_roger(fit)), pbkrtest(fit)
    what = "3 000 rows, 300 groups, random slope"
    if answer is None:
        row(what, ours, "pbkrtest: not available", "", "")
        return
    theirs = float(answer[0].sum())
    row(what, ours, f"pbkrtest {theirs:.2f} s", f"{theirs / ours:.0f} x", "")
    df = kenward_roger(fit).rows(SLOPE).df[0]  # at the true components, theirs at the estimates
    print(f"{'':<44} df of the slope: {df:.1f} here, {answer[1][0]:.1f} by pbkrtest")


def beside_the_information() -> None:
    for groups, target in ((2000, "<= 3 x"), (10**5, "<= 1 s CPU")):
        fit = random_slope(groups)
        repeats = 9 if groups < 10**4 else 3
        alone = cpu_seconds(lambda: information(fit), repeats)
        ours = cpu_seconds(lambda: kenward_roger(fit), repeats)
        what = f"{10 * groups:,} rows, {groups:,} groups".replace(",", " ")
        rival = f"information {1e3 * alone:.1f} ms"
        row(what, ours, rival, f"{ours / alone:.2f} x", target)


def main() -> None:
    print("CPU time of Kenward–Roger: one pass, adjusted covariance, tests")
    beside_the_information()
    beside_pbkrtest()
    fit = random_slope(2000)
    row("CR2, 20 000 rows", cpu_seconds(lambda: robust(fit), 3), "", "", "")


if __name__ == "__main__":
    main()
