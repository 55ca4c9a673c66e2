"""Records, reports and replicates are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rbridge.cli import main
from rbridge.results import LmeResults
from rbridge.suite import record as module
from rbridge.suite.cases import Case
from rbridge.suite.record import Recording, read_record, record
from tests.support.places import RECORDS

NAME = "rail-intercept"


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    """A model that R need not fit: its fit is the recorded one."""
    read = read_record(RECORDS / f"{NAME}.json")
    monkeypatch.setattr(module, "fit_case", lambda case: LmeResults(read.snapshot))
    return read.case


def test_a_record_survives_a_full_disk(
    tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, path = Recording(case, tmp_path, "rbridge record"), tmp_path / f"{NAME}.json"
    assert record(item).findings[0].level == "ok"
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    found = record(item).findings[0]
    assert found.level == "unchecked" and "cannot be written: No space left" in found.text
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_costs_one_model(tmp_path: Path, case: Case) -> None:
    found = record(Recording(case, tmp_path / "none", "rbridge record")).findings[0]
    assert (
        found.level == "unchecked" and "none/rail-intercept.json: cannot be written" in found.text
    )


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_report_survives_a_full_disk(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, report = tmp_path / "records", tmp_path / "report.md"
    records.mkdir()
    shutil.copy(RECORDS / f"{NAME}.json", records)
    report.write_text("the last report")
    command = ["crosscheck", "--against", str(records), "--no-r", "-o", str(report)]
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        assert CliRunner().invoke(main, command).exit_code != 0
    assert report.read_text() == "the last report"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records", "report.md"]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert "1 model: 1 agrees" in report.read_text()
