"""Command × fault: 1 is "the numbers disagree" and nothing else, 130 Ctrl-C, 2 all the rest."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.forked import forked
from tests.support.grades import graded
from tests.support.places import RECORDS
from tests.support.processes import surroundings, wait_for_library

pytestmark = [pytest.mark.r, pytest.mark.slow]  # the commands themselves, most of which fit

RAIL = ["rail", "--fixed", "travel ~ 1", "--random", "~ 1 | rail"]
SUITE = '[[model]]\nname = "m"\ndata = "rail"\nfixed = "travel ~ 1"\nrandom = "~ 1 | rail"\n'
HERE = {
    "fit": ["fit", *RAIL],
    "bootstrap": ["bootstrap", *RAIL, "-n", "2"],
    "crosscheck": ["crosscheck", *RAIL],
    "crosscheck --suite": ["crosscheck", "--suite", "s.toml"],
    "crosscheck --against": ["crosscheck", "--against", "refs", "--no-r"],
    "suite init": ["suite", "init", "rail"],
    "record": ["record", "--suite", "s.toml"],
    "qualify": ["qualify", "--no-r"],
}
NO_FILE = {
    "fit": ["fit", "none.csv", "--fixed", "y ~ 1"],
    "fit, of a shipped set": ["fit", "nosuch", "--fixed", "y ~ 1"],
    "bootstrap": ["bootstrap", "none.csv", "--fixed", "y ~ 1"],
    "crosscheck": ["crosscheck", "none.csv", "--fixed", "y ~ 1"],
    "crosscheck --suite": ["crosscheck", "--suite", "none.toml"],
    "crosscheck --against": ["crosscheck", "--against", "none"],
    "record": ["record", "--suite", "none.toml", "-o", "new"],
    "suite init": ["suite", "init", "none.csv"],
}
BAD_FORMULA = {
    "fit": ["fit", "rail", "--fixed", "travel ~ (", "--random", "~ 1 | rail"],
    "fit, no column": ["fit", "rail", "--fixed", "nosuch ~ 1", "--random", "~ 1 | rail"],
    "bootstrap": ["bootstrap", "rail", "--fixed", "travel", "--random", "~ 1 | rail"],
    "crosscheck": ["crosscheck", "rail", "--fixed", "travel ~ 1", "--random", "~ 1"],
    "crosscheck --suite": ["crosscheck", "--suite", "bad.toml"],
    "record": ["record", "--suite", "bad.toml", "-o", "new"],
}
WITHOUT_R = ["fit", "bootstrap", "crosscheck", "crosscheck --suite", "record", "doctor", "demo"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "s.toml").write_text(SUITE)
    (tmp_path / "bad.toml").write_text(SUITE.replace("travel ~ 1", "travel ~ )"))
    (tmp_path / "file").write_text("a file, no folder")
    (tmp_path / "refs").mkdir()
    shutil.copy(RECORDS / "rail-intercept.json", tmp_path / "refs")
    return tmp_path


def run(
    command: Sequence[str], place: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return forked(["-m", "rbridge", *command], place, surroundings(**environment), 300)


def run_into(command: Sequence[str], place: Path, stdout: int) -> subprocess.CompletedProcess[str]:
    """A fresh process, which closes what it has written to as it ends."""
    program = [sys.executable, "-m", "rbridge", *command]
    pipes: dict[str, Any] = {"stdout": stdout, "stderr": subprocess.PIPE}
    return subprocess.run(program, cwd=place, text=True, timeout=300, **pipes)


def holds(done: subprocess.CompletedProcess[str], status: int = 2) -> None:
    """The status, and one readable block."""
    assert done.returncode == status, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 6


BAD_OUTPUTS = [(command, "file/x") for command in HERE]
BAD_OUTPUTS += [(command, "none/x") for command in HERE if command != "record"]  # it makes folders


@pytest.mark.parametrize("command, output", BAD_OUTPUTS)
def test_an_output_that_cannot_be_is_refused_first(place: Path, command: str, output: str) -> None:
    """First: R is nowhere, and yet it is the output that is spoken of."""
    done = run([*HERE[command], "-o", output], place, R_HOME="/nosuch")
    holds(done)
    assert f"-o {output}" in done.stderr or f"--output {output}" in done.stderr, done.stderr


@pytest.mark.parametrize("command", [name for name in HERE if name != "record"])
def test_an_output_that_is_a_folder(place: Path, command: str) -> None:
    done = run([*HERE[command], "-o", "refs"], place, R_HOME="/nosuch")
    holds(done)
    assert "refs: is a folder" in done.stderr


@pytest.mark.parametrize("command", NO_FILE)
def test_a_file_that_is_not_there(place: Path, command: str) -> None:
    holds(run(NO_FILE[command], place))


@pytest.mark.parametrize("command", BAD_FORMULA)
def test_a_formula_that_cannot_be(place: Path, command: str) -> None:
    holds(run(BAD_FORMULA[command], place))


@pytest.mark.parametrize("command", WITHOUT_R)
def test_without_r(place: Path, command: str) -> None:
    more = ["-o", "new"] if command == "record" else []
    done = run([*HERE.get(command, [command]), *more], place, R_HOME="/nosuch")
    holds(done)


WRITES = {
    "fit": HERE["fit"],
    "crosscheck": HERE["crosscheck"],
    "crosscheck --against": HERE["crosscheck --against"],
    "suite init": HERE["suite init"],
    "suite schema": ["suite", "schema"],
    "demo": ["demo"],
    "doctor": ["doctor"],
    "help": ["--help"],
    "help of a command": ["fit", "--help"],
}


@pytest.mark.parametrize("command", graded(WRITES, {"crosscheck", "suite schema", "help"}))
def test_a_closed_pipe(place: Path, command: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        holds(run_into(WRITES[command], place, theirs))
    finally:
        os.close(theirs)


FULL = ["fit", "crosscheck --against", "suite init", "help"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
@pytest.mark.parametrize("command", graded(FULL, {"fit", "help"}))
def test_a_full_disk(place: Path, command: str) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run_into(WRITES[command], place, full)
    finally:
        os.close(full)
    holds(done)
    assert "No space left" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_report_on_a_full_disk(place: Path) -> None:
    done = run([*HERE["crosscheck --against"], "-o", "/dev/full"], place)
    holds(done)
    assert "No space left" in done.stderr


SLOW = {
    "bootstrap": ["bootstrap", *RAIL, "-n", "100000"],
    "crosscheck --suite": ["crosscheck", "--suite", "many.toml"],
    "crosscheck --suite --jobs": ["crosscheck", "--suite", "many.toml", "--jobs", "2"],
    "record": ["record", "--suite", "many.toml", "-o", "new"],
    "qualify": ["qualify"],
}


@pytest.mark.parametrize("command", graded(SLOW, {"bootstrap", "crosscheck --suite --jobs"}))
def test_ctrl_c(place: Path, command: str) -> None:
    """As a terminal sends it: to the whole group of processes."""
    many = [SUITE.replace('"m"', f'"m{number}"') for number in range(2000)]
    (place / "many.toml").write_text("\n".join(many))
    work = subprocess.Popen(
        [sys.executable, "-m", "rbridge", *SLOW[command]],
        cwd=place,
        env=surroundings(PYTHONFAULTHANDLER="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for_library(work.pid, "nlme.so")
        time.sleep(1)
        os.killpg(work.pid, signal.SIGINT)
        work.communicate(timeout=120)  # until those that it started have ended too
    except subprocess.TimeoutExpired:
        os.kill(work.pid, signal.SIGABRT)  # its last words are where every thread stands
        work.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(work.pid, signal.SIGKILL)
    out, err = work.communicate()
    status = work.returncode if work.returncode >= 0 else 128 - work.returncode  # as shells tell it
    holds(subprocess.CompletedProcess([], status, out, err), 130)


def test_debug_shows_the_traceback_and_the_same_status(place: Path) -> None:
    done = run(["--debug", *NO_FILE["fit"]], place)
    assert done.returncode == 2 and "Traceback" in done.stderr


@pytest.mark.parametrize(
    "raised, told",
    [
        (
            "ZeroDivisionError('by\\nnothing')",
            "a fault of rbridge itself: ZeroDivisionError: by nothing",
        ),
        ("ModuleNotFoundError(name='scipy.special')", "Python's package scipy is missing"),
        ("ModuleNotFoundError('no', name='rbridge.x')", "a fault of rbridge itself"),
    ],
)
def test_a_fault_is_one_sentence(place: Path, raised: str, told: str) -> None:
    program = (
        "import rbridge.cli.fit as module\n"
        f"def fault(**_): raise {raised}\n"
        "module.show_fit = fault\n"
        "from rbridge.cli import main\n"
        "main(['fit', 'rail', '--fixed', 'travel ~ 1'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=place, capture_output=True, text=True
    )
    holds(done)
    assert told in done.stderr
