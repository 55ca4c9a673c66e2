"""What may be missing or broken, and that the message and ``rbridge doctor`` say how to mend it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bridging import in_r
from tests.support.places import ROOT
from tests.support.processes import python, surroundings

FIT = """
    import sys
    import rbridge as rb
    try:
        rb.lme("distance ~ age", rb.datasets.load("orthodont"), "~ 1 | subject")
        print("FITTED")
    except rb.RBridgeError as error:
        print(type(error).__name__, error)
"""


def examined(*options: str, cwd: Path | None = None, **environment: str) -> tuple[int, str]:
    """Exit status and text of ``rbridge doctor``."""
    command = [sys.executable, "-m", "rbridge", "doctor", *options]
    env = surroundings(**environment)
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def before_ours(folder: Path) -> str:
    """A PYTHONPATH on which the folder's modules come first."""
    return f"{folder}{os.pathsep}{ROOT}"


def both(name: str, message: str, mend: str, **environment: str) -> None:
    """A fit raises, and doctor shows, the fault and the way out."""
    done = python(FIT, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(name) and message in done.stdout and mend in done.stdout
    status, text = examined(**environment)
    assert status == 2 and message in text and mend in text and "✗" in text


def test_r_is_not_there(tmp_path):
    both(
        "RNotFoundError",
        "no R is on PATH",
        "apt install r-base-core",
        PATH=str(tmp_path),
        R_HOME="",
    )


def test_r_home_is_wrong(tmp_path):
    both("RNotFoundError", f"R_HOME names {tmp_path}", "set R_HOME", R_HOME=str(tmp_path))


def test_r_does_not_run(tmp_path):
    program = tmp_path / "R"
    program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    both("RNotFoundError", "does not run: broken", "apt install", PATH=path, R_HOME="")


def test_the_shared_library_is_missing(tmp_path):
    (tmp_path / "library" / "base" / "R").mkdir(parents=True)
    both("RNotFoundError", "no shared library (lib/libR.so)", "r-base-core", R_HOME=str(tmp_path))


@pytest.mark.parametrize(
    "text, message, mend",
    [
        (
            "class error(Exception): ...\n"
            "raise error(\"symbol 'R_getVar' not found in library '/usr/lib/R/lib/libR.so'\")",
            "built for R 4.5 or newer",
            "'rpy2-rinterface<=3.6.5'",
        ),
        (
            "raise OSError('cannot load library libR.so')",
            "OSError: cannot load",
            "--force-reinstall",
        ),
        (
            "raise ModuleNotFoundError('no rpy2 here')",
            "rpy2 is not installed",
            "pip install rpy2-rinterface",
        ),
        (
            "raise ValueError('openrlib.R_HOME cannot be None.')",
            "R_HOME cannot",
            "--force-reinstall",
        ),
    ],
    ids=["R_getVar", "libR", "absent", "R_HOME"],
)
def test_rpy2_does_not_fit(tmp_path, text, message, mend):
    package = tmp_path / "rpy2"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rinterface.py").write_text(text + "\n")
    name = "RNotFoundError" if "ModuleNotFound" in text else "InstallationError"
    both(name, message, mend, PYTHONPATH=before_ours(tmp_path))


def test_an_rpy2_that_ends_the_process_costs_doctor_nothing(tmp_path):
    package = tmp_path / "rpy2"
    package.mkdir()
    (package / "__init__.py").write_text("")
    text = "import os, sys\nprint('Fatal error: base', file=sys.stderr, flush=True)\nos._exit(2)\n"
    (package / "rinterface.py").write_text(text)
    status, text = examined(PYTHONPATH=before_ours(tmp_path))
    assert status == 2 and "exit status 2" in text and "Fatal error: base" in text


def link_packages(folder: Path) -> None:
    """Links to every package that R finds here."""
    for library in in_r(".libPaths()"):
        for found in Path(library).iterdir():
            target = folder / found.name
            if not target.exists():
                target.symlink_to(found)


def link_program(real: Path, linked: Path) -> None:
    """R's programs, with a front end that takes the new home for its own and prints no warning."""
    linked.mkdir()
    for part in real.iterdir():
        if part.name != "R":
            (linked / part.name).symlink_to(part)
    text = re.sub(r"(?m)^R_HOME_DIR=.*$", f"R_HOME_DIR={linked.parent}", (real / "R").read_text())
    (linked / "R").write_text(text)
    (linked / "R").chmod(0o755)


@pytest.fixture
def home(tmp_path):
    """An R home whose packages a test may take away: links to the real one."""
    real, home = Path(in_r("R.home()")[0]), tmp_path / "R"
    home.mkdir()
    for part in real.iterdir():
        if part.name not in ("library", "site-library", "etc", "bin"):
            (home / part.name).symlink_to(part)
    link_program(real / "bin", home / "bin")
    (home / "library").mkdir()
    link_packages(home / "library")
    shutil.copytree(real / "etc", home / "etc", symlinks=False)
    only = 'assign(".lib.loc", file.path(R.home(), "library"), envir = environment(.libPaths))'
    (home / "etc" / "Rprofile.site").write_text(only + "\n")
    return home


def elsewhere(home: Path) -> dict[str, str]:
    empty = str(home / "none")
    return {"R_HOME": str(home), "R_LIBS_SITE": empty, "R_LIBS_USER": empty, "R_LIBS": empty}


def test_nlme_is_missing(home):
    (home / "library" / "nlme").unlink()
    both("RPackageError", "nlme", "r-cran-nlme", **elsewhere(home))


def test_nlme_is_broken(home):
    real = (home / "library" / "nlme").resolve()
    (home / "library" / "nlme").unlink()
    (home / "library" / "nlme").mkdir()
    shutil.copy(real / "DESCRIPTION", home / "library" / "nlme")
    done = python(FIT, **elsewhere(home))
    assert done.returncode == 0 and "FITTED" not in done.stdout and "nlme" in done.stdout
    status, text = examined(**elsewhere(home))
    assert status == 2 and "✗ nlme" in text and "r-cran-nlme" in text


def lmeinfo(home: Path, version: str) -> None:
    package = home / "library" / "lmeInfo"
    real = package.resolve()
    package.unlink()
    if version:
        shutil.copytree(real, package)
        text = (package / "DESCRIPTION").read_text()
        lines = [
            f"Version: {version}" if x.startswith("Version:") else x for x in text.splitlines()
        ]
        (package / "DESCRIPTION").write_text("\n".join(lines) + "\n")
        path = str(package / "Meta" / "package.rds")
        in_r(
            f"d <- readRDS('{path}'); d$DESCRIPTION['Version'] <- '{version}'; "
            f"saveRDS(d, '{path}'); NULL"
        )


@pytest.mark.parametrize("version, message", [("", "lmeInfo"), ("0.3.0", "0.3.2 or newer")])
def test_lmeinfo_is_missing_or_too_old(home, lmeinfo_installed, version, message):
    lmeinfo(home, version)
    status, text = examined(**elsewhere(home))
    assert status == 2 and "✗ lmeInfo" in text and message in text
    assert 'install.packages("lmeInfo")' in text
    code = FIT.replace('print("FITTED")', "fit = _; fit.lmeinfo.varcomp_vcov()")
    code = code.replace("rb.lme(", "_ = rb.lme(")
    done = python(code, **elsewhere(home))
    assert done.stdout.startswith("RPackageError") and message in done.stdout


def test_lmeinfo_is_broken(home, lmeinfo_installed):
    lmeinfo(home, "0.3.3")
    shutil.rmtree(home / "library" / "lmeInfo" / "R")
    status, text = examined(**elsewhere(home))
    assert status == 2 and "✗ lmeInfo" in text and 'install.packages("lmeInfo")' in text


def test_all_is_well(lmeinfo_installed):
    status, text = examined()
    assert status == 0 and "✗" not in text
    for name in ("Python", "rpy2", "R home", "nlme", "lmeInfo", "BLAS", "libraries", "locale"):
        assert f"✓ {name} " in text


def test_doctor_as_json(tmp_path):
    status, text = examined("--json", R_HOME=str(tmp_path))
    found = json.loads(text)
    assert status == 2 and found["ok"] is False
    faults = [check for check in found["checks"] if not check["ok"]]
    assert [fault["name"] for fault in faults] == ["R home"] and "set R_HOME" in faults[0]["mend"]


def test_doctor_strict_compares_with_the_pins():
    status, text = examined("--strict", "--pins", "forky")
    assert "pinned R" in text and "pinned lmeInfo" in text
    assert (status == 0) is ("✗" not in text)
    status, text = examined("--strict", "--pins", "nowhere")
    assert status == 2 and "no section 'nowhere'" in text


def test_doctor_compares_no_pin_with_what_cannot_be_asked(tmp_path):
    status, text = examined("--strict", R_HOME=str(tmp_path))
    assert status == 2 and "pinned numpy" in text
    assert "pinned R" not in text and "pinned nlme" not in text


def test_a_failed_start_may_be_mended_in_the_same_process(tmp_path):
    code = """
        import os
        import rbridge as rb
        data = rb.datasets.load("orthodont")
        os.environ["R_HOME"] = "/nonexistent"
        for _ in range(2):
            try:
                rb.lme("distance ~ age", data, "~ 1 | subject")
            except rb.RBridgeError as error:
                print(type(error).__name__)
        del os.environ["R_HOME"]
        print(rb.lme("distance ~ age", data, "~ 1 | subject").converged)
    """
    done = python(code, R_HOME=None)
    assert done.stdout.split() == ["RNotFoundError", "RNotFoundError", "True"] and not done.stderr
