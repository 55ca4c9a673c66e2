"""The house of the tests: they mirror the rooms, share helpers, and touch nothing private of R."""

from __future__ import annotations

import re
from pathlib import Path

import rbridge
from tests.support.places import ROOT, TESTS

FILES = sorted([*TESTS.rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")])
ELSEWHERE = {"reference", "suites", "support"}  # folders that are no room of the package


def with_text(pattern: str) -> dict[str, str]:
    """The files, also in the code that they give to other processes, in which this stands."""
    found = {path: re.search(pattern, path.read_text("utf-8"), re.M) for path in FILES}
    return {str(path.relative_to(TESTS.parent)): match[0] for path, match in found.items() if match}


def test_no_test_imports_a_test() -> None:
    assert with_text(r"^ *(from|import) +(\S+\.)?(test_|conftest)") == {}
    assert with_text(r"^ *from +tests\.\S+ +import +(test_|conftest)") == {}


def test_nothing_private_of_the_session_is_touched() -> None:
    assert with_text(r"\._(call_safely|submit|wait|session|worker|fitted)\b") == {}
    assert with_text(r"^ *from +rbridge\.r\.\S+ +import +_") == {}


def test_snapshots_are_made_in_one_place() -> None:
    made = with_text(r"(?<!class )\b(FitSnapshot|RandomLevel|CorStruct|VarFunc)\(")
    assert {file for file in made if file.startswith("tests")} == {"tests/support/synthetic.py"}


def test_folders_are_rooms() -> None:
    def folders(of: Path) -> set[str]:
        return {p.name for p in of.iterdir() if p.is_dir() and p.name != "__pycache__"}

    assert folders(TESTS) - ELSEWHERE <= folders(Path(rbridge.__file__).parent)
