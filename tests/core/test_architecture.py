"""The rules of the house: who may import whom. A reader can check them, and so does this."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rbridge

PACKAGE = Path(rbridge.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> list[str]:
    """Absolute names of all that a module imports, at any depth of its code."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ["rbridge", *path.relative_to(PACKAGE).parts[:-1]]
            base = base[: len(base) - (node.level - 1)] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return found


def id_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent.name == "core"], ids=id_of)
def test_core_needs_only_numpy_and_scipy(path):
    allowed = ("numpy", "scipy", "rbridge.core", "rbridge.errors", "rbridge.options", "__future__")
    outside = [
        name
        for name in imports(path)
        if not name.startswith(allowed) and name.split(".")[0] not in sys.stdlib_module_names
    ]
    assert outside == []


@pytest.mark.parametrize("path", MODULES, ids=id_of)
def test_only_r_imports_rpy2_and_never_robjects(path):
    names = [name for name in imports(path) if name.split(".")[0] == "rpy2"]
    if path.parent.name != "r":
        assert names == []
    assert all(name.startswith(("rpy2.rinterface", "rpy2.rinterface_lib")) for name in names)


def test_import_starts_no_r_and_loads_nothing_heavy():
    code = (
        "import sys, rbridge; print([m for m in ('rpy2', 'matplotlib', 'joblib', 'scipy.stats',"
        " 'scipy.optimize') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
