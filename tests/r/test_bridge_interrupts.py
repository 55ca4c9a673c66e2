"""Ctrl-C and SIGTERM, the first from a real terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.support.grades import graded
from tests.support.processes import says, surroundings

HARD = """
    import numpy as np, pandas as pd, rbridge as rb, time, sys, os
    from tests.support.bridging import define, grouped, in_r
    from rbridge.r.session import session
    rng = np.random.default_rng(1)
    n = 3000
    large = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n)})
    large["g"] = np.arange(n) // 750
    def slow_fit():  # correlation matrices of 750 rows: minutes
        rb.gls("y ~ x", large, correlation=rb.corARMA(form="~ 1 | g", p=2, q=2))
    def loop():
        define("loop", "function() repeat NULL")
        session().call("loop")
    def sleep():
        define("nap", "function() Sys.sleep(100)")
        session().call("nap")
    def works():
        print("WORKS", rb.lme("y ~ x", grouped(), "~ 1 | g").converged, flush=True)
"""


def terminal(code: str) -> pexpect.spawn:
    """A fresh Python on a pseudo-terminal of its own."""
    text = textwrap.dedent(HARD) + textwrap.dedent(code)
    options: Any = {"env": surroundings(), "encoding": "utf-8", "timeout": 60}
    return pexpect.spawn(sys.executable, ["-c", text], **options)


@pytest.mark.parametrize("what", graded(["slow_fit", "loop", "sleep"], {"slow_fit"}))
def test_ctrl_c_stops_r_and_r_works_on(what):
    child = terminal(
        f"""
        works()
        print("READY", flush=True)
        try:
            {what}()
        except KeyboardInterrupt:
            print("STOPPED", flush=True)
        works()
    """
    )
    child.expect("READY")
    time.sleep(1.0)
    child.sendintr()
    child.expect("STOPPED")
    child.expect("WORKS True")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, child.signalstatus) == (0, None)


def test_two_ctrl_c_do_not_leave_r_half_way():
    child = terminal(
        """
        print("READY", flush=True)
        try:
            loop()
        except KeyboardInterrupt:
            works()
    """
    )
    child.expect("READY")
    time.sleep(1.5)
    child.sendintr()
    child.sendintr()
    child.expect(["WORKS True", "KeyboardInterrupt"])
    child.expect(pexpect.EOF)
    child.close()
    assert child.signalstatus is None


def test_ctrl_c_while_r_starts_costs_that_call_only():
    child = terminal(
        """
        print("READY", flush=True)
        try:
            works()
        except KeyboardInterrupt:
            print("STOPPED", flush=True)
        works()
    """
    )
    child.expect("READY")
    time.sleep(0.2)  # R takes longer than that to start
    child.sendintr()
    child.expect("STOPPED")
    child.expect("WORKS True")
    child.expect(pexpect.EOF)


def test_ctrl_c_kills_the_isolated_worker():
    child = terminal(
        """
        rb.set_isolation("process")
        works()
        print("READY", flush=True)
        try:
            slow_fit()
        except KeyboardInterrupt:
            print("STOPPED", flush=True)
        works()
    """
    )
    child.expect("READY")
    time.sleep(1.0)
    child.sendintr()
    child.expect("STOPPED")
    child.expect("WORKS True")
    child.expect(pexpect.EOF)


def test_ctrl_c_while_another_thread_fits_stops_only_its_own_call():
    child = terminal(
        """
        import threading
        define("busy", "function() { end <- Sys.time() + 3; while (Sys.time() < end) NULL; 1 }")
        other = threading.Thread(
            target=lambda: print("OTHER", session().call("busy").value.tolist(), flush=True))
        other.start()
        time.sleep(0.3)
        print("READY", flush=True)
        try:
            works()
        except KeyboardInterrupt:
            print("STOPPED", flush=True)
        other.join()
        works()
    """
    )
    child.expect("READY")
    time.sleep(0.5)
    child.sendintr()
    child.expect("STOPPED")
    child.expect("OTHER \\[1")
    child.expect("WORKS True")


def test_the_users_own_sigint_handler_is_kept():
    code = """
        import signal, os, ctypes
        from tests.support.bridging import grouped
        import rbridge as rb
        seen = []
        mine = lambda *_: seen.append(1)
        for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, mine)
        rb.lme("y ~ x", grouped(), "~ 1 | g")
        for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
            os.kill(os.getpid(), number)
        rb.lme("y ~ x", grouped(), "~ 1 | g")
        print(seen, signal.getsignal(signal.SIGINT) is mine)
    """
    assert says(code) == "[1, 1, 1] True"


@pytest.mark.parametrize("taken_by", ["the main thread", "another"])
def test_no_ctrl_c_is_the_last_that_is_heard(taken_by):
    """One that comes just as SIGINT is to be held back must not leave it held back."""
    blocked = "signal.SIGINT" if taken_by == "the main thread" else ""
    code = """
        import os, random, signal, sys, threading, time
        from rbridge.r.signals import sigint_held
        sys.setswitchinterval(1e-4)
        waited_for = False
        def once(*_):
            global waited_for
            if waited_for:
                waited_for = False
                raise KeyboardInterrupt
        signal.signal(signal.SIGINT, once)
        def send():
            signal.pthread_sigmask(signal.SIG_BLOCK, [BLOCKED])
            while time.sleep(random.uniform(0, 0.0005)) is None:
                os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=send, daemon=True).start()
        def hold_again_and_again():
            global waited_for
            patience, waited_for = time.monotonic() + 10, True
            while time.monotonic() < patience:
                with sigint_held(): pass
            sys.exit("unheard")
        for _ in range(500):
            try:
                hold_again_and_again()
            except KeyboardInterrupt:
                pass
            if signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
                sys.exit("held back")
        os._exit(0)
    """
    says(code.replace("BLOCKED", blocked))


@pytest.mark.parametrize("isolation", ["inprocess", "process"])
def test_ctrl_c_is_not_lost_where_a_fit_is_forgotten(isolation):
    """Python drops what finalisers raise."""
    code = f"""
        import _thread, collections, operator, time
        import rbridge as rb
        from tests.support.bridging import grouped
        rb.set_isolation({isolation!r})
        fits = [rb.lme("y ~ x", grouped(), "~ 1 | g")]
        in_c_alone = map(operator.methodcaller("__call__"), [_thread.interrupt_main, fits.clear])
        try:
            collections.deque(in_c_alone, 0)
            time.sleep(0.1)
        except KeyboardInterrupt:
            print("HEARD", len(fits))
    """
    assert says(code) == "HEARD 0"


def test_an_alarm_of_the_users_stops_r():
    code = textwrap.dedent(HARD) + textwrap.dedent(
        """
        import signal
        def alarm(*_): raise TimeoutError("mine")
        signal.signal(signal.SIGALRM, alarm)
        works()
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            loop()
        except TimeoutError as error:
            print("STOPPED", error)
        works()
    """
    )
    assert says(code).splitlines() == ["WORKS True", "STOPPED mine", "WORKS True"]


def test_the_interpreter_may_end_while_a_thread_is_in_r():
    code = textwrap.dedent(HARD) + textwrap.dedent(
        """
        import threading
        session()
        threading.Thread(target=loop, daemon=True).start()
        time.sleep(0.5)
        print("END", in_process := True)
    """
    )
    assert says(code) == "END True"


def test_sigterm_ends_the_command_line_and_its_temporary_folder(tmp_path):
    data = tmp_path / "large.csv"
    rows = "\n".join(f"{i * 7919 % 1000},{i * 104729 % 997},{i // 750}" for i in range(3000))
    data.write_text(f"y,x,g\n{rows}\n")
    command = [sys.executable, "-m", "rbridge", "fit", str(data), "--fixed", "y ~ x"]
    command += ["--correlation", "corARMA(form = ~ 1 | g, p = 2, q = 2)"]
    folder = tmp_path / "tmp"
    folder.mkdir()
    env = surroundings(TMPDIR=str(folder))
    child = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    for _ in range(100):
        time.sleep(0.1)
        if list(Path(folder).rglob("Rtmp*")):
            break
    time.sleep(1.0)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=20) == 143
    assert not list(folder.iterdir())


def test_temporary_folders_are_removed_at_a_normal_end(tmp_path):
    code = """
        from tests.support.bridging import grouped
        import rbridge as rb
        rb.lme("y ~ x", grouped(), "~ 1 | g")
    """
    says(code, TMPDIR=str(tmp_path))
    assert not list(tmp_path.iterdir())
