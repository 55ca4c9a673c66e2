"""The rounds over joblib, and files that grow line by line; no R."""

import builtins
import json
import os
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pytest

from rbridge.many import parallel
from rbridge.errors import InstallationError, RWarning
from rbridge.many.parallel import collect
from rbridge.many.result_file import ResultFile, ResultFileError, fingerprint


@dataclass(frozen=True)
class Square:
    value: int
    reason: str = ""
    failures: int = 0


def squares(start, stop):
    return [Square(i * i) if i % 7 else Square(0, "seven", 1) for i in range(start, stop)]


def task(start, stop):
    return partial(squares, start, stop)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_item_once_and_in_order(n_jobs):
    seen, kept = [], []
    done, interrupted = collect(
        task,
        40,
        n_jobs=n_jobs,
        progress=lambda *k: seen.append(k),
        what="squares",
        keep=kept.extend,
    )
    assert done == squares(0, 40) == kept and not interrupted
    assert seen[-1] == (40, 40, 6) and seen == sorted(seen)
    assert collect(task, 0, n_jobs=n_jobs, progress=False, what="squares") == ([], False)


@pytest.mark.parametrize("jobs", [1, 2, 7])
@pytest.mark.parametrize("pace", [np.inf, 10.0, 0.03, 1e-6])
@pytest.mark.parametrize("n", [1, 5, 1000])
def test_rounds_cover_what_is_left(n, pace, jobs):
    start, rounds = 0, 0
    while start < n:
        cuts = parallel._cuts(start, n, pace, jobs)
        assert cuts[0] == start < cuts[-1] <= n and (np.diff(cuts) > 0).all()
        start, rounds = cuts[-1], rounds + 1
    assert rounds <= n


def test_ctrl_c_keeps_the_finished_rounds():
    def interrupted_at_five(start, stop):
        if start == 5:
            raise KeyboardInterrupt
        return task(start, stop)

    with pytest.warns(RWarning, match="interrupted after 5 of 9 squares"):
        done, interrupted = collect(
            interrupted_at_five, 9, n_jobs=1, progress=lambda *k: None, what="squares"
        )
    assert interrupted and done == squares(0, 5)


def die_at_twenty(start, stop):
    if stop > 20:
        os._exit(1)
    return squares(start, stop)


def test_the_death_of_a_worker_keeps_the_finished_rounds():
    with pytest.warns(RWarning, match="a worker process died after .* of 60 squares"):
        done, interrupted = collect(
            lambda *ends: partial(die_at_twenty, *ends),
            60,
            n_jobs=2,
            progress=False,
            what="squares",
        )
    assert interrupted and done == squares(0, len(done))
    assert collect(task, 4, n_jobs=2, progress=False, what="squares") == (squares(0, 4), False)


@pytest.fixture(autouse=True)
def one_item_a_task(monkeypatch):
    """The tests' work takes no time at all: without this it would all be one task."""
    monkeypatch.setattr(parallel, "TASK", 1e-9)


def test_many_failures_bring_new_workers(monkeypatch):
    import joblib

    monkeypatch.setattr(parallel, "FAILURES", 2)
    first = set(joblib.Parallel(n_jobs=2)(joblib.delayed(_pid)(i) for i in range(4)))
    done, _ = collect(task, 60, n_jobs=2, progress=False, what="squares")
    assert done == squares(0, 60)
    assert first.isdisjoint(joblib.Parallel(n_jobs=2)(joblib.delayed(_pid)(i) for i in range(4)))


def _pid(_):
    return os.getpid()


def test_without_joblib_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def no_joblib(name, *rest):
        if name == "joblib":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_joblib)
    with pytest.raises(InstallationError, match="pip install joblib"):
        collect(task, 3, n_jobs=1, progress=False, what="squares")


# --- result files -----------------------------------------------------------------------------


def test_a_line_cut_by_a_kill_is_written_anew(tmp_path):
    path = tmp_path / "results.jsonl"
    ResultFile(path, "print").append(squares(1, 4))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    again = ResultFile(path, "print")
    assert [row["value"] for row in again.rows] == [1, 4]
    again.append(squares(3, 4))
    assert path.read_bytes() == whole


def test_values_come_back_exactly(tmp_path):
    values = [1 / 3, 5e-324, float("inf"), "\u2028 line ends of all kinds \x85"]
    ResultFile(tmp_path / "r", "").append([Square(value) for value in values])
    assert [row["value"] for row in ResultFile(tmp_path / "r", "").rows] == values


def test_a_file_killed_within_its_first_line_starts_anew(tmp_path):
    (tmp_path / "r").write_bytes(b'{"rbridge": "resu')
    ResultFile(tmp_path / "r", "print").append(squares(2, 3))
    assert ResultFile(tmp_path / "r", "print").rows == [{"value": 4, "reason": "", "failures": 0}]


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "a,b", "[1]\n", '{"rbridge": 1}\n', "\xff\n"])
def test_other_files_are_left_alone(tmp_path, content):
    (tmp_path / "r").write_text(content)
    with pytest.raises(ResultFileError, match="no result file"):
        ResultFile(tmp_path / "r", "print")
    assert (tmp_path / "r").read_text() == content


def test_results_of_something_else_are_refused(tmp_path):
    data = pd.DataFrame({"x": [1.0, 2.0], "g": ["a", "b"]})
    ResultFile(tmp_path / "r", fingerprint(data, ["model"]))
    ResultFile(tmp_path / "r", fingerprint(data.copy(), ["model"]))
    for other in (fingerprint(data * 2, ["model"]), fingerprint(data, ["another"])):
        with pytest.raises(ResultFileError, match="other models, data"):
            ResultFile(tmp_path / "r", other)


def test_the_file_is_json_lines(tmp_path):
    ResultFile(tmp_path / "r", "print").append(squares(1, 3))
    lines = [json.loads(line) for line in (tmp_path / "r").read_text().splitlines()]
    assert lines[0]["fingerprint"] == "print" and [line["value"] for line in lines[1:]] == [1, 4]
