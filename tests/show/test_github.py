"""Annotations: read back as GitHub's runner reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rbridge.show.github import annotation

# as documented: data, and properties, whose commas and colons have a meaning of their own
DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
PROPERTY = {"%3A": ":", "%2C": ",", **DATA}


def unescaped(text: str, codes: dict[str, str]) -> str:
    return re.sub("|".join(codes), lambda match: codes[match[0]], text)


def read(line: str) -> tuple[str, dict[str, str], str]:
    """Level, properties and message of a workflow command."""
    found = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line)
    assert found is not None
    pairs = [item.split("=", 1) for item in found[2].split(",")]
    return found[1], {k: unescaped(v, PROPERTY) for k, v in pairs}, unescaped(found[3], DATA)


@pytest.mark.parametrize(
    "told", ["plain", "a: b, c", "100 %0A", "two\r\nlines", "::error::x", "ä%"]
)
def test_what_was_said_is_read_back(told: str) -> None:
    level, properties, message = read(annotation("warning", told, told))
    assert (level, properties, message) == ("warning", {"title": told}, told)


def test_the_file_stands_as_the_repository_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    _, properties, _ = read(annotation("error", "m", "t", "a,b.toml:12"))
    assert properties == {"file": "sub/a,b.toml", "line": "12", "title": "t"}
    _, properties, _ = read(annotation("error", "m", "t", "../refs/x.json"))
    assert properties["file"] == "refs/x.json" and "line" not in properties
