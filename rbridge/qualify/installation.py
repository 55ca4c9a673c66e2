"""Installation: the files of the package against the installer's record, versions, and pins."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from ..check.verdict import Verdict
from ..errors import RBridgeError
from ..r.doctor import MINIMUM, OPTIONAL
from ..r.doctor import Check as DoctorCheck
from ..r.doctor import doctor
from ..r.locate import MINIMUM_R, at_least
from ..r.versions import installed
from .proof import INSTALLATION, Proof, not_run, stated, timed, unchecked

PACKAGE = Path(__file__).resolve().parents[1]
PINS = "RBRIDGE_PINS"
NOT_ASKED = f"no pins were asked for: {PINS}=trixie compares with the image's (rbridge/pins.toml)"
SOURCE_TREE = (
    "this rbridge is a source tree or an editable installation, for which no installer keeps "
    "hashes: a validated environment takes a wheel, pip install rbridge-….whl"
)
NO_R = "--no-r: R and its packages were left out, as asked for"


def installation(with_r: bool) -> Iterator[Proof]:
    """The package's files; Python's packages; R's; the pins."""
    yield timed(_files)
    if with_r:
        yield from _by_doctor()
    else:
        yield from _python()
        yield not_run(_proof("Versions", "R, nlme, lmeInfo", "rbridge doctor"), NO_R)
        yield not_run(_proof("Versions", "pinned versions", "rbridge/pins.toml"), NO_R)


def _proof(group: str, name: str, source: str, expected: str = "", found: str = "") -> Proof:
    verdict = Verdict.AGREE if found else None
    return Proof(INSTALLATION, group, name, source, expected, found, None, "", verdict)


# --- files ------------------------------------------------------------------------------------


def _files() -> Proof:
    """Every file that pip installed, and no other module, as its RECORD has it."""
    version = installed("rbridge")
    proof = _proof("Files", f"rbridge {version}", "pip's RECORD (SHA-256)", "unchanged")
    recorded = recorded_hashes(PACKAGE)
    if not recorded:
        return not_run(proof, SOURCE_TREE)
    wrong = list(differences(PACKAGE, recorded))
    return stated(proof, "; ".join(wrong) or f"{len(recorded)} files, unchanged", not wrong)


def recorded_hashes(package: Path) -> dict[str, str]:
    """SHA-256 by file of the package, as its installer recorded them; empty where none did."""
    try:
        found = metadata.distribution("rbridge")
    except metadata.PackageNotFoundError:
        return {}
    if Path(str(found.locate_file("rbridge"))).resolve() != package:
        return {}
    return {
        str(file.relative_to("rbridge")): file.hash.value
        for file in found.files or ()
        if file.parts[0] == "rbridge" and file.hash is not None
    }


def differences(package: Path, recorded: dict[str, str]) -> Iterator[str]:
    """Which files are gone, changed, or nobody's."""
    here = {str(path.relative_to(package)) for path in own_files(package)}
    yield from (f"{name} is missing" for name in sorted(recorded.keys() - here))
    yield from (f"{name} is not of the package" for name in sorted(here - recorded.keys()))
    for name in sorted(here & recorded.keys()):
        digest = hashlib.sha256((package / name).read_bytes()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != recorded[name]:
            yield f"{name} has changed"


def own_files(package: Path) -> list[Path]:
    """All files of the package but what Python compiles."""
    found = (path for path in package.rglob("*") if path.is_file())
    return sorted(path for path in found if "__pycache__" not in path.parts)


def fingerprint(package: Path) -> str:
    """One SHA-256 of the names and contents of all files: two installations are compared by it."""
    whole = hashlib.sha256()
    for path in own_files(package):
        name = path.relative_to(package).as_posix().encode()
        whole.update(hashlib.sha256(name).digest() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


# --- versions ---------------------------------------------------------------------------------


def _python() -> Iterator[Proof]:
    yield _proof("Versions", "Python", "this process", found=platform.python_version())
    for name, minimum in MINIMUM.items():
        proof = _proof("Versions", name, "the oldest that rbridge supports", f"{minimum} or newer")
        found = installed(name)
        ok = bool(found) and at_least(found, minimum)
        yield stated(proof, found or "not installed", ok)
    for name in OPTIONAL:
        proof = _proof("Versions", name, "optional")
        yield replace(proof, found=installed(name) or "not installed", verdict=Verdict.AGREE)


def _by_doctor() -> Iterator[Proof]:
    """What ``rbridge doctor`` sees, with the pins where they are asked for."""
    strict = bool(os.environ.get(PINS))
    try:
        checks = doctor(strict=strict).checks
    except RBridgeError as error:
        yield unchecked(_proof("Versions", "rbridge doctor", "this machine"), str(error))
        return
    yield from map(_of_doctor, checks)
    if not strict:
        yield not_run(_proof("Versions", "pinned versions", "rbridge/pins.toml"), NOT_ASKED)


def _of_doctor(check: DoctorCheck) -> Proof:
    pinned = check.name.startswith("pin")
    minimum = {**MINIMUM, **MINIMUM_R}.get(check.name)
    source = "rbridge/pins.toml" if pinned else "this machine"
    proof = _proof("Versions", check.name, source, f"{minimum} or newer" if minimum else "")
    if not check.ok and not check.found[:1].isdigit() and not pinned:  # it is not there at all
        return replace(unchecked(proof, check.mend), found=check.found)
    return replace(stated(proof, check.found, check.ok), why="" if check.ok else check.mend)
