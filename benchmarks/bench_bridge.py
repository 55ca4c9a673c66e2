"""What the bridge costs: a call, a column, a fit, a cold start.

    python3 benchmarks/bench_bridge.py

Prints a table: each figure, the figure to reach, and whether it is reached.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import rbridge as rb
from rbridge.frame.columns import column
from rbridge.r.embedded import embedded_session

N = 1_000_000
COLUMNS = {"float64": 100, "category": 100, "string": 10}  # dtype → times faster than pandas2ri


def best(
    work: Callable[[], Any], repeat: int = 5, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of the fastest of several runs; ``time.process_time`` leaves other programs out."""
    times = []
    for _ in range(repeat):
        started = clock()
        work()
        times.append(clock() - started)
    return min(times)


def show(what: str, figure: str, goal: str, reached: bool) -> None:
    print(f"{what:<44} {figure:>14}   {goal:<14} {'reached' if reached else 'NOT REACHED'}")


def define(name: str, code: str) -> None:
    r = embedded_session()

    def work() -> None:
        import rpy2.rinterface as ri

        text = ri.StrSexpVector([f"{name} <- {code}"])
        ri.baseenv["eval"](ri.baseenv["parse"](text=text), r.functions)

    r.run(work)


def call_overhead() -> None:
    define("nothing", "function(x) x")
    r = embedded_session()
    calls = [best(lambda: r.call("nothing", 1.0), 1) for _ in range(2000)]
    seconds = float(np.median(calls))
    show("one call of R", f"{seconds * 1e3:.2f} ms", "≤ 0.5 ms", seconds <= 0.5e-3)


def series(dtype: str) -> pd.Series:
    codes = np.arange(N) % 7
    values = {"float64": codes * 1.5, "category": pd.Categorical(codes.astype(str))}
    return pd.Series(values.get(dtype, np.array(list("abcdefg"), dtype=object)[codes]))


def columns() -> None:
    define("hold", "function(columns) { build_frame(columns); NULL }")
    r = embedded_session()
    for dtype, goal in COLUMNS.items():
        values = series(dtype)
        ours = best(lambda: r.call("hold", {"x": vars(column(values, "x"))}), 3)
        theirs = raw_pandas2ri(dtype)
        figure = f"{ours * 1e3:.0f} ms, {theirs / ours:.0f}x"
        show(f"10⁶ rows of {dtype} to R", figure, f"≥ {goal}x", theirs / ours >= goal)


RAW = """
import sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd, rpy2.robjects as ro
from rpy2.robjects import pandas2ri
from rpy2.robjects.conversion import localconverter
sys.path.insert(0, sys.argv[2])
from bench_bridge import series
frame = pd.DataFrame({"x": series(sys.argv[1])})
with localconverter(ro.default_converter + pandas2ri.converter):
    ro.conversion.py2rpy(frame.head())
    started = time.perf_counter()
    ro.conversion.py2rpy(frame)
    print(time.perf_counter() - started)
"""


def raw_pandas2ri(dtype: str) -> float:
    """Seconds that plain pandas2ri takes for the same column."""
    command = [sys.executable, "-c", RAW, dtype, os.path.dirname(os.path.abspath(__file__))]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def fit_overhead(n: int = 20_000) -> None:
    """``rb.lme`` with a random slope against the same call timed inside R; seconds of CPU."""
    rng = np.random.default_rng(1)
    g = np.arange(n) // 10
    x = rng.normal(size=n)
    b = rng.normal(size=(n // 10, 2))
    y = 1 + 2 * x + b[g, 0] + b[g, 1] * x / 2 + rng.normal(size=n)
    frame = pd.DataFrame({"y": y, "x": x, "g": g})
    define(
        "timed",
        """function(columns) {
      d <- build_frame(columns)
      started <- sum(proc.time()[1:2])
      nlme::lme(y ~ x, d, ~ x | g)
      sum(proc.time()[1:2]) - started }""",
    )
    plain = {name: vars(column(frame[name], name)) for name in frame}
    plain["g"] = vars(column(frame.g.astype("category"), "g"))
    ours, inside = [], []
    for _ in range(7):
        inside.append(float(embedded_session().call("timed", plain).value[0]))
        ours.append(best(lambda: rb.lme("y ~ x", frame, "~ x | g"), 1, time.process_time))
    more = min(ours) / min(inside) - 1
    figure = f"{min(inside):.2f} s, {more:+.1%}"
    show(f"rb.lme on {n} rows against lme in R", figure, "≤ +5 %", more <= 0.05)


COLD = """
import rbridge as rb
rb.lme("distance ~ age", rb.datasets.load("orthodont"), "~ 1 | subject")
"""


def cold(what: str, code: str, goal: float) -> None:
    command = [sys.executable, "-c", code]
    seconds = best(lambda: subprocess.run(command, check=True), 3)
    show(what, f"{seconds:.2f} s", f"≤ {goal} s", seconds <= goal)


def isolation() -> None:
    frame = rb.datasets.load("orthodont")

    def fit() -> None:
        rb.lme("distance ~ age", frame, "~ 1 | subject")

    inside = best(fit)
    with rb.set_isolation("process"):
        first = best(fit, 1)
        show("first fit in a worker process", f"{first:.2f} s", "≤ 2.5 s", first <= 2.5)
        more = best(fit) - inside
        show(
            "a fit in a worker process costs more by",
            f"{more * 1e3:.1f} ms",
            "≤ 5 ms",
            more <= 5e-3,
        )


def main() -> None:
    warnings.simplefilter("ignore")
    call_overhead()
    fit_overhead()
    columns()
    cold("first fit from a cold Python", COLD, 2.5)
    isolation()


if __name__ == "__main__":
    main()
