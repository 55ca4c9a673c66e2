"""lme_many on 5 000 small data sets: CPU of a fit by each engine; fits a second by two processes.

usage: python benchmarks/bench_many.py [fits] [repeats]
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

import rbridge as rb


def small_data_sets(m: int, seed: int = 1) -> pd.DataFrame:
    """``m`` data sets of 6 subjects with 4 rows each."""
    rng = np.random.default_rng(seed)
    n = m * 24
    intercept = rng.normal(size=m * 6).repeat(4)
    x = np.tile(np.arange(4.0), m * 6)
    y = 1 + 0.5 * x + intercept + 0.5 * rng.normal(size=n)
    gene, subject = np.arange(n) // 24, np.arange(n) // 4 % 6
    return pd.DataFrame({"gene": gene, "subject": subject, "x": x, "y": y})


def seconds(data: pd.DataFrame, n_jobs: int) -> float:
    begin = time.perf_counter()
    table = rb.lme_many("y ~ x", data, "~ 1 | subject", by="gene", n_jobs=n_jobs)
    assert table.reason.eq("").mean() > 0.95, table.reason.value_counts()
    return time.perf_counter() - begin


def engines(fits: int, random: str) -> None:
    """CPU of one fit, R's included, which runs in this process."""
    data, times = small_data_sets(fits), {}
    for engine in ("nlme", "native"):
        asked = dict(random=random, by="gene", engine=engine, progress=False)
        rb.lme_many("y ~ x", data[data.gene < 5], **asked)
        begin = time.process_time()
        rb.lme_many("y ~ x", data, **asked)
        times[engine] = (time.process_time() - begin) / fits
    per_fit = ", ".join(f"{engine} {1e3 * took:.2f} ms" for engine, took in times.items())
    print(f"{random}: {per_fit}: {times['nlme'] / times['native']:.0f} x", flush=True)


def main(fits: int = 5000, repeats: int = 3) -> None:
    for random in ("~ 1 | subject", "~ x | subject"):
        engines(min(fits, 500), random)
    data = small_data_sets(fits)
    for n_jobs in (1, 2):  # R and the workers start outside the clock
        seconds(small_data_sets(20), n_jobs)
    best = {1: np.inf, 2: np.inf}
    for k in range(repeats):
        for n_jobs in best:  # in turn, so that the machine's other work falls on both
            took = seconds(data, n_jobs)
            best[n_jobs] = min(best[n_jobs], took)
            print(f"run {k + 1}, {n_jobs} process(es): {took:.1f} s, {fits / took:.0f} fits/s")
    print(f"best of {repeats}: 2 processes are {best[1] / best[2]:.2f} times as fast as 1")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
