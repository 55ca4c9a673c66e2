"""The code blocks of README.md and docs/*.md, run one after the other.

Blocks of one page share a namespace and a folder. ```python runs; ```python NAME, ```toml NAME and
the like are written to that file; of ```console the lines `$ rbridge …` and `$ python …` run, and
must end with status 0 unless `# exit N` stands behind them. A ```text block right after is their
output, `…` standing for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

import pytest

import rbridge as rb
from rbridge.cli import main
from tests.support.places import ROOT
from tests.support.processes import surroundings

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    language: str
    name: str
    text: str
    follows: bool  # nothing but blank lines since the block before
    line: int
    rtol: float = 0.0


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    end = 0
    for match in BLOCK.finditer(text):
        between = text[end : match.start()].strip()
        told = re.fullmatch(r"<!-- to (\S+) -->", between)
        follows = end > 0 and (not between or told is not None)
        line = text.count("\n", 0, match.start()) + 1
        rtol = float(told[1]) if told else 0.0
        yield Block(match[1], match[2] or "", match[3], follows, line, rtol)
        end = match.end()


def run_python(block: Block, page: Path, names: dict[str, Any]) -> str:
    code = compile("\n" * block.line + block.text, str(page), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as said, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(code, names)
    return said.getvalue()


def run_console(block: Block, folder: Path) -> str:
    said = ""
    for line in block.text.splitlines():
        if line.startswith(("$ rbridge ", "$ python ")):
            command, _, status = line[2:].partition("# exit")
            said += run_command(command, folder, int(status or 0))
    return said


def run_command(command: str, folder: Path, status: int) -> str:
    words = shlex.split(command)
    here = words[0] == "rbridge"
    returned, said, complaint = run_here(words[1:]) if here else run_program(words[1:], folder)
    assert returned == status, f"{command}\n{said}\n{complaint}"
    return said


def run_here(words: list[str]) -> tuple[int, str, str]:
    """``rbridge`` with these arguments in the folder in which this process is: R runs already."""
    said = io.StringIO()
    complaint = said if "2>&1" in words else io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaint):
        with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
            main([word for word in words if word != "2>&1"], prog_name="rbridge")
    signal.signal(signal.SIGTERM, before)
    return int(end.value.code or 0), said.getvalue(), complaint.getvalue()


def run_program(words: list[str], folder: Path) -> tuple[int, str, str]:
    """Python with these arguments."""
    env = {**surroundings(NO_COLOR="1"), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def same(said: str, told: str, rtol: float = 0.0) -> bool:
    if rtol:
        pairs = list(zip(NUMBER.findall(said), NUMBER.findall(told)))
        last = [10.0 ** -len(b.partition(".")[2].partition("e")[0]) for _, b in pairs]
        near = (
            isclose(float(a), float(b), rel_tol=rtol, abs_tol=d) for (a, b), d in zip(pairs, last)
        )
        return all(near) and same(NUMBER.sub("0", said), NUMBER.sub("0", told))
    return doctest.OutputChecker().check_output(told.replace("…", "..."), said, FLAGS)


def placeholders(folder: Path) -> None:
    """The data.csv and models.toml that a page may speak of without showing them."""
    data = rb.datasets.load("orthodont")
    data = data.rename(columns={"distance": "y", "age": "x", "subject": "group"})
    data.to_csv(folder / "data.csv", index=False)
    model = '[[model]]\nname = "one"\nfixed = "y ~ x"\nrandom = "~ 1 | group"\n'
    (folder / "models.toml").write_text(f'data = "data.csv"\n{model}', encoding="utf-8")


def run_page(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Every block of the page in this folder; what its Python has named."""
    monkeypatch.chdir(folder)
    placeholders(folder)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names: dict[str, Any] = {"__name__": "__docs__"}
    said = ""
    for block in blocks(page):
        if block.name:
            (folder / block.name).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            said = run_python(block, page, names)
        elif block.language == "console":
            said = run_console(block, folder)
        elif block.language == "text" and block.follows:
            right = same(said, block.text, block.rtol)
            assert right, f"{page.name}:{block.line} says\n{block.text}\nand it is\n{said}"
    return names
