"""README.md, docs/*.md and the site: every block runs, every name has its place."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import rbridge as rb
from rbridge.check.tolerances import TOLERANCES
from tests.support.grades import graded
from tests.support.guides import PAGES, blocks, run_page, same
from tests.support.places import ROOT

NEEDS = {"statsmodels-users.md": "statsmodels"}
LONG = {"ci.md", "gallery.md", "qualification.md"}
ELSEWHERE = "pinheiro-bates-"  # tests/r/test_pinheiro_bates.py: beside nlme's own scripts
HERE = {page.name: page for page in PAGES if ELSEWHERE not in page.name}


@pytest.mark.r
@pytest.mark.slow
@pytest.mark.parametrize("name", graded(HERE, HERE.keys() - LONG))
def test_every_block_runs(
    name: str, r_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    run_page(HERE[name], tmp_path, monkeypatch)


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
