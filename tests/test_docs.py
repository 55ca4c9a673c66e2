"""Every code block of README.md and docs/*.md runs, and prints what the page says it prints.

Blocks of one page share a namespace and a folder. ```python runs; ```python NAME, ```toml NAME and
the like are written to that file; of ```console the lines `$ rbridge …` and `$ python …` run, and
must end with status 0 unless `# exit N` stands behind them. A ```text block right after is their
output, `…` standing for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rbridge as rb
from rbridge.check.tolerances import TOLERANCES
from tests.support.nlme_scripts import fits_of
from tests.support.places import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NEEDS = {"statsmodels-users.md": "statsmodels"}


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
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    program = command.replace("rbridge", "python -m rbridge", 1) if command[0] == "r" else command
    done = subprocess.run(
        program.replace("python", shlex.quote(sys.executable), 1),
        shell=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


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


@pytest.mark.r
@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs(
    page: Path, r_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])
    monkeypatch.chdir(tmp_path)
    placeholders(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names: dict[str, Any] = {"__name__": "__docs__"}
    said = ""
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.name:
            (tmp_path / block.name).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            said = run_python(block, page, names)
        elif block.language == "console":
            said = run_console(block, tmp_path)
        elif block.language == "text" and block.follows:
            assert same(
                said, block.text, block.rtol
            ), f"{where} says\n{block.text}\nand it is\n{said}"
    if page.stem in SCRIPTS:
        compare_with_the_script(SCRIPTS[page.stem], names)


SCRIPTS = {f"pinheiro-bates-{k}": f"ch0{k}.R" for k in (1, 2, 4, 5)}
REFUSED = {"fm4Stool"}  # one row a group


def compare_with_the_script(script: str, names: dict[str, Any]) -> None:
    """Every fit of nlme's script has its fellow of that name on the page, with R's numbers."""
    theirs = fits_of(script)
    assert len(theirs) >= 5 and set(theirs) - set(names) - REFUSED == set()
    for name in set(theirs) - REFUSED:
        fit, reference = names[name], theirs[name]
        b = fit.coef().T.stack() if reference.kind == "lmList" else fit.params
        close = {"rtol": 1e-4, "atol": 1e-6, "err_msg": name}
        np.testing.assert_allclose(b.to_numpy(), reference.coefficients, **close)
        if reference.kind in ("lme", "gls"):
            assert fit.llf == pytest.approx(reference.log_lik, abs=1e-5), name
            assert fit.df_model == reference.df, name


def test_nothing_printed_is_cut_short() -> None:
    cut = re.compile(r"[\w,.]…|…\w|\.\.\.")
    found = {
        f"{page.name}:{block.line}": line
        for page in PAGES
        for block in blocks(page)
        if block.language == "text"
        for line in block.text.splitlines()
        if cut.search(line)
    }
    assert found == {}


@pytest.mark.parametrize(
    ("said", "right"),
    [("a 1.01", True), ("a 1.02", False), ("a -1.0", False), ("b 1.0", False), ("a 1.0 2", False)],
)
def test_numbers_to_a_relative_difference(said: str, right: bool) -> None:
    assert same(said, "a 1.00", 0.01) == right


# --- the site --------------------------------------------------------------------------------


API = ROOT / "docs" / "api"


def test_every_page_stands_in_the_sites_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    listed = set(re.findall(r"^(?:[\w ]+ <)?([a-z0-9/-]+)>?$", index, re.M))
    pages = {page.stem for page in PAGES} - {"README", "index"}
    assert listed == pages | {f"api/{page.stem}" for page in API.glob("*.rst")}


def test_every_public_name_has_its_place_in_the_reference() -> None:
    """`make docs` looks again, at what Sphinx has made of it, inherited members included."""
    text = "".join(page.read_text("utf-8") for page in API.glob("*.rst"))
    named = re.findall(r"^\.\. auto(\w+):: (\S+)$", text, re.M)
    shown = {name: kind for kind, name in named}
    public = {f"rbridge.{name}": getattr(rb, name) for name in rb.__all__}
    kinds = {n: "class" if inspect.isclass(v) else "function" for n, v in public.items()}
    assert kinds.pop("rbridge.datasets") and shown["rbridge.datasets"] == "module"
    assert {name: shown.get(name) for name in kinds} == kinds
    assert len(named) == len(shown)


def test_every_public_member_says_what_it_is() -> None:
    silent = []
    for name in rb.__all__:
        cls = getattr(rb, name)
        if not inspect.isclass(cls):
            continue
        fields = getattr(cls, "__dataclass_fields__", {})
        for member in inspect.classify_class_attrs(cls):
            ours = member.defining_class.__module__.split(".")[0] == "rbridge"
            public = not member.name.startswith("_") and member.name not in fields
            if ours and public and not inspect.getdoc(getattr(cls, member.name)):
                silent.append(f"{name}.{member.name}")
    assert silent == []


def test_the_guide_to_suites_shows_their_tolerances() -> None:
    guide = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in guide.splitlines() if line.startswith("| ")]
    shown = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}
    for name, tolerance in TOLERANCES.items():
        value, why = shown[name]
        assert float(value) == tolerance.value and why == tolerance.why


WITHOUT_A_ROW = {"test_plain_pandas2ri_fails_these", "test_the_fit_is_rs_own_or_a_named_error"}


def names_in(files: str) -> set[str]:
    texts = [file.read_text("utf-8") for file in (ROOT / "tests").glob(files)]
    return {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.M)}


def test_every_row_of_the_bridge_has_its_test_and_every_test_its_row():
    text = (ROOT / "docs" / "bridge.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    tests = names_in("r/test_bridge_*.py")
    assert named - tests - names_in("frame/test_*.py") == set()
    assert tests - named - WITHOUT_A_ROW == set()
