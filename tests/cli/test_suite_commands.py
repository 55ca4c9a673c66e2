"""``rbridge suite`` and ``rbridge crosscheck``, without R."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from rbridge.check.tolerances import TOLERANCES
from rbridge.cli.app import main
from rbridge.suite.cases import CODES, MODEL_KEYS, SUITE_KEYS, load_suite


def test_the_schema_knows_what_the_reader_knows() -> None:
    schema = json.loads(CliRunner().invoke(main, ["suite", "schema"]).output)
    model = schema["$defs"]["model"]["properties"]
    assert set(schema["properties"]) == set(SUITE_KEYS) and set(model) == set(MODEL_KEYS)

    def codes(name: str) -> set[str]:
        (pattern,) = schema["$defs"][name]["patternProperties"]
        return set(pattern.strip("^$()").replace("\\", "").split("|"))

    assert codes("tolerance") == set(TOLERANCES) and codes("expect") == set(CODES)


def test_init_elsewhere_still_finds_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    pd.DataFrame({"g": list("aabbccdd"), "y": range(8)}).to_csv("d.csv", index=False)
    result = CliRunner().invoke(main, ["suite", "init", "d.csv", "-o", "suites/d.toml"])
    assert result.exit_code == 0
    assert load_suite(tmp_path / "suites" / "d.toml")[0].data == os.path.join("..", "d.csv")


def test_init_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text("mine")
    result = CliRunner().invoke(main, ["suite", "init", "rail", "-o", str(path)])
    assert result.exit_code == 2 and "exists already" in result.output
    assert path.read_text() == "mine"


@pytest.mark.parametrize("arguments", [[], ["rail", "--suite", "x.toml"], ["rail"]])
def test_crosscheck_needs_one_thing_to_check(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["crosscheck", *arguments])
    assert result.exit_code == 2 and "error" in result.output and "Traceback" not in result.output
