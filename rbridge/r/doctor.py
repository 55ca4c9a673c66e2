"""What is installed, what is missing, and the command that mends it. Works when R does not."""

from __future__ import annotations

import fnmatch
import importlib.resources
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from ..errors import RBridgeError, SessionError
from .locate import INSTALL_LMEINFO, INSTALL_NLME, INSTALL_R, MINIMUM_R, at_least, r_home
from .process import ProcessSession
from .remedy import remedy, this_machine
from .versions import ask_versions, installed

MINIMUM = {"numpy": "1.24", "pandas": "1.5", "scipy": "1.10", "rpy2": "3.5.9"}
OPTIONAL = ("matplotlib", "joblib")
PACKAGES = {  # name in pins.toml → name in the report
    "r-base-core": "R",
    "r-cran-nlme": "nlme",
    "python3-rpy2": "rpy2",
    "python3-numpy": "numpy",
    "python3-scipy": "scipy",
    "python3-pandas": "pandas",
}
LIMIT = 300  # seconds for R to answer: an emulated machine takes two minutes


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes
    ----------
    name, found : str
    ok : bool
    mend : str
        What to do where it is not ok.
    """

    name: str
    found: str
    ok: bool = True
    mend: str = ""


@dataclass(frozen=True)
class Examination:
    """What :func:`doctor` found."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that is needed is there."""
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, object]:
        """Plain data, for JSON."""
        checks = [asdict(check) for check in self.checks]
        return {"ok": self.ok, "checks": checks, "fix": self.fix()}

    def fix(self) -> str:
        """The one shell command that mends what is missing here; empty where nothing is."""
        failed = {
            check.name: f"{check.found}: {check.mend}" for check in self.checks if not check.ok
        }
        libraries = [
            each for c in self.checks if c.name == "libraries" for each in c.found.split(", ")
        ]
        return remedy(failed, MINIMUM, this_machine(libraries))

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            mark = "✓" if check.ok else "✗"
            lines.append(f"{mark} {check.name.ljust(width)}  {check.found}")
            if not check.ok:
                lines.append(f"  {' ' * width}  → {check.mend}")
        return "\n".join(lines) + "\n"

    __repr__ = __str__


def doctor(*, strict: bool = False, pins: str | None = None) -> Examination:
    """Look at everything rbridge needs.

    Parameters
    ----------
    strict : bool
        Also compare with the pinned versions of the image.
    pins : str, optional
        Section of ``pins.toml``; by default the variable RBRIDGE_PINS, else ``trixie``.
    """
    checks = [
        Check("Python", f"{platform.python_version()} ({sys.executable})"),
        *_python_packages(),
    ]
    checks += _r()
    if strict:
        versions = {check.name: check.found for check in checks if check.ok}
        section: str = pins or os.environ.get("RBRIDGE_PINS") or "trixie"
        checks += _pinned(versions, section)
    return Examination(tuple(checks))


def _python_packages() -> Iterator[Check]:
    for name, minimum in MINIMUM.items():
        found = installed(name)
        ok = bool(found) and at_least(found, minimum)
        yield Check(name, found or "not installed", ok, "" if ok else remedy({name: ""}, MINIMUM))
    for name in OPTIONAL:
        yield Check(name, installed(name) or "not installed (optional)")


def _r() -> Iterator[Check]:
    """R and its packages, as an R inside Python sees them."""
    try:
        yield Check("R home", str(r_home()))
    except RBridgeError as error:
        yield Check("R home", "not found", False, str(error))
        return
    try:
        found = _ask_r()
    except RBridgeError as error:
        mend = f"{error}. {INSTALL_R}" if isinstance(error, SessionError) else str(error)
        yield Check("R", "cannot be loaded", False, mend)
        return
    yield Check("R", found["R"], at_least(found["R"], MINIMUM_R["R"]), INSTALL_R)
    yield _r_package("nlme", found, INSTALL_NLME)
    yield _r_package("lmeInfo", found, INSTALL_LMEINFO)
    for name in ("platform", "BLAS", "libraries", "locale"):
        yield Check(name, found[name])
    yield from _not_read()


def _ask_r() -> dict[str, str]:
    """R's answer from a process of its own: a broken R may end the process that loads it."""
    r = ProcessSession(timeout=LIMIT)
    try:
        return ask_versions(r, load=True)
    finally:
        r.close()


def _r_package(name: str, found: Mapping[str, str], mend: str) -> Check:
    version, minimum = found[name], MINIMUM_R[name]
    if not version:
        return Check(name, f"cannot be loaded: {found[f'{name} error']}", False, mend)
    if not at_least(version, minimum):
        return Check(name, version, False, f"{minimum} or newer is needed: {mend}")
    return Check(name, version)


def _not_read() -> Iterator[Check]:
    """R's startup files that an R of one's own would read here, and rbridge does not."""
    ways = {".Renviron": "R_ENVIRON_USER", ".Rprofile": "RBRIDGE_R_PROFILE"}
    for file, variable in ways.items():
        if os.path.exists(file) and variable not in os.environ:
            yield Check(file, f"not read; set {variable}={file} if the analysis needs it")


def read_pins() -> dict[str, dict[str, str]]:
    """The sections of ``pins.toml``: one ``key = "value"`` a line, nothing nested."""
    sections: dict[str, dict[str, str]] = {}
    section = ""
    text = importlib.resources.files("rbridge").joinpath("pins.toml").read_text("utf-8")
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]")
            sections[section] = {}
        elif "=" in line and not line.startswith("#"):
            key, value = (part.strip() for part in line.split("=", 1))
            sections[section][key] = value.strip('"')
    return sections


def _pinned(versions: Mapping[str, str], section: str) -> Iterator[Check]:
    """One check for each pinned version of what is there."""
    pins = read_pins()
    if section not in pins:
        known = ", ".join(name for name in pins if name != "cran")
        yield Check(
            "pins", f"no section {section!r}", False, f"set RBRIDGE_PINS to one of: {known}"
        )
        return
    wanted = {
        PACKAGES[key]: upstream(glob) for key, glob in pins[section].items() if key in PACKAGES
    }
    wanted["lmeInfo"] = pins["cran"]["lmeInfo"]
    for name, version in wanted.items():
        if not (found := versions.get(name)):
            continue
        # R prints nlme's 3.1-168 as 3.1.168 here and there
        ok = fnmatch.fnmatch(found.split("+")[0].replace("-", "."), version.replace("-", "."))
        mend = f"the pin is {version}: rebuild the image, or change rbridge/pins.toml"
        yield Check(f"pinned {name}", f"{found} (pin: {version})", ok, mend)


def upstream(glob: str) -> str:
    """The upstream version in a Debian version glob: ``1:2.2.4+ds-*`` → ``2.2.4``."""
    version = glob.split(":", 1)[-1]
    for mark in ("+", "-", "*"):
        version = version.split(mark, 1)[0]
    return version
