"""Where R is, before anything of it is loaded: what is missing is told in words, not by a crash."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..errors import InstallationError, RNotFoundError

INSTALL_R = (
    "Install R 4.2 or newer with nlme (Debian, Ubuntu: apt install r-base-core r-cran-nlme; "
    "macOS: brew install r; else from CRAN), or set R_HOME to where it is."
)
INSTALL_NLME = (
    "apt install --reinstall r-cran-nlme (Debian, Ubuntu), or Rscript -e "
    "'install.packages(\"nlme\")'"
)
INSTALL_LMEINFO = (
    '"rbridge doctor --fix" prints the command that installs it (in R: '
    'install.packages("lmeInfo")); everything but fit.lmeinfo works without it'
)
MINIMUM_R = {"R": "4.2", "nlme": "3.1-157", "lmeInfo": "0.3.2"}
LIBRARIES = ("lib/libR.so", "lib/libR.dylib", "bin/x64/R.dll", "bin/R.dll")


def r_home() -> Path:
    """R's home directory, checked to hold a base R that can be loaded.

    Raises
    ------
    RNotFoundError
        With the places searched and how to install R.
    """
    named = os.environ.get("R_HOME")
    if named:
        home = _checked(Path(named), "R_HOME")
        own = home / "bin" / "R"
        # Under another name than its own (a link), R prints a warning, which rpy2 takes for data.
        return _checked(_asked(str(own)), "R_HOME") if own.exists() else home
    program = shutil.which("R")
    if program is None:
        path = os.environ.get("PATH", "")
        raise RNotFoundError(
            f"R was not found: R_HOME is not set and no R is on PATH ({path}). {INSTALL_R}"
        )
    return _checked(_asked(program), f"{program} RHOME")


def _asked(program: str) -> Path:
    """The home that the program ``R`` names."""
    clean = {name: value for name, value in os.environ.items() if name != "R_HOME"}
    try:
        answer = subprocess.run(
            [program, "RHOME"], env=clean, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RNotFoundError(f"{program} does not run: {error}. {INSTALL_R}") from None
    lines = answer.stdout.splitlines()
    if answer.returncode or not lines:
        raise RNotFoundError(f"{program} does not run: {answer.stderr.strip()}. {INSTALL_R}")
    return Path(lines[-1].strip())


def _checked(home: Path, source: str) -> Path:
    # R ends the process, with no exception, when its base package is not there.
    if not (home / "library" / "base" / "R").is_dir():
        told = f"{source} names {home}, which holds no R (no library/base/R)"
        raise RNotFoundError(f"{told}. {INSTALL_R}")
    if not any((home / name).exists() for name in LIBRARIES):
        told = f"the R in {home} has no shared library (lib/libR.so), which Python needs"
        raise RNotFoundError(
            f"{told}: install Debian's r-base-core, or build R with --enable-R-shlib"
        )
    return home


def temporary_folder() -> Path:
    """A new folder where R would make its own, as R looks for the place.

    Raises
    ------
    InstallationError
        None can be made there: R would end this process in place of an error.
    """
    named = [os.environ.get(name, "") for name in ("TMPDIR", "TMP", "TEMP")]
    usable = (place for place in named if os.path.isdir(place) and os.access(place, os.W_OK))
    place = next(usable, "/tmp" if os.name == "posix" else tempfile.gettempdir())
    try:
        return Path(tempfile.mkdtemp(prefix="rbridge-", dir=place))
    except OSError as error:
        raise InstallationError(
            f"R cannot make its temporary folder in {place} ({error.strerror}): free some space "
            "there, or set TMPDIR to a folder that can be written"
        ) from None


def at_least(found: str, minimum: str) -> bool:
    """Whether a version (3.1-162, 2.2.3+dfsg) is not older than another."""

    def parts(text: str) -> list[int]:
        return [int(digits) for digits in re.findall(r"\d+", text)[:4]]

    return parts(found) >= parts(minimum)
