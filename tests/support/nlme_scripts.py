"""The fits of nlme's own scripts of Pinheiro and Bates's book, made by R: a second source."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Left out: simulations of many minutes, other packages' data, non-linear fits, pictures.
PROGRAM = r"""
suppressMessages(library(nlme))
path <- system.file("scripts", commandArgs(TRUE)[1], package = "nlme", mustWork = TRUE)
skip <- "LRTsim|PBIB|nls\\(|^plot|^qqnorm|^pairs|interactive|^pdf|^summary"
sink(nullfile())
pdf(NULL)
for (call in parse(path))
  if (!any(grepl(skip, deparse(call))))
    suppressWarnings(try(eval(call, globalenv()), silent = TRUE))
sink()
for (name in ls(globalenv(), pattern = "^fm")) {
  fit <- get(name)
  b <- if (inherits(fit, "lme")) fixef(fit) else unlist(coef(fit))
  ll <- if (inherits(fit, c("lme", "gls"))) logLik(fit) else NA
  df <- if (is.na(ll)) NA else attr(ll, "df")
  cat(name, class(fit)[1], format(c(ll), digits = 15), df, format(b, digits = 15), "\n")
}
"""


@dataclass(frozen=True)
class ScriptFit:
    kind: str  # lme, gls, lm, lmList
    log_lik: float  # of lme and gls
    df: float
    coefficients: NDArray[np.float64]


def fits_of(script: str) -> dict[str, ScriptFit]:
    """Every fit that nlme's ``scripts/{script}`` leaves behind, by its name, dots as ``_``."""
    command = ["Rscript", "--vanilla", "-e", PROGRAM, script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = {}
    for line in done.stdout.splitlines():
        name, kind, *numbers = line.split()
        ll, df, *b = [float("nan") if n == "NA" else float(n) for n in numbers]
        found[name.replace(".", "_")] = ScriptFit(kind, ll, df, np.array(b))
    return found
