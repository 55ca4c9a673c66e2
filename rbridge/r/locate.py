"""Where R is, before anything of it is loaded: what is missing is told in words, not by a crash."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ..errors import RNotFoundError

INSTALL_R = (
    "Install R 4.2 or newer with nlme (Debian, Ubuntu: apt install r-base-core r-cran-nlme; "
    "macOS: brew install r; else from CRAN), or set R_HOME to where it is."
)
INSTALL_NLME = 'apt install r-cran-nlme (Debian, Ubuntu), or run install.packages("nlme") in R'
INSTALL_LMEINFO = (
    'run install.packages("lmeInfo") in R, or "make setup" in rbridge\'s own folder; '
    "everything but fit.lmeinfo works without it"
)


def r_home() -> Path:
    """R's home directory, checked to hold a base R that can be loaded.

    Raises
    ------
    RNotFoundError
        With the places searched and how to install R.
    """
    named = os.environ.get("R_HOME")
    if named:
        return _checked(Path(named), "R_HOME")
    program = shutil.which("R")
    if program is None:
        raise RNotFoundError(f"R was not found: R_HOME is not set and no R is on PATH. {INSTALL_R}")
    answer = subprocess.run([program, "RHOME"], capture_output=True, text=True, check=False)
    lines = answer.stdout.split()
    if answer.returncode or not lines:
        raise RNotFoundError(f"{program} does not run: {answer.stderr.strip()}. {INSTALL_R}")
    return _checked(Path(lines[-1]), f"{program} RHOME")


def _checked(home: Path, source: str) -> Path:
    # R ends the process, with no exception, when its base package is not there.
    if not (home / "library" / "base").is_dir():
        raise RNotFoundError(
            f"{source} names {home}, which holds no R (no library/base). {INSTALL_R}"
        )
    return home
