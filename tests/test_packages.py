"""What the packages say of themselves: one version, and the same oldest versions everywhere."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

import rbridge
from rbridge.r.doctor import MINIMUM
from rbridge.r.versions import DISTRIBUTIONS, installed
from tests.support.places import ROOT

FLOORS = re.compile(r"(numpy|pandas|scipy|click|rich|rpy2)[\w-]* *(?:= \")?>=([\d.]+)")


@pytest.fixture
def setup() -> ModuleType:
    """setup.py, not run."""
    spec = importlib.util.spec_from_file_location("setup_of_rbridge", ROOT / "setup.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "distributions, r, portable, wanted",
    [
        ({"rpy2"}, (4, 2), "", "rpy2>=3.5.9"),  # Debian's one distribution
        ({"rpy2", "rpy2-rinterface"}, (4, 5), "", "rpy2-rinterface>=3.6"),
        (set(), (4, 4), "", "rpy2-rinterface>=3.6,<=3.6.5"),
        (set(), (4, 5), "", "rpy2-rinterface>=3.6"),
        (set(), None, "", "rpy2-rinterface>=3.6"),
        ({"rpy2"}, (4, 2), "1", "rpy2-rinterface>=3.6"),
    ],
)
def test_the_rpy2_that_fits_is_asked_for(setup, monkeypatch, distributions, r, portable, wanted):
    monkeypatch.setenv("RBRIDGE_PORTABLE", portable)
    monkeypatch.setattr(setup, "is_installed", distributions.__contains__)
    monkeypatch.setattr(setup, "r_version", lambda: r)
    assert setup.rpy2_requirement() == wanted


def test_r_is_asked_for_its_version(setup, monkeypatch, tmp_path):
    program = tmp_path / "bin" / "R"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'R version 4.13.1 (2031-04-01) -- \"Ours\"'\n")
    program.chmod(0o755)
    monkeypatch.setenv("R_HOME", str(tmp_path))
    assert setup.r_version() == (4, 13)
    monkeypatch.setenv("R_HOME", str(tmp_path / "nowhere"))
    assert setup.r_version() is None


def test_the_oldest_versions_are_the_doctors(setup):
    declared = dict(FLOORS.findall(" ".join([*setup.REQUIRED, setup.WHOLE])))
    assert {name: declared[name] for name in MINIMUM} == MINIMUM
    for file in ("environment.yml", "pixi.toml"):
        assert dict(FLOORS.findall((ROOT / file).read_text("utf-8"))) == declared


def test_one_version():
    for file, line in (
        ("CITATION.cff", "version: (.*)"),
        ("docker/Dockerfile", 'ARG VERSION="(.*)"'),
    ):
        named = re.search(f"^{line}$", (ROOT / file).read_text("utf-8"), re.M)
        assert named is not None and named[1] == rbridge.__version__, file
    assert not re.search(r"^version = \"", (ROOT / "pyproject.toml").read_text("utf-8"), re.M)


def test_either_distribution_is_rpy2(monkeypatch):
    for name in DISTRIBUTIONS["rpy2"]:
        monkeypatch.setattr(
            "rbridge.r.versions.version", lambda asked, name=name: found(asked, name)
        )
        assert installed("rpy2") == f"version of {name}"


def found(asked: str, there: str) -> str:
    """As importlib.metadata answers where one distribution is installed."""
    from importlib.metadata import PackageNotFoundError

    if asked != there:
        raise PackageNotFoundError(asked)
    return f"version of {there}"
