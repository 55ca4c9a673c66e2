"""The house of the tests: they mirror the rooms, share helpers, and touch nothing private of R."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import rbridge
from rbridge.core import snapshot
from tests.support.places import ROOT, TESTS

FILES = sorted([*TESTS.rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")])
PARTS = ("FitSnapshot", "RandomLevel", "CorStruct", "VarFunc")
ELSEWHERE = {"reference", "suites", "support"}
HIDDEN = {"_call_safely", "_submit", "_wait", "_session", "_worker", "_fitted"}


@lru_cache(maxsize=None)
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


def imported(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_test_imports_a_test() -> None:
    wrong = re.compile(r"(^|\.)(test_|conftest)")
    found = {path.name: name for path in FILES for name in imported(path) if wrong.search(name)}
    assert {f: name for f, name in found.items() if not name.startswith("rbridge.")} == {}


def test_nothing_private_of_the_session_is_touched() -> None:
    for path in FILES:
        assert not [name for name in imported(path) if re.match(r"rbridge\.r\..*\._", name)], path
        attributes = {node.attr for node in nodes(path) if isinstance(node, ast.Attribute)}
        assert not attributes & HIDDEN, path


def test_snapshots_are_made_in_one_place() -> None:
    makers = {
        path.name
        for path in TESTS.rglob("*.py")
        for node in nodes(path)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in PARTS
    }
    assert makers == {"synthetic.py"} and all(hasattr(snapshot, name) for name in PARTS)


def test_folders_are_rooms() -> None:
    def folders(of: Path) -> set[str]:
        return {p.name for p in of.iterdir() if p.is_dir() and p.name != "__pycache__"}

    assert folders(TESTS) - ELSEWHERE <= folders(Path(rbridge.__file__).parent)
