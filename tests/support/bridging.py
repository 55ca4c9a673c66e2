"""What the tests of a live R share: code and functions of R's own, columns through R and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import rbridge as rb
from rbridge.fit.components import Fit
from rbridge.frame.columns import column
from rbridge.r.embedded import embedded_session
from rbridge.r.session import session

# nlme's intervals of the variance components of the model m
INTERVALS = """
i <- nlme::intervals(m, which = "var-cov")
parts <- c(i$reStruct, list(i$corStruct, i$varStruct))
rows <- lapply(Filter(Negate(is.null), parts), as.matrix)
values <- do.call(rbind, c(rows, list(unclass(i$sigma))))
list(names = unlist(lapply(rows, rownames)), values = values)
"""


def in_r(code: str) -> Any:
    """The plain value of R code, evaluated in the global environment behind the wrapper's back."""

    def work() -> Any:
        import rpy2.rinterface as ri

        return _plain(code, ri.globalenv)

    return embedded_session().run(work)


def ask(code: str, fit: Fit | None = None) -> Any:
    """The plain value of R code in a room of its own, in which ``m`` is the fitted model."""
    r = embedded_session()
    number = None if fit is None else fit.in_r("a test").handle.number

    def work() -> Any:
        import rpy2.rinterface as ri

        room = ri.baseenv["new.env"](parent=ri.globalenv)
        if number is not None:
            room["m"] = r.functions["models"][str(number)][0]
        return _plain(f"suppressWarnings({{{code}\n}})", room)

    return r.run(work)


_defined: set[str] = set()


def define(name: str, code: str) -> None:
    """A function of R's that ``session().call(name)`` reaches; never one of the package's own."""
    r = embedded_session()

    def work() -> None:
        assert name in _defined or name not in list(r.functions.keys()), f"{name} is the package's"
        _defined.add(name)
        _evaluated(f"{name} <- {code}", r.functions)

    r.run(work)


def _plain(code: str, room: Any) -> Any:
    from rbridge.r.from_r import from_r

    return from_r(_evaluated(code, room))


def _evaluated(code: str, room: Any) -> Any:
    import rpy2.rinterface as ri

    return ri.baseenv["eval"](ri.baseenv["parse"](text=ri.StrSexpVector([code])), room)


def through_r(values: Any, name: str = "x") -> pd.Series:
    """A column as R holds it, read back with its class."""
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    return session().call("build_frame", {name: vars(column(series, name))}).value[name]


def grouped(n_groups: int = 12, size: int = 5, seed: int = 1) -> pd.DataFrame:
    """y, x and a group g: enough for a random intercept."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n_groups), size)
    x = rng.normal(size=len(g))
    y = 1 + 2 * x + rng.normal(size=n_groups)[g] + rng.normal(size=len(g)) / 2
    return pd.DataFrame({"y": y, "x": x, "g": g})


def slope(seed: int) -> float:
    """The slope fitted to :func:`grouped` data; for worker processes, which import it."""
    return float(rb.lme("y ~ x", grouped(seed=seed), "~ 1 | g").params["x"])


def quoted(name: str) -> str:
    """A column's name as a formula writes it."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
