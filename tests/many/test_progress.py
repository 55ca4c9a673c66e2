"""When a bar appears, and as what; nobody waits for a clock."""

import io
import sys
import threading

import pytest

from rbridge.many import progress
from rbridge.many.progress import reporting


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Recorded:
    """A bar that notes what it is told."""

    def __init__(self):
        self.said, self.started = [], threading.Event()

    def start(self):
        self.said.append("start")
        self.started.set()

    def show(self, done, text):
        self.said.append((done, text))

    def stop(self):
        self.said.append("stop")


@pytest.fixture
def bar(monkeypatch):
    made = Recorded()
    monkeypatch.setattr(progress, "_bar", lambda n, what: made)
    return made


def test_work_that_is_soon_done_has_no_bar(bar, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 1e6)
    with reporting(True, 3, "fits") as report:
        report(1, 3, 0)
    assert bar.said == []


def test_long_work_has_one_with_what_is_done(bar, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0)
    with reporting(True, 3, "fits") as report:
        assert bar.started.wait(60)
        report(1, 3, 0)
        report(2, 3, 1)
    assert bar.said == ["start", (1, "fits"), (2, "fits, 1 failed"), "stop"]


def test_no_bar_and_a_function(bar):
    with reporting(False, 3, "fits") as report:
        report(1, 3, 0)
    seen = []
    with reporting(lambda *k: seen.append(k), 3, "fits") as report:
        report(1, 3, 0)
    assert bar.said == [] and seen == [(1, 3, 0)]


def test_on_a_terminal_and_in_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(progress._bar(3, "fits"), progress._Rich)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    assert progress._bar(3, "fits") is None


def test_a_notebook_without_ipywidgets_has_a_line_of_text(monkeypatch):
    import rich.console

    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    monkeypatch.setattr(progress, "DELAY", 0)
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    line = progress._bar(12, "profiles")
    line.start()
    line.show(3, "profiles, 1 failed")
    line.show(12, "profiles")
    line.stop()
    assert shown.getvalue().split("\r")[1:] == [
        "profiles: 0 of 12",
        "profiles, 1 failed: 3 of 12",
        "profiles: 12 of 12         \n",
    ]
    monkeypatch.setattr(progress, "find_spec", lambda name: name)
    assert isinstance(progress._bar(3, "fits"), progress._Rich)
