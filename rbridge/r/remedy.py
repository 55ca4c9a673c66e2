"""The one command that mends what ``rbridge doctor`` found missing, for the machine it runs on."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INSTALL = {
    "apt": "apt-get install -y --no-install-recommends",
    "dnf": "dnf install -y",
    "conda": "conda install -y -c conda-forge",
    "brew": "brew install",
}
R_PACKAGES = {
    "apt": {"R": "r-base-core", "nlme": "r-cran-nlme"},
    "dnf": {"R": "R-core", "nlme": "R-nlme"},
    "conda": {"R": "r-base", "nlme": "r-nlme"},
    "brew": {"R": "r", "nlme": "r"},
}
RPY2 = "rpy2-rinterface>=3.6"
OLD_RPY2 = f"{RPY2},<=3.6.5"  # the newest for R before 4.5
# Into the first library that can be written, else the user's own, which R makes only when asked to.
INSTALL_IN_R = """\
if (getOption("repos")["CRAN"] == "@CRAN@") chooseCRANmirror(ind = 1, local.only = TRUE); \
lib <- Filter(function(p) file.access(p, 2) == 0, .libPaths()); \
if (!length(lib)) dir.create(lib <- Sys.getenv("R_LIBS_USER"), FALSE, TRUE); \
install.packages("lmeInfo", lib[1])"""


@dataclass(frozen=True)
class Machine:
    """What the command depends on.

    Attributes
    ----------
    manager : {"apt", "dnf", "conda", "brew", ""}
        Who installs R here.
    as_root : str
        How a command, ``{}``, is run as root.
    managed : bool
        Python belongs to the system: pip is not to touch it.
    python : str
    library : bool
        R has a library that may be written, or one of the user's own can be made.
    """

    manager: str
    as_root: str = "{}"
    managed: bool = False
    python: str = "python3"
    library: bool = True


def this_machine(libraries: Sequence[str] = ()) -> Machine:
    """The machine as this Python sees it; ``libraries`` are R's, where R could be asked."""
    in_venv = sys.prefix != sys.base_prefix
    marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    managed = not in_venv and marker.is_file()
    prefix = os.environ.get("CONDA_PREFIX")
    if prefix and Path(sys.base_prefix).resolve() == Path(prefix).resolve():
        return Machine("conda", python=sys.executable)
    library = any(map(_writable, [*libraries, _own_library()]))
    tools = {"brew": "brew"} if platform.system() == "Darwin" else {"apt": "apt-get", "dnf": "dnf"}
    manager = next((name for name, tool in tools.items() if shutil.which(tool)), "")
    as_root = "{}" if manager == "brew" else _as_root()
    return Machine(manager, as_root, managed, sys.executable, library)


def _own_library() -> str:
    """Where R makes the user's library, but for what depends on its version."""
    return os.environ.get("R_LIBS_USER") or str(Path.home() / "R")


def _writable(folder: str) -> bool:
    """Whether it may be written or, where it is not there yet, made."""
    place = Path(folder)
    there = next((p for p in (place, *place.parents) if os.path.exists(p)), place)
    return os.access(there, os.W_OK | os.X_OK)


def _as_root() -> str:
    if os.geteuid() == 0:
        return "{}"
    return "sudo {}" if shutil.which("sudo") else "su -c '{}'"


def remedy(
    missing: Mapping[str, str], minimum: Mapping[str, str], machine: Machine | None = None
) -> str:
    """One line for a shell; empty where nothing is missing, a comment where it has no answer.

    Parameters
    ----------
    missing : mapping
        Name of each failed check to what was found and said of it.
    minimum : mapping
        The oldest version of each Python package.
    machine : Machine, optional
        By default this one.
    """
    m = machine or this_machine()
    if "R_HOME names" in missing.get("R home", "") and shutil.which("R"):
        return "unset R_HOME"
    python = [name for name in minimum if name in missing]
    by_manager = m.manager == "conda" or (m.managed and m.manager == "apt")
    steps = [
        _by_manager(_r_names(missing), python if by_manager else [], m),
        _by_pip([] if by_manager else python, missing, minimum, m),
        _in_r(m) if {"lmeInfo", "R home"} & set(missing) else "",
    ]
    return " && ".join(filter(None, steps))


def _r_names(missing: Mapping[str, str]) -> list[str]:
    """Which of R and nlme: an R that only this Python cannot load is left alone."""
    if "R home" in missing:
        return ["R", "nlme"]
    loads = "cannot be loaded" not in missing.get("R", "")
    return [name for name in ("R", "nlme") if name in missing and (name != "R" or loads)]


def _by_manager(r: Sequence[str], python: Sequence[str], m: Machine) -> str:
    if r and not m.manager:
        return "# no package manager is known here: install R 4.2 or newer with nlme, from CRAN"
    known = R_PACKAGES.get(m.manager, {})
    prefix = "python3-" if m.manager == "apt" else ""
    names = dict.fromkeys([*(known[name] for name in r), *(prefix + name for name in python)])
    if not names:
        return ""
    steps = [f"{INSTALL[m.manager]} {' '.join(names)}"]
    if m.manager == "apt":
        steps.insert(0, "apt-get update")
    if m.as_root.startswith("su "):  # one password for all
        return m.as_root.format(" && ".join(steps))
    return " && ".join(m.as_root.format(step) for step in steps)


def _by_pip(
    python: Sequence[str], missing: Mapping[str, str], minimum: Mapping[str, str], m: Machine
) -> str:
    told = missing.get("R", "")
    wanted = [f"{name}>={minimum[name]}" for name in python if name != "rpy2"]
    if "R_getVar" in told:
        wanted.append(OLD_RPY2)
    elif "rpy2 cannot load R" in told:
        wanted += ["--force-reinstall", "--no-binary", ":all:", "rpy2-rinterface"]
    elif "rpy2" in python:
        wanted.append(RPY2)
    return _shell(m.python, "-m", "pip", "install", *wanted) if wanted else ""


def _in_r(m: Machine) -> str:
    if m.library:
        return _shell("Rscript", "-e", INSTALL_IN_R)
    quoted = INSTALL_IN_R.replace('"', r"\"")  # single quotes are those of su
    return m.as_root.format(f'Rscript -e "{quoted}"')


def _shell(*words: str) -> str:
    return " ".join(map(shlex.quote, words))
