"""`rb.lme` by each engine, from the frame to the fit; lme()'s floor; refits; many outcomes.

usage: python benchmarks/bench_engines.py
CPU seconds, the least of several runs, all in one process; ratios are to engine="nlme".
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from bench_bridge import define  # noqa: E402

import rbridge as rb  # noqa: E402
from rbridge.errors import RBridgeError  # noqa: E402
from rbridge.fit.pinned import pin_at  # noqa: E402
from rbridge.frame.design import build_design  # noqa: E402
from rbridge.options import ENGINES  # noqa: E402
from rbridge.r.payload import payload  # noqa: E402
from rbridge.r.session import session  # noqa: E402


def slopes(n: int) -> pd.DataFrame:
    """Random slopes, ten rows a group."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(n // 10), 10), rng.normal(size=n)
    b = rng.normal(size=(n // 10, 2)) * [1.2, 0.4]
    y = 1 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "g": g})


def cpu(work: Callable[[], object], repeats: int) -> float | None:
    """Least CPU seconds; None where the fit fails."""
    took = []
    for _ in range(repeats):
        begin = time.process_time()
        try:
            work()
        except RBridgeError:
            return None
        took.append(time.process_time() - begin)
    return min(took)


def line(what: str, times: dict[str, float | None]) -> None:
    first = times["nlme"]
    shown = [f"{what:<34}"]
    for name, took in times.items():
        ratio = f" ({first / took:.1f} x)" if first and took and name != "nlme" else ""
        shown.append(f"{name} " + ("no fit" if took is None else f"{1e3 * took:.0f} ms") + ratio)
    print("   ".join(shown), flush=True)


def fits(what: str, repeats: int, **model: Any) -> None:
    line(what, {e: cpu(lambda e=e: rb.lme(engine=e, **model), repeats) for e in ENGINES})


FLOOR = """function(model, apvar) {
  frame <- set_contrasts(build_frame(model$data), model$contrasts)
  assign(".rb_floor", frame, envir = shelf)
  model$control$apVar <- apvar
  call <- build_call(model, as.name(".rb_floor"), frame)
  least <- Inf
  for (i in 1:12) {
    begin <- sum(proc.time()[1:2])
    for (j in 1:5) eval(call, globalenv())
    least <- min(least, (sum(proc.time()[1:2]) - begin) / 5)
  }
  1000 * least
}"""


def floor(what: str, **model: Any) -> None:
    """lme() itself, timed in R: its search, and held at the optimum; with apVar and without."""
    define("floor", FLOOR)
    fit = rb.lme(engine="native", **model)
    design = build_design(fit.spec, model["data"])
    pin = pin_at(fit.spec, fit.snapshot)
    held = {**payload(pin.spec, design), "control": dict(pin.control)}
    shown = [f"{what:<34}"]
    for name, asked in {"search": payload(fit.spec, design), "held": held}.items():
        took = [float(session().call("floor", asked, apvar).value[0]) for apvar in (True, False)]
        shown.append(f"lme() {name} {took[0]:.1f} ms, without apVar {took[1]:.1f} ms")
    print("   ".join(shown), flush=True)


def bootstrap(what: str, random: str, few: int = 40) -> None:
    fit = rb.lme("distance ~ age * sex", rb.datasets.load("orthodont"), random)
    run = {e: dict(engine=e, seed=1, progress=False) for e in ENGINES}
    times = {"nlme": cpu(lambda: fit.bootstrap(few, **run["nlme"]), 1)}
    times["nlme"] = times["nlme"] and times["nlme"] * 1000 / few
    times["native"] = cpu(lambda: fit.bootstrap(1000, **run["native"]), 5)
    line(f"bootstrap 1 000, {what}", times)


def outcomes(n: int, few: int = 20) -> None:
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(50), 6), np.tile(np.arange(6.0), 50)
    Y = rng.normal(size=(300, n)) + rng.normal(size=(50, n))[g] + 0.3 * x[:, None]
    data = pd.DataFrame(Y, columns=[f"y{i}" for i in range(n)]).assign(x=x, g=g)
    names = list(data.columns[:n])

    def run(engine: str, k: int) -> object:
        more: dict[str, Any] = {"engine": engine, "progress": False, "outcomes": names[:k]}
        return rb.lme_many("~ x", data, "~ 1 | g", **more)

    theirs = cpu(lambda: run("nlme", few), 2)
    times = {"nlme": theirs and theirs * n / few, "native": cpu(lambda: run("native", n), 2)}
    line(f"{n} outcomes, one design", times)


def small() -> dict[str, dict[str, Any]]:
    load = rb.datasets.load
    return {
        "orthodont": dict(fixed="distance ~ age", data=load("orthodont"), random="~ age | subject"),
        "oxboys": dict(fixed="height ~ age", data=load("oxboys"), random="~ age | subject"),
        "ovary, AR(1)": dict(
            fixed="follicles ~ sin(2 * pi * time) + cos(2 * pi * time)",
            data=load("ovary"),
            random="~ 1 | mare",
            correlation="corAR1(form = ~ 1 | mare)",
        ),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    fits("20 000 rows", 3, fixed="y ~ x", data=slopes(20_000), random="~ x | g")
    fits("200 000 rows", 1, fixed="y ~ x", data=slopes(200_000), random="~ x | g")
    for what, model in small().items():
        fits(what, 10, **model)
        floor(what, **model)
    bootstrap("intercept", "~ 1 | subject")
    bootstrap("slope", "~ age | subject")
    outcomes(20_000)
    big = slopes(10**6)
    for engine in ("native", "pinned", "nlme"):
        took = cpu(lambda e=engine: rb.lme("y ~ x", big, "~ x | g", engine=e), 1)
        print(f"10⁶ rows   {engine} " + ("no fit" if took is None else f"{took:.2f} s"), flush=True)


if __name__ == "__main__":
    main()
