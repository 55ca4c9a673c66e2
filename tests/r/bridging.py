"""What the bridge's tests share: columns through R and back, and Python in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rbridge.frame.columns import column
from rbridge.r.embedded import session

ROOT = Path(__file__).parents[2]


def through_r(values: Any, name: str = "x") -> pd.Series:
    """A column as R holds it, read back with its class."""
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    return session().call("build_frame", {name: vars(column(series, name))}).value[name]


def in_r(code: str) -> Any:
    """The plain value of R code, evaluated behind the wrapper's back."""
    r = session()

    def work() -> Any:
        import rpy2.rinterface as ri

        from rbridge.r.from_r import from_r

        text = ri.StrSexpVector([code])
        return from_r(ri.baseenv["eval"](ri.baseenv["parse"](text=text), ri.globalenv))

    return r._wait(r._submit(work))


def define(name: str, code: str) -> None:
    """A function of R's that ``session().call(name)`` reaches."""
    r = session()

    def work() -> None:
        import rpy2.rinterface as ri

        text = ri.StrSexpVector([f"{name} <- {code}"])
        ri.baseenv["eval"](ri.baseenv["parse"](text=text), r._call_safely.closureenv)

    r._wait(r._submit(work))


def python(code: str, *, cwd: Any = None, timeout: float = 60, **environment: str | None) -> Any:
    """Run code in a fresh Python; None unsets a variable. The finished process."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'r'}"}
    for key, value in environment.items():
        env.pop(key, None)
        if value is not None:
            env[key] = value
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout
    )


def says(code: str, **options: Any) -> str:
    """Standard output of a fresh Python that must end well."""
    done = python(code, **options)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return str(done.stdout).strip()


def grouped(n_groups: int = 12, size: int = 5, seed: int = 1) -> pd.DataFrame:
    """y, x and a group g: enough for a random intercept."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n_groups), size)
    x = rng.normal(size=len(g))
    y = 1 + 2 * x + rng.normal(size=n_groups)[g] + rng.normal(size=len(g)) / 2
    return pd.DataFrame({"y": y, "x": x, "g": g})
