"""Python in fresh processes, and which processes still live."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from tests.support.forked import forked
from tests.support.places import ROOT


def surroundings(**environment: str | None) -> dict[str, str]:
    """Variables for a fresh Python that finds the package and these helpers; None unsets one."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for key, value in environment.items():
        env.pop(key, None)
        if value is not None:
            env[key] = value
    return env


# What an interpreter reads when it starts.
_AT_START = ("PYTHON", "LC_", "LANG", "LD_")


def python(
    code: str,
    *,
    cwd: Any = None,
    timeout: float = 120,
    fresh: bool = False,
    **environment: str | None,
) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own: a fresh one if asked for, or if its start is told of."""
    text, env = textwrap.dedent(code), surroundings(**environment)
    if not (fresh or any(name.startswith(_AT_START) for name in environment)):
        return forked(["-c", text], cwd, env, timeout)
    return subprocess.run(
        [sys.executable, "-c", text],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def says(code: str, **options: Any) -> str:
    """Standard output of a fresh Python that must end well."""
    done = python(code, **options)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def living(group: int, patience: float = 10) -> list[list[str]]:
    """Processes of the group that still run after so many seconds, as /proc describes them."""
    for _ in range(int(patience * 10)):
        stats = [_stat(process) for process in Path("/proc").glob("[0-9]*")]
        left = [stat for stat in stats if int(stat[2]) == group and stat[0] != "Z"]
        if not left:
            return []
        time.sleep(0.1)
    return left


def program(path: Path, does: str) -> None:
    """A program of the shell that stands in for another."""
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


def wait_for_library(above: int, name: str, patience: float = 60) -> None:
    """Until a process or one below it has loaded this library: R's nlme, that is, is at work."""
    for _ in range(int(patience * 4)):
        parents = {p: int(_stat(p)[1]) for p in Path("/proc").glob("[0-9]*")}
        below = {above}
        for _ in range(4):  # generations
            below |= {int(p.name) for p, parent in parents.items() if parent in below}
        if any(name in _libraries(Path(f"/proc/{pid}")) for pid in below):
            return
        time.sleep(0.25)
    raise TimeoutError(f"neither process {above} nor one below it loads {name}")


def _libraries(process: Path) -> str:
    try:
        return (process / "maps").read_text()
    except OSError:  # gone meanwhile
        return ""


def _stat(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:  # gone meanwhile
        return ["Z", "0", "0"]
