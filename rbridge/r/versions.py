"""Which R, which packages of R and of Python: asked once, and whether they are new enough."""

from __future__ import annotations

import platform
import weakref
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from ..errors import RPackageError
from .answer import RSession
from .locate import MINIMUM_R, at_least
from .session import session

# Of rpy2 only rinterface is needed, which may stand by itself since 3.6.
DISTRIBUTIONS = {"rpy2": ("rpy2", "rpy2-rinterface")}
_versions: weakref.WeakKeyDictionary[RSession, dict[str, str]] = weakref.WeakKeyDictionary()


def r_versions(r: RSession | None = None) -> dict[str, str]:
    """Versions and places of R and of the R packages that rbridge uses; asked once."""
    r = r or session()
    if r not in _versions:
        _versions[r] = ask_versions(r)
    return _versions[r]


def ask_versions(r: RSession, load: bool = False) -> dict[str, str]:
    """R's own words; ``load`` finds out whether the packages are more than folders."""
    answer = r.call("versions", load).value
    return {name: ", ".join(values) for name, values in answer.items()}


def require(r: RSession, package: str, mend: str) -> None:
    """Raise RPackageError where an R package is missing, broken or too old."""
    found = r_versions(r)
    here, where = found[package], found["libraries"]
    if not here:
        why = found[f"{package} error"]
        raise RPackageError(f"R's package {package} cannot be loaded from {where} ({why}): {mend}")
    if not at_least(here, MINIMUM_R[package]):
        wanted = f"{MINIMUM_R[package]} or newer is needed"
        raise RPackageError(f"R's package {package} is {here}, {wanted}: {mend}")


def provenance(r: RSession) -> dict[str, str]:
    """Versions of everything that took part in a fit."""
    found = r_versions(r)
    names = ("R", "nlme", "lmeInfo", "platform", "BLAS")
    return {**_python_versions(), **{name: found[name] for name in names}}


@lru_cache(maxsize=1)
def _python_versions() -> dict[str, str]:
    python = {name: installed(name) for name in ("rbridge", "rpy2", "numpy", "pandas")}
    return {"python": platform.python_version(), **python}


def installed(package: str) -> str:
    """The version of a Python package; empty where it is not installed."""
    for name in DISTRIBUTIONS.get(package, (package,)):
        try:
            return version(name)
        except PackageNotFoundError:
            pass
    return ""
