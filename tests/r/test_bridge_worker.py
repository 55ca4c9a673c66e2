"""The worker runs nothing of the user's folders, and no step of a call outlasts its limit."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import InstallationError, SessionError, TimeLimitError
from rbridge.r import locate
from rbridge.r.session import current
from tests.support.bridging import grouped
from tests.support.processes import python, surroundings

FIT = """
import numpy as np, pandas as pd, rbridge as rb
x = np.arange(40.0)
data = pd.DataFrame({"x": x, "g": np.arange(40) % 8, "y": x + np.sin(x)})
"""
ISOLATED = (
    FIT
    + """
with rb.set_isolation("process"):
    print("fitted", len(rb.lme("y ~ x", data, "~ 1 | g").params))
"""
)
SHADOWS = (
    "random",
    "numpy",
    "pandas",
    "rpy2",
    "queue",
    "sitecustomize",
    "usercustomize",
    "rbridge",
)


def test_modules_of_the_working_directory_do_not_run(tmp_path: Path) -> None:
    script = (
        FIT
        + f"""
import os, sys
os.chdir({str(tmp_path)!r})
sys.path.remove("")  # as a script that stands elsewhere
with rb.set_isolation("process"):
    print("fitted", len(rb.lme("y ~ x", data, "~ 1 | g").params))
"""
    )
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(f"open('ran-{name}', 'w').close()\n")
    run = python(script)
    assert run.stdout.strip() == "fitted 2", run.stderr
    assert not list(tmp_path.glob("ran-*"))


def test_modules_beside_the_script_do_not_run(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("open('ran', 'w').close()\nfrom _queue import *\n")
    (tmp_path / "work.py").write_text("import sys; sys.path.append(sys.path.pop(0))\n" + ISOLATED)
    run = subprocess.run(
        [sys.executable, "work.py"],
        cwd=tmp_path,
        env=surroundings(),
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == "fitted 2", run.stderr
    assert not (tmp_path / "ran").exists()


def test_a_worker_that_stops_while_it_is_told_is_ended_at_the_limit() -> None:
    wide = pd.concat([grouped()] * 40_000, ignore_index=True)  # more than a pipe holds
    with rb.set_isolation("process"):
        rb.lme("y ~ x", grouped(), "~ 1 | g")
        session = current()
        assert session is not None and session.worker is not None
        session.timeout = 1.0
        os.kill(session.worker.process.pid, signal.SIGSTOP)
        with pytest.raises(TimeLimitError, match="longer than 1 s"):
            rb.gls("y ~ x", wide)
        session.timeout = None
        assert np.isfinite(rb.lme("y ~ x", grouped(), "~ 1 | g").llf)


def test_the_limit_leaves_no_thread_behind() -> None:
    with rb.set_isolation("process", timeout=60):
        rb.lme("y ~ x", grouped(), "~ 1 | g")
        before = threading.active_count()
        rb.lme("y ~ x", grouped(), "~ 1 | g")
        assert threading.active_count() == before


FULL = """
import tempfile
def full(*args, **kwargs):
    raise OSError(28, "No space left on device")
tempfile.mkdtemp = full
"""


@pytest.mark.parametrize("mode", ["inprocess", "process"])
def test_without_a_temporary_folder_there_is_an_error_and_no_end_of_python(mode: str) -> None:
    script = (
        FIT
        + FULL
        + f"""
try:
    with rb.set_isolation("{mode}"):
        rb.gls("y ~ x", data)
except rb.errors.InstallationError as error:
    print(error)
print("alive")
"""
    )
    run = python(script)
    assert "No space left on device" in run.stdout and "set TMPDIR" in run.stdout, run.stderr
    assert run.stdout.endswith("alive\n") and run.returncode == 0


def test_the_place_is_where_r_would_make_its_own(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path / "missing"))
        patch.setenv("TMP", str(tmp_path))
        made = locate.temporary_folder()
        assert made.parent == tmp_path
        made.rmdir()
        patch.setattr(tempfile, "mkdtemp", _read_only)
        with pytest.raises(InstallationError, match=f"in {tmp_path} .Read-only"):
            locate.temporary_folder()


def _read_only(*args: object, **kwargs: object) -> str:
    raise OSError(errno.EROFS, "Read-only file system")


def test_a_worker_that_cannot_be_started_is_a_session_error() -> None:
    with pytest.MonkeyPatch.context() as patch, rb.set_isolation("process"):
        patch.setattr(sys, "executable", "/no/such/python")
        with pytest.raises(SessionError, match="worker cannot be started"):
            rb.gls("y ~ x", grouped())


def test_rpy2_in_another_thread_beside_an_isolated_rbridge() -> None:
    script = (
        FIT
        + """
import threading
import rpy2.rinterface as ri
ri.initr()
told = ri.baseenv["parse"](text=ri.StrSexpVector(["sum(sqrt(1:1000))"]))
stop = threading.Event()
def theirs():
    while not stop.is_set():
        ri.baseenv["eval"](told)
thread = threading.Thread(target=theirs)
thread.start()
with rb.set_isolation("process"):
    fits = [rb.lme("y ~ x", data, "~ 1 | g").params.tolist() for _ in range(20)]
stop.set(); thread.join()
print(all(fit == fits[0] for fit in fits))
"""
    )
    run = python(script)
    assert run.stdout == "True\n", f"{run.returncode} {run.stderr[-500:]}"


@pytest.mark.parametrize("packages", ["base", "NULL", "utils"])
def test_r_starts_with_few_default_packages(packages: str) -> None:
    script = FIT + 'print(len(rb.lme("y ~ x", data, "~ 1 | g").params))'
    run = python(script, R_DEFAULT_PACKAGES=packages)
    assert run.stdout == "2\n", run.stderr
