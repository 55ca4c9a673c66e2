"""`import rbridge` is the package, wherever Python was started."""

from __future__ import annotations

from pathlib import Path

from tests.support.processes import says


def test_beside_the_clone_the_package_is_imported_and_not_the_clones_folder(tmp_path: Path) -> None:
    (tmp_path / "rbridge" / "docs").mkdir(parents=True)  # a folder of the package's name
    code = "import rbridge as rb; print(rb.lme.__name__)"
    assert says(code, cwd=tmp_path, PYTHONPATH=None) == "lme"
