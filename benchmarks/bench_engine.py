"""Fits by the engine here beside nlme's, CPU seconds of the same run; the informations alone.

usage: python benchmarks/bench_engine.py
nlme is timed inside R, by Rscript; without it its column is left out. Both start from the data;
reading them is not counted for either.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from bench_information import level, snapshot  # noqa: E402

from rbridge.core.arrays import Array  # noqa: E402
from rbridge.core.fitting.maximum import estimate  # noqa: E402
from rbridge.core.information import information  # noqa: E402
from rbridge.core.likelihood import score  # noqa: E402
from rbridge.core.snapshot import CorStruct, FitSnapshot, VarFunc  # noqa: E402

SCRIPT = Path(__file__).with_suffix(".R")


@dataclass(frozen=True)
class Case:
    """A model: its data for both, R's call, and the ratio to reach."""

    name: str
    fit: FitSnapshot
    columns: dict[str, Array]
    call: str
    target: str


def groups(n: int, size: int = 10) -> Array:
    return np.repeat(np.arange(n // size), size)


def slope(n: int, target: str) -> Case:
    rng = np.random.default_rng(1)
    g, x = groups(n), rng.normal(size=n)
    b = rng.normal(size=(n // 10, 2)) * [1.2, 0.4]
    y = 1 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=n)
    Z = np.column_stack([np.ones(n), x])
    fit = snapshot(y, x, level("g", g, Z, np.eye(2)))
    call = "lme(y ~ x, data, ~ x | g, control = held)"
    return Case(f"random slope, {n} rows", fit, {"y": y, "x": x, "g": g}, call, target)


def nested(n: int, target: str) -> Case:
    rng = np.random.default_rng(2)
    g, h, x = groups(n, 20), groups(n, 4), rng.normal(size=n)
    y = x + rng.normal(size=n // 20)[g] + 0.6 * rng.normal(size=n // 4)[h] + rng.normal(size=n)
    one = np.ones((n, 1))
    fit = snapshot(y, x, level("g", g, one, np.eye(1)), level("h", h, one, np.eye(1)))
    call = "lme(y ~ x, data, ~ 1 | g/h, control = held)"
    return Case(f"nested, {n} rows", fit, {"y": y, "x": x, "g": g, "h": h}, call, target)


def intercept(n: int, sd: Array | float = 1.0, phi: float = 0.0) -> tuple[Array, Array, Array]:
    """y, x and g with a random intercept, residuals of the given size, autocorrelated."""
    rng = np.random.default_rng(3)
    g, x, e = groups(n), rng.normal(size=n), rng.normal(size=(n // 10, 10))
    for j in range(1, 10):
        e[:, j] = phi * e[:, j - 1] + np.sqrt(1 - phi**2) * e[:, j]
    return x + 0.8 * rng.normal(size=n // 10)[g] + sd * e.ravel(), x, g


def one(y: Array, x: Array, g: Array, **structure: object) -> FitSnapshot:
    fit = snapshot(y, x, level("g", g, np.ones((len(y), 1)), np.eye(1)))
    return replace(fit, **structure)  # type: ignore[arg-type]


def autoregressive(n: int, target: str) -> Case:
    y, x, g = intercept(n, phi=0.5)
    time_ = np.tile(np.arange(10.0), n // 10)[:, None]
    cor = CorStruct("corAR1", ("Phi",), np.array([0.1]), False, g, time_)
    call = "lme(y ~ x, data, ~ 1 | g, correlation = corAR1(form = ~ 1 | g), control = held)"
    fit = one(y, x, g, cor=cor)
    return Case(f"AR(1), {n} rows", fit, {"y": y, "x": x, "g": g}, call, target)


def strata(n: int, target: str) -> Case:
    s = np.tile([0, 1], n // 2)
    y, x, g = intercept(n, sd=np.where(s == 1, 1.7, 1.0))
    free = np.array([False, True])
    var = VarFunc("varIdent", "", ("0", "1"), np.ones(2), free, None, s, ("0", "1"))
    call = "lme(y ~ x, data, ~ 1 | g, weights = varIdent(form = ~ 1 | s), control = held)"
    columns = {"y": y, "x": x, "g": g, "s": s}
    return Case(f"varIdent, {n} rows", one(y, x, g, var=(var,)), columns, call, target)


def power(n: int, target: str) -> Case:
    v = np.random.default_rng(4).uniform(1, 4, n)
    y, x, g = intercept(n, sd=v**0.7)
    var = VarFunc("varPower", "", ("power",), np.zeros(1), np.array([True]), v, None)
    call = "lme(y ~ x, data, ~ 1 | g, weights = varPower(form = ~ v), control = held)"
    columns = {"y": y, "x": x, "g": g, "v": v}
    return Case(f"varPower, {n} rows", one(y, x, g, var=(var,)), columns, call, target)


def cpu(f: Callable[[FitSnapshot], object], fit: FitSnapshot, repeats: int) -> float:
    """Least CPU seconds, each time of a snapshot never seen before."""
    took = []
    for _ in range(repeats):
        fresh = replace(fit)
        begin = time.process_time()
        f(fresh)
        took.append(time.process_time() - begin)
    return min(took)


def nlme(case: Case) -> tuple[float, float] | None:
    """CPU seconds and log-likelihood; None without R or where the fit fails."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        table = csv.writer(file)
        table.writerow(case.columns)
        table.writerows(zip(*case.columns.values()))
        file.flush()
        command = ["Rscript", str(SCRIPT), file.name, case.call]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return None
    took, log_lik = map(float, done.stdout.split())
    return took, log_lik


def beside_nlme(case: Case) -> None:
    estimate(replace(case.fit))
    ours, found = cpu(estimate, case.fit, 9), estimate(case.fit)
    theirs = nlme(case)
    what = f"{case.name:<28} {1e3 * ours:8.1f} ms, {found.evaluations:2d} evaluations"
    if theirs is None:
        print(f"{what}   nlme: no fit                       {case.target}")
        return
    ratio = f"{theirs[0] / ours:6.1f} x"
    gain = f"log-likelihood {found.log_lik - theirs[1]:+.0e}"
    print(f"{what}   nlme {theirs[0]:6.2f} s  {ratio}  {gain}   {case.target}")


def alone(what: str, f: Callable[[FitSnapshot], object], fit: FitSnapshot, target: str) -> None:
    f(fit)
    cold = cpu(f, fit, 3)
    warm = min(cpu(lambda _: f(fit), fit, 1) for _ in range(3))
    print(f"{what:<44} {1e3 * cold:8.1f} ms, again {1e3 * warm:8.1f} ms   {target}")


def series(n: int) -> FitSnapshot:
    rng = np.random.default_rng(5)
    at = np.arange(float(n))
    values = np.array([0.5, 0.3])
    names, whole = ("Phi1", "Theta1"), np.zeros(n, dtype=int)
    cor = CorStruct("corARMA", names, values, False, whole, at[:, None], p=1, q=1)
    return snapshot(rng.normal(size=n), at / n, cor=cor)


def of_power(fit: FitSnapshot) -> FitSnapshot:
    v = np.random.default_rng(6).uniform(1, 3, fit.n)
    free = np.array([True])
    return replace(fit, var=(VarFunc("varPower", "", ("power",), np.array([0.3]), free, v, None),))


def main() -> None:
    for case in (
        slope(20_000, ">= 20 x"),
        slope(200_000, ">= 50 x"),
        nested(20_000, ">= 30 x"),
        autoregressive(20_000, ">= 40 x"),
        strata(20_000, ">= 20 x"),
        power(20_000, ">= 15 x"),
    ):
        beside_nlme(case)
    alone("fit, random slope, 10⁶ rows", estimate, slope(10**6, "").fit, "<= 800 ms")
    alone("fit, AR(1), 10⁶ rows", estimate, autoregressive(10**6, "").fit, "<= 800 ms")
    for n, target in ((20_000, "<= 4 ms"), (10**6, "<= 60 ms")):
        alone(f"expected information, {n} rows", information, slope(n, "").fit, target)
    for n in (2_000, 20_000):
        alone(f"ARMA(1,1), one series of {n}", score, series(n), "<= 200 ms at 2 000")
        alone("  … with varPower", score, of_power(series(n)), "")


if __name__ == "__main__":
    main()
