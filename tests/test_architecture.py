"""The rules of the house: who may import whom. A reader can check them, and so does this."""

import ast
import subprocess
import sys
from collections import Counter
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import rbridge
from tests.support.places import ROOT

PACKAGE = Path(rbridge.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FLOORS = [
    *(
        {"errors", "files"},
        {"options"},
        {"core", "datasets", "model"},
        {"frame", "show"},
        {"r"},
        {"fit"},
    ),
    *({"check"}, {"many"}, {"analysis"}, {"results"}, {"api"}, {"repeated"}),
    *({"suite", "qualify", "testing"}, {"public"}, {"__init__"}, {"cli"}, {"__main__"}),
]
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = (
    *("rpy2", "matplotlib", "joblib", "rich", "statsmodels"),
    *("scipy.optimize", "scipy.stats", "scipy.interpolate"),
)
LIBRARIES = {"core": {"numpy", "scipy"}}
LIBRARIES |= {room: set() for room in ("model", "errors", "options", "files")}


def name_of(path: Path) -> str:
    parts = ["rbridge", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


@lru_cache(maxsize=None)
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@lru_cache(maxsize=None)
def imports(path: Path, tree: ast.AST | None = None) -> list[str]:
    """Absolute names of all that a module imports, at any depth of its code."""
    found = []
    for node in ast.walk(tree or parsed(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ["rbridge", *path.relative_to(PACKAGE).parts[:-1]]
            base = base[: len(base) - (node.level - 1)] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return found


@lru_cache(maxsize=None)
def own(path: Path, tree: ast.AST | None = None) -> set[str]:
    """The modules of the package that a module imports."""
    found = set()
    for name in imports(path, tree):
        if name.split(".")[0] == "rbridge":
            while name not in NAMES:
                name = name.rpartition(".")[0]
            found.add(name)
    return found


def room_of(name: str) -> str:
    return (name.split(".") + ["__init__"])[1]


def id_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


every_module = pytest.mark.parametrize("path", MODULES, ids=id_of)


@every_module
def test_imports_go_down(path):
    here = room_of(name_of(path))
    upward = [
        name for name in own(path) if room_of(name) != here and FLOOR[room_of(name)] >= FLOOR[here]
    ]
    assert upward == []


def test_no_two_files_import_each_other_in_a_circle():
    graph = {name_of(path): own(path) - {name_of(path)} for path in MODULES}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


@every_module
def test_a_late_import_waits_for_something_heavy(path):
    if path.parent.name == "cli":  # each command waits for pandas
        return
    for function in ast.walk(parsed(path)):
        if isinstance(function, ast.FunctionDef) and (late := imports(path, function)):
            files = [p for p in MODULES if name_of(p) in own(path, function)]
            reached = [*late, *(far for file in files for far in imports(file))]
            assert any(name.startswith(HEAVY) for name in reached), late


@every_module
def test_rooms_use_only_their_libraries(path):
    allowed = LIBRARIES.get(room_of(name_of(path)))
    outside = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
    if allowed is not None:
        assert outside - {"rbridge", "tomli"} <= allowed


@every_module
def test_only_r_imports_rpy2_and_never_robjects(path):
    names = [name for name in imports(path) if name.split(".")[0] == "rpy2"]
    if room_of(name_of(path)) != "r":
        assert names == []
    assert all(name.startswith(("rpy2.rinterface", "rpy2.rinterface_lib")) for name in names)


def test_no_two_classes_share_a_name():
    classes = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in classes.items() if count > 1] == []


def test_public_names_say_that_they_are_of_rbridge():
    elsewhere = [
        name
        for name in rbridge.__all__
        if name != "datasets" and getattr(rbridge, name).__module__ != "rbridge"
    ]
    assert elsewhere == []


def test_import_starts_no_r_and_loads_nothing_heavy():
    code = (
        "import sys, rbridge; rbridge.lme; print([m for m in ('rpy2', 'matplotlib', 'joblib',"
        " 'scipy.stats', 'scipy.optimize') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_on_the_house_names_every_file():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    words = set(page.replace("`", " ").replace(":", " ").split())
    files = {path.stem for path in MODULES if not path.stem.startswith("__")}
    files |= {path.name for path in PACKAGE.rglob("*.R")}
    assert files - words == set()
