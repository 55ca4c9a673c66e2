"""When and of which commit a suite was checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rbridge.suite.circumstances import COMMITS, circumstances, commit

GIT = """#!/bin/sh
[ "$1 $2" = "-C {folder}" ] || exit 128
case "$3" in rev-parse) echo 0123abc ;; status) cat {folder}/status ;; esac
"""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No CI, and no git but the one that a test puts there."""
    for name in COMMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")


def put_git(folder: Path, status: str) -> None:
    (folder / "status").write_text(status)
    text = GIT.format(folder=folder).replace("cat ", "/bin/cat ")
    (folder / "git").write_text(text)
    (folder / "git").chmod(0o755)


def test_ci_is_asked_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_git(tmp_path, "")
    monkeypatch.setenv("CI_COMMIT_SHA", "fedcba")
    assert commit(tmp_path) == "fedcba"


def test_git_knows_whether_there_are_changes(tmp_path: Path) -> None:
    put_git(tmp_path, "")
    assert commit(tmp_path) == "0123abc"
    put_git(tmp_path, " M models.toml\n")
    assert commit(tmp_path) == "0123abc, with changes that are not committed"


def test_where_nobody_knows_nothing_is_said(tmp_path: Path) -> None:
    assert commit(tmp_path) == ""  # no git at all
    put_git(tmp_path, "")
    assert commit(Path("/")) == ""  # no repository there
    found = circumstances(tmp_path / "none")
    assert "commit" not in found
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", found["date"])
