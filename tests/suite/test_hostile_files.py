"""Suites and records that would take for ever, or all the memory, are refused by line or name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rbridge.errors import RBridgeError, RecordError, SuiteError
from rbridge.suite.cases import load_suite
from rbridge.suite.drift import check_record
from rbridge.suite.record import RecordFile, read_record
from rbridge.suite.toml_lines import deep_key
from tests.support.places import RECORDS

LONG = ".".join("a" * 20_000)
QUOTED = " . ".join(["'a'", '"a"'] * 10_000)
DEEP = {
    "key": f"{LONG} = 1",
    "table": f"[{LONG}]",
    "array of tables": f"[[{LONG}]]",
    "inline table": f"x = {{{LONG} = 1}}",
    "array": f"x = [{{y = 1}}, {{{LONG} = 1}}]",
    "quoted": f"{QUOTED} = 1",
    "bare and quoted": f'"x".{QUOTED} = 1',
    "behind a string": f'x = "a # b"\n{LONG} = 1',
    "behind a long string": f'x = """\n""\\"""\\n\n"""\n{LONG} = 1',
    "behind a string without its end": f"x = '\n{LONG} = 1",
}


@pytest.mark.parametrize("name", DEEP)
def test_a_key_of_20_000_parts(tmp_path: Path, name: str) -> None:
    path = tmp_path / "models.toml"
    path.write_text(f"# first\n{DEEP[name]}\n")
    line = 2 + DEEP[name].split("a.a" if "'a'" not in DEEP[name] else "'a' .")[0].count("\n")
    with pytest.raises(SuiteError, match=f"models.toml:{line}: a key of more than 64 parts"):
        load_suite(path)


SHALLOW = [
    ".".join("a" * 64) + " = 1",
    f"x = '{LONG}'",
    f'x = "{LONG}"',
    f"x = '''\n{LONG}\n'''",
    f'x = """\n{LONG}"""""',
    f"# {LONG}",
    f"x = [{', '.join(['1.5'] * 1000)}]",
    "x" * 100_000 + " = 1",
    "a-" * 50_000 + " = 1",
    '"' + '\\"' * 50_000 + '" = 1',
    "'" * 100_001,
    '"' * 100_001,
    '"' + "\\" * 100_001,
    "." * 1,
]


@pytest.mark.parametrize("number", range(len(SHALLOW)))
def test_other_texts_are_left_to_the_parser(number: int) -> None:
    assert deep_key(SHALLOW[number]) == 0


@pytest.mark.parametrize("text", ["x = " + "[" * 50_000, "x = " + "{a=" * 50_000, "[" * 50_000])
def test_brackets_without_end(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(SuiteError):
        load_suite(tmp_path / "s.toml")


@pytest.mark.parametrize("data", ["pipe.csv", "/dev/zero", "/dev/stdin", "zero.csv", "folder.csv"])
def test_a_record_whose_data_are_no_plain_file(tmp_path: Path, data: str) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.csv").mkdir()
    content = json.loads((RECORDS / "rail-intercept.json").read_text())
    content["data"]["data"] = data
    path = tmp_path / "rail.json"
    path.write_text(json.dumps(content))
    outcome = check_record(RecordFile(path, False))
    found = next(finding for finding in outcome.findings if finding.code == "data")
    assert "is no plain file" in found.text


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir])
def test_a_record_that_is_no_plain_file(tmp_path: Path, make: object) -> None:
    path = tmp_path / "rail.json"
    make(path)  # type: ignore[operator]
    with pytest.raises(RecordError, match="no plain file"):
        read_record(path)
    assert check_record(RecordFile(path, True)).findings[0].level == "unchecked"


def test_a_suite_whose_data_are_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    model = '[[model]]\nname = "m"\nfixed = "y ~ 1"\nrandom = "~ 1 | g"\n'
    (tmp_path / "s.toml").write_text(f'data = "pipe.csv"\n{model}')
    with pytest.raises(RBridgeError, match="there is no file"):
        load_suite(tmp_path / "s.toml")
