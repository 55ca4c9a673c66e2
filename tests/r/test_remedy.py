"""``rbridge doctor --fix``: one command, for each kind of machine."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from rbridge.r.doctor import MINIMUM, Check, Examination
from rbridge.r.remedy import INSTALL_IN_R, Machine, remedy, this_machine

NO_R = {"R home": "not found: no R is on PATH"}
LMEINFO = " && Rscript -e "
APT = "apt-get install -y --no-install-recommends r-base-core r-cran-nlme"


@pytest.mark.parametrize(
    "machine, command",
    [
        (Machine("apt"), f"apt-get update && {APT}"),
        (Machine("apt", "sudo {}"), f"sudo apt-get update && sudo {APT}"),
        (Machine("apt", "su -c '{}'"), f"su -c 'apt-get update && {APT}'"),
        (Machine("dnf", "sudo {}"), "sudo dnf install -y R-core R-nlme"),
        (Machine("conda"), "conda install -y -c conda-forge r-base r-nlme"),
        (Machine("brew"), "brew install r"),
        (Machine(""), "# no package manager is known here"),
    ],
)
def test_r_is_missing(machine, command):
    found = remedy(NO_R, MINIMUM, machine)
    assert found.startswith(command) and LMEINFO in found and "lmeInfo" in found


@pytest.mark.parametrize(
    "missing, machine, command",
    [
        ({}, Machine("apt"), ""),
        ({"scipy": "", "rpy2": ""}, Machine("apt", python="/v/python"), "pip"),
        ({"scipy": "", "rpy2": ""}, Machine("apt", managed=True), "python3-scipy python3-rpy2"),
        ({"scipy": "", "rpy2": ""}, Machine("conda"), "conda-forge scipy rpy2"),
        ({"nlme": "cannot be loaded: no"}, Machine("apt"), "recommends r-cran-nlme"),
        ({"R": "4.1.0: Install R 4.2"}, Machine("apt"), "recommends r-base-core"),
    ],
)
def test_some_are_missing(missing, machine, command):
    found = remedy(missing, MINIMUM, machine)
    if command == "pip":
        command = "/v/python -m pip install 'scipy>=1.10' 'rpy2-rinterface>=3.6'"
    assert found.endswith(command) and bool(found) == bool(missing)


@pytest.mark.parametrize(
    "said, wanted",
    [
        ("symbol 'R_getVar' not found", "'rpy2-rinterface>=3.6,<=3.6.5'"),
        ("libR.so is of another R", "--force-reinstall --no-binary :all: rpy2-rinterface"),
    ],
)
def test_an_rpy2_that_does_not_fit_leaves_r_alone(said, wanted):
    missing = {"R": f"cannot be loaded: rpy2 cannot load R (error: {said})"}
    assert remedy(missing, MINIMUM, Machine("apt")) == f"python3 -m pip install {wanted}"


def test_a_wrong_r_home_is_not_mended_by_installing():
    missing = {"R home": "not found: R_HOME names /nowhere, which holds no R"}
    assert remedy(missing, MINIMUM, Machine("apt")) == "unset R_HOME"


def test_r_makes_the_users_own_library_where_no_other_can_be_written(tmp_path):
    own = tmp_path / "own"
    before = INSTALL_IN_R.rpartition("; ")[0].replace(".libPaths()", '"/nowhere"')
    code = f"{before}; cat(lib[1])"
    done = subprocess.run(
        [shutil.which("Rscript") or "Rscript", "-e", code],
        env={**os.environ, "R_LIBS_USER": str(own)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == str(own) and own.is_dir()


@pytest.mark.parametrize("as_root", ["{}", "sudo {}", "su -c '{}'"])
def test_root_installs_where_no_library_can_be_written(tmp_path, as_root):
    for name, does in {
        "sudo": 'exec "$@"',
        "su": 'exec sh -c "$2"',
        "Rscript": 'printf "%s|" "$@"',
    }.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    found = remedy({"lmeInfo": ""}, MINIMUM, Machine("apt", as_root, library=False))
    done = subprocess.run(
        ["sh", "-c", found],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.startswith(as_root.partition("{}")[0])
    assert done.stdout == f"-e|{INSTALL_IN_R}|"


def test_a_place_that_cannot_be_written_is_seen(tmp_path, monkeypatch):
    (tmp_path / "file").touch()  # where no folder can be made, not even by root
    monkeypatch.setenv("R_LIBS_USER", str(tmp_path / "file" / "library"))
    assert not this_machine().library
    assert not this_machine([str(tmp_path / "file")]).library
    assert this_machine([str(tmp_path / "file"), str(tmp_path)]).library
    monkeypatch.setenv("R_LIBS_USER", str(tmp_path / "R" / "library"))
    assert this_machine().library


def test_doctor_prints_the_command():
    well, ill = Check("R", "4.5"), Check("R home", "not found", False, "no R")
    assert Examination((well,)).fix() == ""
    assert "install" in Examination((well, ill)).fix()
