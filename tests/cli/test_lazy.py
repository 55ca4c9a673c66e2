"""Help and the version wait for nothing: neither pandas nor scipy nor R is loaded for them."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

import rbridge
from rbridge.cli.arguments import KINDS
from rbridge.core.intervals.resampling import BootstrapKind

HEAVY = {"numpy", "pandas", "scipy", "matplotlib", "rich", "rpy2"}
ASKED = """
import sys
from rbridge.cli import main
try:
    main(sys.argv[1:], prog_name="rbridge")
finally:
    print(*sys.modules, file=sys.stderr)
"""


def ask(*arguments: str) -> tuple[str, set[str]]:
    """Standard output, and the packages that were loaded for it."""
    command = [sys.executable, "-c", ASKED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, {module.split(".")[0] for module in done.stderr.split()}


@pytest.mark.parametrize("command", ["", "fit", "crosscheck", "bootstrap", "suite init", "doctor"])
def test_help_loads_nothing_heavy(command: str) -> None:
    text, loaded = ask(*command.split(), "--help")
    assert text.startswith(f"Usage: rbridge {command}".rstrip())
    assert "click" in loaded and not loaded & HEAVY


@pytest.mark.parametrize("arguments", [["--version"], ["suite", "schema"]])
def test_what_is_known_beforehand_loads_nothing_heavy(arguments: list[str]) -> None:
    text, loaded = ask(*arguments)
    assert text and not loaded & HEAVY


def test_the_version_is_that_of_the_package() -> None:
    assert ask("--version")[0].split()[-1] == rbridge.__version__


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "rbridge", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ask("--help")[0]


def test_the_options_know_what_the_package_knows() -> None:
    assert KINDS == get_args(BootstrapKind)
